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
_MOST: Final = 1_000
"""Identifiers of known rows in a batch, for each of which the ledger is asked."""

_SENT: Final = {IDENTITY: pl.Binary, "was": pl.String, "now": pl.String}

_ARRIVED: Final = (str(State.ACCEPTED), str(State.UNCERTAIN))


class Respelt:
    """Collects such rows, batch by batch."""

    def __init__(self, history: SendHistory) -> None:
        self._history = history
        self._sent = [
            pl.DataFrame(schema={IDENTITY: pl.Binary, "was": pl.String, "now": pl.String})
        ]
        self._listed = [pl.Series(IDENTITY, [], pl.Binary)]

    def see(self, prepared: Prepared, rows: pl.DataFrame, new: pl.Series, known: pl.Series) -> None:
        """Look at the rows of a batch, with `ROW` and `IDENTITY`: `new` and `known` are `ROW`s."""
        if self._history.is_empty:
            return
        named = prepared.good.select(ROW, pl.col(_NAME).alias("now")).join(rows, on=ROW)
        fresh, listed = (named.filter(pl.col(ROW).is_in(some.implode())) for some in (new, known))
        seen = named["now"].unique().to_list()
        for text, others in self._history.spellings(fresh["now"].unique().to_list(), seen).items():
            alike = fresh.filter(pl.col("now") == text)
            for other in others:
                identities = self._history.identities(prepared.identities(alike[ROW], other))
                sent = self._history.known(identities).filter(pl.col("state").is_in(_ARRIVED))
                was = sent.select(pl.col("identity").alias(IDENTITY), was=pl.lit(other))
                self._sent.append(was.with_columns(now=pl.lit(text)))
        texts = listed["now"].unique().to_list()
        several = list(self._history.spellings(texts, seen)) if len(texts) <= _MOST else []
        self._listed.append(listed.filter(pl.col("now").is_in(several))[IDENTITY])

    def counts(self) -> dict[tuple[str, str], int]:
        """The number of such conversions, by what their identifier was and what it is now. Those
        that the list still has as they were do not count: its other rows are further conversions.
        """
        listed = pl.concat(self._listed)
        gone = pl.concat(self._sent).unique().filter(~pl.col(IDENTITY).is_in(listed.implode()))
        counted = gone.group_by("was", "now", maintain_order=True).len()
        return {(was, now): rows for was, now, rows in counted.iter_rows()}
