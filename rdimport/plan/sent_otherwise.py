"""New rows that the ledger knows under another identity, and whose people would be sent again.

- A list may spell an identifier in several ways, and each of them is a conversion of its own, until
  the spellings are made one.
- The mapping may have read an identity field in another way when the row was sent: from another
  column, or with another cleaner.
- The list may have been saved in another format since, which writes dates and numbers in its way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.core.errors import MappingError
from rdimport.core.row import ROW, State
from rdimport.ledger import WRITTEN
from rdimport.mapping.identity_rule import identity_rule, with_rule
from rdimport.plan.duplicates import IDENTITY
from rdimport.plan.spool import Spool

if TYPE_CHECKING:
    from rdimport.mapping import Mapping
    from rdimport.plan.history import SendHistory
    from rdimport.prepare import Bound, Prepared

_NAME: Final = "conversion_identifier"
_SENT: Final = {IDENTITY: pl.Binary, "was": pl.String, "now": pl.String, "rule": pl.String}

_SAMPLE: Final = 500
"""New rows of a batch that show whether all were written in another way."""

_ARRIVED: Final = (str(State.ACCEPTED), str(State.UNCERTAIN))

Binding = Callable[["Mapping"], "Bound"]
"""Binds a mapping to the current table."""


class SentOtherwise:
    """Collects such rows, batch by batch. Rows that may be some are kept on disk until all
    spellings of the list are known.
    """

    def __init__(self, mapping: Mapping, history: SendHistory, directory: Path | None) -> None:
        self._mapping = mapping
        self._history = history
        self._candidates, self._listed = Spool(directory), Spool(directory)
        self._rule = identity_rule(mapping)
        self._written = [name for name in mapping.identity if name not in (_NAME, "email")]
        self._written += [_NAME] if mapping.conversion_identifier.value is None else []
        self._binding: Binding
        self._bounds: list[tuple[str, Bound]] | None = None
        self._spelt: dict[str, dict[bytes, str]] = {}
        self._texts: set[str] = set()
        self.not_tried: set[str] = set()
        """Rules of earlier runs that read other fields, or a column that the list does not have."""
        self._rules = cache(history.rules)
        self._other_people: set[str] = set()
        """Rules by which rows of the list that are known have another e-mail column's address."""

    def begin_table(self, binding: Binding) -> None:
        """Take the next batches from another table."""
        self._binding, self._bounds = binding, None

    def _earlier(self) -> list[tuple[str, Bound]]:
        """The rules of earlier runs, with this mapping bound to the table under each of them."""
        if self._bounds is None:
            self._bounds = []
            for rule in self._rules():
                if rule == self._rule:
                    continue
                try:
                    mapping = with_rule(self._mapping, rule)
                    self._bounds.append((rule, self._binding(mapping)))
                except (MappingError, ValueError):
                    self.not_tried.add(rule)
        return self._bounds

    def see(self, prepared: Prepared, rows: pl.DataFrame, new: pl.Series, known: pl.Series) -> None:
        """Look at the rows of a batch, with `ROW` and `IDENTITY`: `new` and `known` are `ROW`s."""
        if self._history.is_empty:
            return
        texts = prepared.good[_NAME].unique(maintain_order=True).to_list()
        self._texts.update(texts)
        spelt = self._history.spellings(texts)
        self._spelt |= spelt
        earlier = self._earlier()
        if not (spelt or earlier or self._written):
            return
        named = prepared.good.select(ROW, pl.col(_NAME).alias("now"))
        several = pl.col("now").is_in(list(spelt))
        texts_of = prepared.rows.select(ROW, "identity")
        fresh, listed = (
            named.filter(pl.col(ROW).is_in(at.implode())).join(
                texts_of, on=ROW, maintain_order="left"
            )
            for at in (new, known)
        )
        if new.len():
            not_known = pl.lit(None, pl.String)
            self._keep(fresh.filter(several).with_columns(was=not_known), self._rule)
            for rule, bound in earlier:
                read = prepared.identified(fresh[ROW], bound)
                self._keep(_differing(read, fresh), rule)
            self._see_written(prepared, fresh)
        self._see_other_people(prepared, listed)
        listed = listed if self._written else listed.filter(several)
        if listed.height:
            self._listed.put(rows.join(listed, on=ROW, how="semi").select(IDENTITY))

    def _see_other_people(self, prepared: Prepared, listed: pl.DataFrame) -> None:
        """Note the rules that send the same rows to other people: mother and father, say."""
        for rule, bound in self._with_other_address() if listed.height else ():
            read = prepared.identified(listed[ROW], bound)
            if _differing(read, listed).height:
                self._other_people.add(rule)

    def see_recalled(self) -> None:
        """Note the same for rows that are known by their cells: this mapping has sent them."""
        self._other_people.update(rule for rule, _bound in self._with_other_address())

    def _with_other_address(self) -> list[tuple[str, Bound]]:
        """The rules that read the e-mail from other columns."""
        own = self._mapping.fields["email"].columns
        return [one for one in self._earlier() if one[1].mapping.fields["email"].columns != own]

    def _see_written(self, prepared: Prepared, fresh: pl.DataFrame) -> None:
        """Keep the new rows that may have been sent with values that were written in another way.

        A list is saved as a whole, so a sample shows in which way. It is taken from all of them, as
        the people who are really new may come first.
        """
        if not self._written:
            return
        from rdimport.prepare.rewritten import BY_KIND, WAYS  # noqa: PLC0415  few need it

        good = prepared.good.filter(pl.col(ROW).is_in(fresh[ROW].implode()))
        each = ceil(fresh.height / _SAMPLE)
        sample, now = good.gather_every(each), fresh.gather_every(each)
        for way in (*WAYS, *BY_KIND) if prepared.several_cells(self._written) else WAYS:
            rewritten = prepared.rewritten(sample, self._written, way)
            if self._known(_differing(rewritten, now)["identity"]).len():
                rewritten = prepared.rewritten(good, self._written, way)
                self._keep(_differing(rewritten, fresh), WRITTEN)

    def _keep(self, rows: pl.DataFrame, rule: str) -> None:
        """Keep rows with what their identifier was (null: not known), what it is `now`, and the
        text of their identity.
        """
        if rows.height:
            own = rows.with_columns(own=pl.coalesce("was", "now"))
            values = pl.col("identity").str.strip_prefix(_head("own")).alias("values")
            self._candidates.put(own.select("was", "now", values, rule=pl.lit(rule)))

    def counts(self) -> dict[tuple[str, str, str], int]:
        """The number of such conversions, by what their identifier was, what it is now, and the
        rule by which their identity fields were read, or `WRITTEN`.

        Those that the list still has as they were do not count: its other rows are further
        conversions.
        """
        if not len(self._candidates):
            return {}
        spellings = self._history.recognised(self._spelt, self._texts)
        pairs = [(was, now) for now, others in spellings.items() for was in others]
        others = pl.DataFrame(pairs, {"was": pl.String, "now": pl.String}, orient="row")
        same = ~pl.col("rule").is_in(list(self._other_people))
        sent = [self._sent(rows.filter(same), others) for rows in self._candidates.frames()]
        found = pl.concat([pl.DataFrame(schema=_SENT), *sent]).unique(IDENTITY, maintain_order=True)
        for listed in self._listed.frames():
            found = found.join(listed, on=IDENTITY, how="anti", maintain_order="left")
        counted = found.group_by("was", "now", "rule", maintain_order=True).len()
        return {(was, now, rule): rows for was, now, rule, rows in counted.iter_rows()}

    def _sent(self, rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
        """The identities under which the ledger has these rows, if any."""
        spelt = rows.drop("was").join(others, on="now", maintain_order="left")
        tried = pl.concat([rows.drop_nulls("was"), spelt.select(rows.columns)])
        texts = tried.select(pl.concat_str(_head("was"), "values")).to_series()
        tried = tried.with_columns(self._history.identities(texts))
        known = self._known(texts)
        return tried.filter(pl.col(IDENTITY).is_in(known.implode())).select(*_SENT)

    def _known(self, texts: pl.Series) -> pl.Series:
        """Those of these identities that were sent."""
        if texts.is_empty():
            return pl.Series(IDENTITY, [], pl.Binary)
        known = self._history.known(self._history.identities(texts))
        return known.filter(pl.col("state").is_in(_ARRIVED))["identity"]


def _differing(was: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """The rows whose identity is another one now, with the identifier of both."""
    both = was.join(now, on=ROW, suffix="_now", maintain_order="left")
    return both.filter(pl.col("identity") != pl.col("identity_now"))


def _head(name: str) -> pl.Expr:
    """The beginning of an identity's text, with the identifier in that column."""
    encoded = pl.struct(pl.col(name).alias(_NAME)).struct.json_encode()
    return encoded.str.strip_suffix("}")
