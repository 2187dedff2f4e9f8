"""Compiles the catalogues of messages for gettext, also for an editable installation."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class MessagesHook(BuildHookInterface[Any]):
    """The .mo files are in no repository, but in each wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before each build."""
        messages = Path(self.root, "rdimport", "core", "messages")
        runpy.run_path(str(messages / "build.py"))["compile_all"]()
        build_data["artifacts"].append("/rdimport/core/messages/locale/*/LC_MESSAGES/*.mo")
