"""Rules that involve several settings.

They work on the raw values, so that their errors are reported together with those of single keys.
Malformed parts are skipped here and reported by the model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from rdimport.core.address import is_address
from rdimport.core.document_errors import suggestion
from rdimport.core.messages import _
from rdimport.core.names import fold
from rdimport.core.visible import cut

_WHERE: Final = {
    "api_key": ("env", "file", "keyring", "command"),
    "ping": ("env", "file", "command"),
    "url": ("env", "file", "command"),
}
"""Keys that give the location of a secret, each in its own way."""

Contradiction = tuple[tuple[str, ...], str]


def contradictions(data: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Yield the path of the key and a description for every rule that the settings break."""
    accounts, jobs = _tables(data, "accounts"), _tables(data, "jobs")
    yield from _accounts(accounts)
    names = {fold(name): name for name in reversed(accounts)}
    for name, job in jobs.items():
        for account in _texts(job.get("account")):
            if fold(account) not in names:
                missing = _("there is no account `{name}`", name=cut(account))
                yield ("jobs", name, "account"), missing + suggestion(account, names.values())
        moves = next((key for key in ("move_done", "move_failed") if job.get(key)), None)
        if moves and any(map(is_address, _texts(job.get("files")))):
            yield ("jobs", name, moves), _("a list at an address cannot be moved")
    notify = _tables(data, "notify")
    for kind, tables in (("accounts", accounts), ("jobs", jobs), ("notify", notify)):
        for name, table in tables.items():
            yield from _table((kind, name), table, notify)
    yield from _table(("defaults",), _tables(data).get("defaults", {}), notify)


def _table(
    place: tuple[str, ...], table: Mapping[str, Any], notify: Collection[str]
) -> Iterator[Contradiction]:
    for name in _texts(table.get("notify")):
        if name not in notify:
            missing = _("there is no [notify.{name}]", name=cut(name))
            yield (*place, "notify"), missing + suggestion(name, notify)
    for key, known in _WHERE.items():
        where = table.get(key)
        if isinstance(where, Mapping) and sum(bool(where.get(one)) for one in known) > 1:
            yield (*place, key), _("expected one of {known}", known=", ".join(known))


def _accounts(accounts: Mapping[str, Mapping[str, Any]]) -> Iterator[Contradiction]:
    names: dict[str, str] = {}
    for name, account in accounts.items():
        first = names.setdefault(fold(name), name)
        if first != name:
            yield (
                ("accounts", name),
                _("differs from `{first}` only in case, accents or blanks", first=cut(first)),
            )
        if account.get("plan") and account.get("quota"):
            yield (
                ("accounts", name),
                _("plan and quota both set the quota; omit one of them"),
            )


def _tables(data: Mapping[str, Any], *path: str) -> dict[str, Mapping[str, Any]]:
    """The subtables of a table; a value that is not a table counts as empty."""
    found: object = data
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    tables = found if isinstance(found, Mapping) else {}
    return {name: table if isinstance(table, Mapping) else {} for name, table in tables.items()}


def _texts(value: object) -> list[str]:
    """A text, or those of a list, without empty ones."""
    many = value if isinstance(value, list) else [value]
    return [text.strip() for text in many if isinstance(text, str) and text.strip()]
