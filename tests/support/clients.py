"""Several clients of one server: an account, a key in a file, a list and a job for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from support.claims import KEY
from support.command import Workspace
from support.lists import MAPPING, people


def set_up(workspace: Workspace, secrets: Mapping[str, str], defaults: str) -> Workspace:
    """Write all of it, with `rdimport.toml`; `secrets` are the keys by client."""
    workspace.key = None
    workspace.write("list.yaml", MAPPING)
    settings = [f"[defaults]\n{defaults}\n"]
    for client, secret in secrets.items():
        workspace.write(f"{client}.csv", people(5).replace("@", f"@{client}."))
        workspace.write(f"{client}.key", secret)
        (workspace.home / f"{client}.key").chmod(0o600)
        settings.append(
            f'[accounts.{client}]\napi_key = {{file = "{client}.key"}}\nquota = "none"\n'
            f'[jobs.{client}-fair]\naccount = "{client}"\nfiles = "{client}.csv"\n'
            'mapping = "list.yaml"\n'
        )
    workspace.write("rdimport.toml", "".join(settings))
    return workspace


class Machine(Workspace):
    """A workspace whose commands use a shared ledger, and the settings in its folder, if any."""

    ledger = ""

    def _variables(self) -> dict[str, str]:
        shared = {"RDIMPORT_LEDGER": self.ledger, "RDIMPORT_LEDGER_KEY": KEY.hex()}
        settings = self.home / "rdimport.toml"
        if settings.exists():
            shared["RDIMPORT_CONFIG"] = str(settings)
        return super()._variables() | shared

    def status(self) -> dict[str, Any]:
        return self.here("fleet", "status", "--json").summary
