"""The reference of `rdimport.toml`, written from its model.

    python docs/settings_reference.py

writes the part of `docs/jobs.md` below the heading “All keys” again; a test fails while it is not
what this module would write.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rdimport.config import Account, Address, ApiKey, Defaults, Job, Notify

PAGE_FILE: Final = Path(__file__).parent / "jobs.md"
HEADING: Final = "## All keys\n"

_TABLES: Final = (
    (Defaults, "`[defaults]`"),
    (Account, "`[accounts.NAME]`"),
    (ApiKey, "`api_key` of an account"),
    (Job, "`[jobs.NAME]`"),
    (Notify, "`[notify.NAME]`"),
    (Address, "`url` and `ping`"),
)


def page() -> str:
    """The whole page: what a person wrote, then the tables."""
    text = PAGE_FILE.read_text("utf-8")
    return text[: text.index(HEADING)] + HEADING + "\n" + "\n".join(map(_table, _TABLES))


def _table(which: tuple[type[Defaults | Account | ApiKey | Job | Notify | Address], str]) -> str:
    model, title = which
    inherited = set() if model is Defaults else set(Defaults.model_fields)
    sentence = (model.__doc__ or "").split("\n\n", maxsplit=1)[0]
    lines = [f"### {title}", "", sentence, "", "| key | what it says |", "|---|---|"]
    for key, described in model.model_fields.items():
        if key not in inherited:
            needed = " (required)" if described.is_required() else ""
            lines.append(f"| `{key}` | {described.description}{needed} |")
    if inherited & set(model.model_fields):
        lines += ["", "Also every key of `[defaults]`; the one nearest to the job counts."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE_FILE.write_text(page(), "utf-8")
