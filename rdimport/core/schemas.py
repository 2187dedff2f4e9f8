"""The schemas of frames that packages pass to each other.

Separate from `core.row`, because importing polars takes a fifth of a second, and most commands show
results of rows without reading one.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from rdimport.core.row import DEFECT, FILE, ROW, Problem

ORIGIN: Final = {FILE: pl.UInt32, ROW: pl.UInt32, DEFECT: pl.String}
"""Columns that the reader adds to those of the file. Their names cannot occur in a header."""

PROBLEMS: Final = {
    FILE: pl.UInt32,
    ROW: pl.UInt32,
    **dict.fromkeys(Problem._fields, pl.String),
}
"""One line per problem of a row; several per row are possible."""

KNOWN: Final = {
    "identity": pl.Binary,
    "state": pl.String,
    "payload": pl.Binary,
    "problems": pl.String,
    "refused": pl.Binary,
    "run": pl.Int64,
    "left_at": pl.Int64,
    "version": pl.Int64,
}
"""What a ledger knows about conversions: keyed hashes, the last state, its problems.

`refused` is the hash of a payload that was refused after another one may have arrived; the
conversion may still have arrived. `run` is the number of the last run that sent it, `left_at` the
time of its request in milliseconds, if recorded. `version` is passed back with the `SendAttempt`
and shows whether anything has changed since.
"""
