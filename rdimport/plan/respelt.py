"""New rows that the ledger knows under another spelling of their conversion_identifier.

A list may spell an identifier in several ways, and each of them is a conversion of its own. Once
the spellings are made one, those rows are new, and their people would be sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.core.row import ROW, State
from rdimport.plan.duplicates import IDENTITY

if TYPE_CHECKING:
    from rdimport.plan.history import SendHistory
    from rdimport.prepare import Prepared

_NAME: Final = "conversion_identifier"
_SENT: Final = {IDENTITY: pl.Binary, "was": pl.String, "now": pl.String}

_ARRIVED: Final = (str(State.ACCEPTED), str(State.UNCERTAIN))


class Respelt:
    """Collects such rows, batch by batch."""

    def __init__(self, history: SendHistory) -> None:
        self._history = history
        self._sent = [pl.DataFrame(schema=_SENT)]
        self._listed = [pl.Series(IDENTITY, [], pl.Binary)]

    def see(self, prepared: Prepared, rows: pl.DataFrame, new: pl.Series, known: pl.Series) -> None:
        """Look at the rows of a batch, with `ROW` and `IDENTITY`: `new` and `known` are `ROW`s."""
        if self._history.is_empty:
            return
        texts = prepared.good[_NAME].unique(maintain_order=True).to_list()
        spellings = self._history.spellings(texts)
        if not spellings:
            return
        named = prepared.good.select(ROW, pl.col(_NAME).alias("now"))
        some = named.filter(pl.col("now").is_in(list(spellings)))
        some = some.join(rows, on=ROW, maintain_order="left")
        fresh, listed = (some.filter(pl.col(ROW).is_in(at.implode())) for at in (new, known))
        pairs = [(now, was) for now, others in spellings.items() for was in others]
        others = pl.DataFrame(pairs, {"now": pl.String, _NAME: pl.String}, orient="row")
        tried = fresh.drop(IDENTITY).join(others, on="now", maintain_order="left")
        identities = self._history.identities(prepared.identities(tried.select(ROW, _NAME)))
        sent = self._history.known(identities).filter(pl.col("state").is_in(_ARRIVED))["identity"]
        tried = tried.with_columns(identities).filter(pl.col(IDENTITY).is_in(sent.implode()))
        self._sent.append(tried.select(IDENTITY, pl.col(_NAME).alias("was"), "now"))
        self._listed.append(listed[IDENTITY])

    def counts(self) -> dict[tuple[str, str], int]:
        """The number of such conversions, by what their identifier was and what it is now. Those
        that the list still has as they were do not count: its other rows are further conversions.
        """
        listed = pl.concat(self._listed)
        gone = (
            pl.concat(self._sent)
            .unique(maintain_order=True)
            .filter(~pl.col(IDENTITY).is_in(listed.implode()))
        )
        counted = gone.group_by("was", "now", maintain_order=True).len()
        return {(was, now): rows for was, now, rows in counted.iter_rows()}
