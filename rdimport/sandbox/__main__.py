"""The child process of an embedded sandbox: reads options from stdin, writes its address to stdout.

Used by `embedded.running`; users start `rdimport sandbox`.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict

from rdimport.core.errors import RdimportError
from rdimport.core.installation import installation_explained
from rdimport.core.messages import language_of, speaking
from rdimport.sandbox.options import SandboxOptions


def main() -> None:
    """Serve until standard input is closed."""
    lang = language_of(sys.stdin.readline())
    options = SandboxOptions.from_json(sys.stdin.readline())
    with speaking(lang, everywhere=True):
        try:
            with installation_explained():
                _serve(options)
        except RdimportError as error:
            _tell({"error": [error.message, error.remedy]})


def _serve(options: SandboxOptions) -> None:
    from rdimport.sandbox.server import run  # noqa: PLC0415  its packages may be incomplete

    run(options, lambda started: _tell(asdict(started)), _stop_at_end_of_input)


def _tell(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _stop_at_end_of_input(stop: Callable[[], None]) -> None:
    def wait() -> None:
        sys.stdin.buffer.read()
        stop()

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    main()
