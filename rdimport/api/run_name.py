"""The names of runs."""

from __future__ import annotations

import secrets
from datetime import datetime


def run_name(began: datetime) -> str:
    """The name of a run that began at this time, as in `20261128-223000-ab12cd34`.

    A shared ledger has each name once, and workers begin hundreds of runs within a second: with
    four digits two of them would often have had one name, and one would have waited a minute.
    """
    return f"{began:%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
