"""New rows that the ledger knows under another identity, and whose people would be sent again.

A list may spell an identifier in several ways, and each of them is a conversion of its own, until
the spellings are made one. And the mapping may have read an identity field in another way when the
row was sent: from another column, or with another cleaner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import polars as pl

from rdimport.core.errors import MappingError
from rdimport.core.row import ROW, State
from rdimport.mapping.identity_rule import identity_rule, with_rule
from rdimport.plan.duplicates import IDENTITY

if TYPE_CHECKING:
    from rdimport.mapping import Mapping
    from rdimport.plan.history import SendHistory
    from rdimport.plan.spool import Spool
    from rdimport.prepare import Bound, Prepared

_NAME: Final = "conversion_identifier"
_SENT: Final = {IDENTITY: pl.Binary, "was": pl.String, "now": pl.String, "rule": pl.String}

_ARRIVED: Final = (str(State.ACCEPTED), str(State.UNCERTAIN))

Binding = Callable[["Mapping"], "Bound"]
"""Binds a mapping to the current table."""


class SentOtherwise:
    """Collects such rows, batch by batch; those that may be some are kept in the spool until all
    spellings of the list are known.
    """

    def __init__(self, mapping: Mapping, history: SendHistory, spool: Spool) -> None:
        self._mapping = mapping
        self._history = history
        self._spool = spool
        self._rule = identity_rule(mapping)
        self._binding: Binding
        self._bounds: list[tuple[str, Bound]] | None = None
        self._spelt: dict[str, dict[bytes, str]] = {}
        self._texts: set[str] = set()
        self.not_tried: set[str] = set()
        """Rules of earlier runs that read other fields, or a column that the list does not have."""
        self._listed = [pl.Series(IDENTITY, [], pl.Binary)]

    def begin_table(self, binding: Binding) -> None:
        """Take the next batches from another table."""
        self._binding, self._bounds = binding, None

    def _earlier(self) -> list[tuple[str, Bound]]:
        """The rules of earlier runs, with this mapping bound to the table under each of them."""
        if self._bounds is None:
            self._bounds = []
            for rule in self._history.rules():
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
        earlier = [] if new.is_empty() else self._earlier()
        if not spelt and not earlier:
            return
        named = prepared.good.select(ROW, pl.col(_NAME).alias("now"))
        several = pl.col("now").is_in(list(spelt))
        fresh = named.filter(pl.col(ROW).is_in(new.implode()))
        fresh = fresh.join(prepared.rows.select(ROW, "identity"), on=ROW, maintain_order="left")
        self._keep(fresh.filter(several), self._rule)
        for rule, bound in earlier:
            was = prepared.identified(fresh[ROW], bound).rename({"identity": "was"})
            both = fresh.join(was, on=ROW, maintain_order="left")
            differ = both.filter(pl.col("was") != pl.col("identity"))
            self._keep(differ.select(ROW, "now", pl.col("was").alias("identity")), rule)
        listed = named.filter(several & pl.col(ROW).is_in(known.implode()))
        self._listed.append(rows.join(listed, on=ROW, how="semi")[IDENTITY])

    def _keep(self, rows: pl.DataFrame, rule: str) -> None:
        if rows.height:
            values = pl.col("identity").str.strip_prefix(_head("now"))
            self._spool.put(rows.select("now", values.alias("values"), rule=pl.lit(rule)))

    def counts(self) -> dict[tuple[str, str, str], int]:
        """The number of such conversions, by what their identifier was, what it is now, and the
        rule by which their identity fields were read.

        Those that the list still has as they were do not count: its other rows are further
        conversions.
        """
        if not len(self._spool):
            return {}
        spellings = self._history.recognised(self._spelt, self._texts)
        pairs = [(now, was) for now, others in spellings.items() for was in others]
        others = pl.DataFrame(pairs, {"now": pl.String, "was": pl.String}, orient="row")
        sent = [self._sent(rows, others) for rows in self._spool.frames()]
        found = pl.concat([pl.DataFrame(schema=_SENT), *sent]).unique(maintain_order=True)
        listed = pl.concat(self._listed)
        gone = found.filter(~pl.col(IDENTITY).is_in(listed.implode()))
        counted = gone.group_by("was", "now", "rule", maintain_order=True).len()
        return {(was, now, rule): rows for was, now, rule, rows in counted.iter_rows()}

    def _sent(self, rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
        """The identities under which the ledger has these rows, if any."""
        same = rows.filter(pl.col("rule") != self._rule).with_columns(was="now")
        tried = pl.concat(
            [rows.join(others, on="now", maintain_order="left"), same], how="diagonal"
        )
        texts = tried.select(pl.concat_str(_head("was"), "values")).to_series()
        tried = tried.with_columns(self._history.identities(texts))
        sent = self._history.known(tried[IDENTITY]).filter(pl.col("state").is_in(_ARRIVED))
        return tried.filter(pl.col(IDENTITY).is_in(sent["identity"].implode())).select(*_SENT)


def _head(name: str) -> pl.Expr:
    """The beginning of an identity's text, with the identifier in that column."""
    encoded = pl.struct(pl.col(name).alias(_NAME)).struct.json_encode()
    return encoded.str.strip_suffix("}")
