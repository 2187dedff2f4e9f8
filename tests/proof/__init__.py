"""The proof of the promise: seeded runs against an endpoint that misbehaves, and a strict checker.

It shares no code with `rdimport.sandbox`, and reads the ledger with plain SQL, so that a mistake in
one of them cannot hide itself.
"""

import sys
from pathlib import Path

_TESTS = str(Path(__file__).parents[1])
if _TESTS not in sys.path:  # `python -m tests.proof` finds `support`, as pytest does
    sys.path.append(_TESTS)
