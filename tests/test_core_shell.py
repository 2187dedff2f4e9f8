"""Commands shown to people can be copied into a shell."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from rdimport.core.shell import called_by_powershell, for_powershell, installing


@pytest.mark.parametrize(
    ("word", "typed"),
    [
        (r"C:\Leads\outubro.csv", r"C:\Leads\outubro.csv"),
        (r"\\servidor\marketing\*.xlsx", r"\\servidor\marketing\*.xlsx"),
        ("60/min", "60/min"),
        ("promoção.csv", "promoção.csv"),
        (r"C:\Users\Ana Lua\leads.csv", r'"C:\Users\Ana Lua\leads.csv"'),
        ("C:\\Minhas listas\\", r'"C:\Minhas listas\\"'),
        ("P&D.csv", '"P&D.csv"'),
        ("leads(1).csv", '"leads(1).csv"'),
        ("a,b;c.csv", '"a,b;c.csv"'),
        ("caixa d'água.csv", '"caixa d\'água.csv"'),
        ("R$ 100.csv", "'R$ 100.csv'"),
        ("d’água a R$ 5.csv", "'d’’água a R$ 5.csv'"),
        ("", '""'),
    ],
)
def test_a_word_is_one_word_in_powershell(word: str, typed: str) -> None:
    """By its quoting rules; not run in PowerShell."""
    assert for_powershell(["rdimport", word]) == f"rdimport {typed}"


@pytest.mark.parametrize(
    ("program", "typed"),
    [
        (r"C:\Python\python.exe", r"C:\Python\python.exe"),
        (r"C:\Users\Ana Reis\python.exe", r'& "C:\Users\Ana Reis\python.exe"'),
        (r"C:\R$\python.exe", r"& 'C:\R$\python.exe'"),
    ],
)
def test_powershell_calls_a_program_whose_path_is_quoted(program: str, typed: str) -> None:
    assert called_by_powershell([program, "-m", "pip"]) == f"{typed} -m pip"


@pytest.mark.parametrize(
    ("left", "begins"),
    [
        ("uv-receipt.toml", ["uv", "pip", "install", "--python", sys.executable]),
        ("pipx_metadata.json", ["pipx", "runpip", "rdimport", "install"]),
        ("pyvenv.cfg", [sys.executable, "-m", "pip", "install"]),
    ],
)
def test_an_extra_is_installed_to_where_the_program_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str, begins: list[str]
) -> None:
    """By the files that uv and pipx leave in their environments."""
    (tmp_path / left).touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    quoted = shlex.join if os.name == "posix" else called_by_powershell
    assert installing("rdimport[fleet]") == quoted([*begins, "rdimport[fleet]"])
