"""Where the ledger of a run is that names none: where the command would look for it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rdimport.core.errors import UsageError
from rdimport.core.messages import _
from rdimport.core.own_folders import NoHomeError, default_state_dir
from rdimport.ledger import has_sent, store_of_run


class Place(NamedTuple):
    """The address of a shared ledger, if it is one, and the state directory."""

    ledger: str | None
    state_dir: Path


def usual_place(destination: str, ledger_key: str | None) -> Place:
    """What RDIMPORT_LEDGER and RDIMPORT_STATE_DIR name, otherwise the default folder.

    Raises UsageError if rows were sent to the destination from the default folder, and they name
    another one: it does not know of them.
    """
    named = os.environ.get("RDIMPORT_STATE_DIR")
    ledger = os.environ.get("RDIMPORT_LEDGER") or None
    if not named:
        return Place(ledger, default_state_dir())
    with suppress(NoHomeError):
        default = default_state_dir()
        is_another = default.absolute() != Path(named).absolute()
        if is_another and has_sent(store_of_run(None, default, ledger_key), destination):
            raise UsageError(
                _(
                    "Rows of this account were sent with the ledger in {default}, but "
                    "RDIMPORT_STATE_DIR names {named}: neither knows whom the other one has sent.",
                    default=default,
                    named=named,
                ),
                _("Nothing was sent. Name the one that is used: state_dir=… or ledger=…."),
            )
    return Place(ledger, Path(named))
