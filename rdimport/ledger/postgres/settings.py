"""The settings of a session, independent of those of server, role and environment."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_ALWAYS: Final[dict[str, str]] = {
    "synchronous_commit": "on",
    "plan_cache_mode": "force_custom_plan",  # a plan made for an empty table would scan a full one
    "client_min_messages": "warning",  # a commit that no standby confirmed raises a warning
    "search_path": "pg_catalog",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "idle_in_transaction_session_timeout": "30s",
    "lock_timeout": "20s",
    "statement_timeout": "0",  # callers have their own time limits
    "row_security": "off",  # an error instead of answers that lack rows
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "array_nulls": "on",
    "transform_null_equals": "off",
}
_SINCE: Final[dict[int, dict[str, str]]] = {
    14_00_00: {"idle_session_timeout": "0"},
    17_00_00: {"transaction_timeout": "0"},
}
"""Settings that exist only from a release of PostgreSQL on."""

PLANNED_ONCE: Final[dict[str, str]] = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "jit": "off",  # the cost estimate of an excluded plan must not trigger compilation
}
"""Settings for a connection whose statements find conversions by primary key only."""

OF_ITS_OWN: Final[dict[str, str]] = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
"""Settings for a dedicated server process, not for one behind a pooler."""

CLIENT_CHECK: Final[dict[str, str]] = {"client_connection_check_interval": "10s"}
"""Ends a query whose client has disconnected. Only servers on Linux accept it, from release 14."""


def settings(
    version: int, more: Mapping[str, str] = MappingProxyType({}), *, local: bool
) -> tuple[str, list[object]]:
    """The statement that makes the settings on a server of that version, with some `more`, and its
    values. `local`: only for the current transaction.
    """
    wanted = dict(_ALWAYS)
    for since, newer in _SINCE.items():
        if version >= since:
            wanted |= newer
    wanted |= more
    one = f"pg_catalog.set_config(%s, %s, {'true' if local else 'false'})"
    values = [part for pair in wanted.items() for part in pair]
    return f"SELECT {', '.join([one] * len(wanted))}", list(values)
