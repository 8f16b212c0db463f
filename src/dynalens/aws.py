"""Sessions with AWS and what fails in them, for whoever calls it: the source, and the store of positions."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config as ClientConfig
from botocore.exceptions import (
    ChecksumError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as HTTPConnectionError
from botocore.parsers import ResponseParserError

CONNECT_SECONDS = 5.0

NETWORK_ERRORS = (HTTPClientError, HTTPConnectionError, ChecksumError, ResponseParserError)
"""The connection broke, or what came over it is no answer."""

CREDENTIAL_ERRORS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    SSOError,
)

CREDENTIALS_HINT = (
    "Configure or renew AWS credentials: environment variables, ~/.aws, aws sso login, or the role of the task or "
    "instance. An emulator takes any: export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local"
)


def client_options(*, connections: int, read_seconds: float) -> ClientConfig:
    """Give the options of a client: one attempt for each call, since `dynalens.retry` is what tries again.

    Args:
        connections: Connections kept open: one for each thread that calls, so that none is opened anew for a call.
        read_seconds: Longest silence in an answer.
    """
    return ClientConfig(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        max_pool_connections=connections,
        tcp_keepalive=True,
        # Named, so that AWS_RETRY_MODE cannot bring adaptive mode's own waiting back in.
        retries={"mode": "standard", "total_max_attempts": 1},
    )


def session_for(region: str | None, endpoints: Sequence[str | None]) -> boto3.Session:
    """Give a session for a service at its own address, or at the endpoints of an emulator.

    Args:
        region: The region; None takes that of the environment.
        endpoints: The addresses that it is for, the service's own first; None stands for AWS itself.
    """
    core = botocore.session.Session()
    emulator = _on_loopback(endpoints)
    if emulator:
        # Only the metadata service is left out: no instance role is meant for an emulator, and asking takes seconds.
        core.get_component("credential_provider").remove("iam-role")
    session = boto3.Session(botocore_session=core, region_name=region)
    if not emulator or (session.get_credentials() and session.region_name):
        return session
    # Requests must be signed with something, and what listens on loopback cannot check the signature: no emulator
    # knows any account. So DynamoDB Local works on a machine that never saw AWS. Everywhere else credentials are
    # the user's alone.
    found = session.get_credentials()
    return boto3.Session(
        botocore_session=core,
        region_name=session.region_name or "us-east-1",
        **({} if found else {"aws_access_key_id": "local", "aws_secret_access_key": "local"}),
    )


def said_by(error: Exception) -> str:
    """Give what an error says, to be followed by a full stop."""
    return str(error).rstrip(".")


def _on_loopback(endpoints: Sequence[str | None]) -> bool:
    return endpoints[0] is not None and all(_is_loopback(url) for url in endpoints if url)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
