"""The HTTP server: what the targets and stores hold, over the routes of the HTTP API, v1.

It reads targets and stores only through their protocols, and never touches a source or the pipeline.
"""

from __future__ import annotations

from dynalens.server.app import create_app
from dynalens.server.backend import Backend
from dynalens.server.listener import Server, check_bind

__all__ = ["Backend", "Server", "check_bind", "create_app"]
