"""`python -m dynalens`: the same as the command `dynalens`."""

from __future__ import annotations

import sys

from dynalens.cli import main

sys.exit(main())
