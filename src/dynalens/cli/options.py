"""Options that several commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dynalens.cli.client import Client
from dynalens.config import Config, ServerConfig, load, load_server

DEFAULT_FILE = Path("dynalens.yaml")

ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="The configuration file.")]
Url = Annotated[str | None, typer.Option(metavar="URL", help="Where Dynalens answers, if not where the file says.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]


def examples(*commands: str) -> str:
    """Give the end of a help text: commands to copy."""
    # A backspace keeps the lines apart.
    return "\n  ".join(["\b\nExample:", *commands])


def config_file(context: typer.Context, file: Path | None) -> Path:
    """Tell which file counts: the command's own `-c`, then that of `dynalens`, then `DYNALENS_CONFIG`."""
    return file or _named(context) or DEFAULT_FILE


def configuration(context: typer.Context, file: Path | None) -> Config:
    """Read the configuration.

    Raises:
        ConfigError: It has errors, or there is none.
    """
    return load(config_file(context, file))


def client(context: typer.Context, file: Path | None, url: str | None) -> Client:
    """Give a client of the server that was named, or that the file names.

    A file that nobody named may be missing: then the default address counts.

    Raises:
        ConfigError: The file's server section has errors.
        UsageError: The URL is none.
    """
    if url is not None:
        return Client(url)
    path = config_file(context, file)
    needed = file is not None or _named(context) is not None or path.exists()
    server = load_server(path) if needed else ServerConfig()
    host = f"[{server.host}]" if ":" in server.host else server.host
    return Client(f"http://{host}:{server.port}")


def _named(context: typer.Context) -> Path | None:
    named: Path | None = context.find_root().params["config"]
    return named
