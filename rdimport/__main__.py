"""`python -m rdimport` is the command `rdimport`."""

from __future__ import annotations

import sys

from rdimport.cli import main

sys.exit(main())
