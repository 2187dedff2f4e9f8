"""Parquet files: typed columns become the text that a spreadsheet would show."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from support.command import Workspace

from rdimport import SourceError
from rdimport.core.row import FILE, ROW
from rdimport.source import Hints, Table, open_tables

DAY = date(2026, 3, 4)
WHEN = datetime(2026, 3, 4, 8, 30)  # noqa: DTZ001  a column without a zone
TEXTS = {
    "text": (["Zoé", "", None], ["Zoé", None, None]),
    "whole": ([7, -1, None], ["7", "-1", None]),
    "phone as float": ([11987654321.0, 1.5, float("nan")], ["11987654321", "1.5", None]),
    "switch": ([True, False, None], ["true", "false", None]),
    "day": ([DAY, None, DAY], ["2026-03-04", None, "2026-03-04"]),
    "moment": ([WHEN, WHEN.replace(hour=0, minute=0), None], [f"{DAY} 08:30:00", f"{DAY}", None]),
    "zoned": ([WHEN.replace(tzinfo=UTC)] * 3, [f"{DAY}T08:30:00+00:00"] * 3),
    "hour": ([time(8, 30), None, None], ["08:30:00", None, None]),
    "how long": ([timedelta(hours=1), None, None], ["1:00:00", None, None]),
    "price": ([Decimal("1.50"), None, None], ["1.50", None, None]),
    "list": ([["a", "b"], [], None], ["a;b", None, None]),
    "numbers": ([[1, 2], [3], None], ["1;2", "3", None]),
    "lists": ([[["a"], ["b"]], [], None], ["[['a'], ['b']]", "[]", None]),
    "record": ([{"a": 1}, {"a": 2}, None], ['{"a":1}', '{"a":2}', None]),
    "bytes": (["é".encode(), b"\xff", None], ["é", "\ufffd", None]),
    "nothing": ([None, None, None], [None, None, None]),
}
FRAME = pl.DataFrame({name: values for name, (values, _) in TEXTS.items()})


def written(path: Path, frame: pl.DataFrame = FRAME) -> str:
    frame.write_parquet(path)
    return str(path)


def rows(table: Table) -> pl.DataFrame:
    return pl.concat(table.batches())


def test_each_kind_of_column_becomes_text(tmp_path: Path) -> None:
    (table,) = open_tables([written(tmp_path / "leads.parquet")])
    assert table.columns == tuple(TEXTS)
    found = rows(table)
    assert found.select(*TEXTS).to_dict(as_series=False) == {
        name: texts for name, (_, texts) in TEXTS.items()
    }
    assert found.select(FILE, ROW).rows() == [(0, 2), (0, 3), (0, 4)]


def test_a_category_is_its_text(tmp_path: Path) -> None:
    states = pl.Series("UF", ["SP", "RJ", "SP"], dtype=pl.Categorical)
    (table,) = open_tables([written(tmp_path / "leads.parquet", states.to_frame())])
    assert rows(table)["UF"].to_list() == ["SP", "RJ", "SP"]


def test_its_header_is_known_whatever_is_said_of_another_format(tmp_path: Path) -> None:
    frame = pl.DataFrame({"E-mail": ["a@x.com", "b@x.com"], "2026": ["1", "2"]})
    hints = Hints(header_row=7, sheet="Leads", sheets="all", delimiter=";")
    (table,) = open_tables([written(tmp_path / "leads.xlsx", frame)], hints)
    assert (table.columns, table.facts.format) == (("E-mail", "2026"), "parquet")
    assert rows(table).height == 2


def test_it_may_be_packed(tmp_path: Path) -> None:
    data = Path(written(tmp_path / "leads.parquet")).read_bytes()
    packed = tmp_path / "leads.parquet.gz"
    packed.write_bytes(gzip.compress(data))
    (table,) = open_tables([str(packed)])
    assert rows(table).height == 3


def test_it_is_imported_like_any_list(workspace: Workspace) -> None:
    leads = pl.DataFrame({"E-mail": [f"p{n}@exemplo.com.br" for n in range(5)], "Nota": range(5)})
    written(workspace.home / "leads.parquet", leads)
    workspace.write(
        "leads.yaml", "conversion_identifier: Base\nfields: {email: E-mail, cf_n: Nota}\n"
    )
    proposed = workspace.here("init", "leads.parquet")
    assert "email: E-mail" in proposed.out
    done = workspace.here("run", "leads.parquet", "-m", "leads.yaml", "--quota", "none", "--json")
    assert (done.code, done.summary["accepted"]) == (0, 5)


def damaged(whole: bytes) -> dict[str, bytes]:
    return {
        "cut": whole[: len(whole) // 2],
        "without its middle": whole[:20] + whole[-20:],
        "only its mark": b"PAR1\0\0\0\0PAR1",
        "a footer of nonsense": whole[:-40] + bytes(32) + whole[-8:],
        "encrypted": b"PARE" + bytes(16) + b"PARE",
    }


@pytest.mark.parametrize("kind", damaged(b""))
def test_damage_is_reported_in_one_message(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "leads.parquet"
    whole = Path(written(path)).read_bytes()
    path.write_bytes(damaged(whole)[kind])
    with pytest.raises(SourceError, match=r"leads\.parquet"):
        open_tables([str(path)])


BOMBS = {
    "one text in every row": pl.DataFrame({"a": pl.repeat("x" * 1_000, 300_000, eager=True)}),
    "no cell is filled": pl.DataFrame(
        {
            "a": pl.repeat(None, 20_000_000, dtype=pl.Int8, eager=True),
            "b": pl.Series([1]).extend_constant(None, 19_999_999),
        }
    ),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_small_file_that_unpacks_to_a_vast_one_is_refused(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path / "leads.parquet", BOMBS[kind])
    with pytest.raises(SourceError, match=r"malicious|far to the right"):
        open_tables([path])
