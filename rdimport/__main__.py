"""`rdimport`, also as `python -m rdimport`."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command. Without its modules it says so, in place of Python's exit code 1, which
    would mean that rows need attention.
    """
    try:
        from rdimport.cli import main as command  # noqa: PLC0415
    except Exception as error:  # noqa: BLE001  not even its messages may be there
        sys.stderr.write(
            f"rdimport: rdimport is not completely installed ({error}). Install it again.\n"
            "rdimport: a instalação do rdimport está incompleta. Instale-o novamente.\n"
        )
        return 2
    return command()


if __name__ == "__main__":
    sys.exit(main())
