"""`python -m rdimport` is the command `rdimport`.

Python then puts the current folder first on its path, where a `json.py` may lie that came out of a
stranger's archive. The folder is taken off before anything can be imported from it.
"""

from __future__ import annotations

import os  # of these two Python has its own copies already: pathlib would come from the folder
import sys

_OURS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120
if not sys.flags.safe_path and os.path.realpath(sys.path[0]) != _OURS:
    del sys.path[0]

from rdimport.cli import main  # noqa: E402

sys.exit(main())
