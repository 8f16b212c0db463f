"""The command line: `dynalens`."""

from dynalens.cli.app import app, main

__all__ = ["app", "main"]
