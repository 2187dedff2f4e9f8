"""Texts and number formats for screens and reports."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from rdimport.core.messages import LANGUAGES, written
from rdimport.core.messages.catalogue import catalogue
from rdimport.core.row import State

if TYPE_CHECKING:
    from rdimport.ledger import LegalBases, WrongColumn


class Words:
    """The texts in one language; English if the language is not available."""

    def __init__(self, lang: str) -> None:
        self.lang = lang if lang in LANGUAGES else "en"
        self._catalogue = catalogue(self.lang)

    def __call__(self, key: str, **values: object) -> str:
        """The text of that key with its values."""
        text = self._catalogue.pgettext("screen", key)
        return text.format(**values) if values else text

    def wrong_column(self, found: WrongColumn | None, rows: int) -> str:
        """A warning if most rows fail in one column; otherwise empty."""
        if found is None:
            return ""
        return self(
            "wrong_column",
            number=self.number(found.rows),
            rows=self.number(rows),
            field=found.field,
            column="".join(c for c in found.column if c.isprintable())[:60],
        )

    def legal_bases(self, rows: LegalBases | None) -> str:
        """How many people have which legal basis; empty if no bases are sent."""
        if not rows or not any(rows):
            return ""
        shown = {name: self.number(count) for name, count in rows._asdict().items()}
        return self.counted("legal_bases", sum(rows), **shown)

    def ruled(self, rules: Mapping[str, int]) -> str:
        """How often rules of the endpoint's owner decided; empty if none did."""
        kinds = ", ".join(f"{rule}: {self.number(count)}" for rule, count in rules.items())
        return self.counted("ruled", sum(rules.values()), kinds=kinds) if rules else ""

    def proved(self, rows: Mapping[str, int]) -> str:
        """How many rows were proved later, and by what; empty if none were."""
        kinds = ", ".join(f"{kind}: {self.number(count)}" for kind, count in rows.items())
        return self.counted("proved", sum(rows.values()), kinds=kinds) if rows else ""

    def corrected(self, rows: Mapping[str, int]) -> str:
        """The number of rows corrected in a failure report, with the runs that imported them; empty
        if there are none.
        """
        return self.counted("corrected", sum(rows.values()), runs=", ".join(rows)) if rows else ""

    def place(self, row: int, file: str = "", column: str = "") -> str:
        """A row, of this file if there are several, and its column if that is known."""
        where = self("row_of", row=row, file=file) if file else self("row", row=row)
        return f"{where}, {self('column', column=column)}" if column else where

    def counted(self, key: str, number: int, **values: object) -> str:
        """The text of that key in the plural form for `number`."""
        return self._plural(key, number).format(number=self.number(number), **values)

    def _plural(self, key: str, number: int) -> str:
        return self._catalogue.npgettext("screen", key, key, number)

    def total(self, *, read_to_end: bool) -> str:
        """The label of the sum of all states: "total" only if all rows are known."""
        return self("total" if read_to_end else "read_so_far")

    def state(self, state: State) -> str:
        """The plural name of a state."""
        return self._plural(state, 2)

    def one(self, state: State) -> str:
        """A state's name for one row."""
        return self._plural(state, 1)

    def rows_in(self, state: State, rows: int) -> str:
        """A number of rows in a state: `1 aceita`, `2.000 aceitas`."""
        return f"{self.number(rows)} {self._plural(state, rows)}"

    def means(self, state: State, *, sandbox: bool = False) -> str:
        """The meaning of a state; rows that a sandbox received are not in RD."""
        answered = state in (State.ACCEPTED, State.REFUSED)
        return self(f"means.{state}.sandbox" if sandbox and answered else f"means.{state}")

    def decimal(self, value: float) -> str:
        """A number with the language's decimal separator, at most two places."""
        text = f"{value:.2f}".rstrip("0").rstrip(".")
        return written.decimal(text, self.lang)

    def rate(self, value: float) -> str:
        """A rate per second with only its significant digits: 0.35, 2.1, 2,305."""
        if value >= 100:
            return self.number(round(value))
        return self.decimal(round(value, 1 if value >= 1 else 2))

    def duration(self, seconds: float) -> str:
        """A duration: `45 s`, `12 min`, `3 h 05 min`, `2 days 4 h`."""
        whole = timedelta(seconds=round(seconds))
        hours, minutes = whole.seconds // 3600, whole.seconds % 3600 // 60
        if whole.days:
            return self.counted("days", whole.days, hours=hours)
        if hours:
            return f"{hours} h {minutes:02d} min"
        if minutes >= 10:
            return f"{minutes} min"
        if minutes:
            return f"{minutes} min {whole.seconds % 60:02d} s"
        if seconds >= 10:
            return f"{whole.seconds} s"
        return written.decimal(f"{seconds:.1f} s", self.lang)

    def number(self, value: int) -> str:
        """An integer with the language's thousands separator."""
        return written.whole(value, self.lang)
