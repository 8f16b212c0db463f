"""The OpenAPI document as a file, from which the console's types are made: `docs/openapi.json` is a copy of it.

python -m dynalens.server.openapi > docs/openapi.json
"""

from __future__ import annotations

import json
import sys

from dynalens import __version__
from dynalens.server.app import with_routes


def document() -> str:
    """Give the OpenAPI document, as `GET /openapi.json` does, indented."""
    return json.dumps(with_routes(__version__).openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
