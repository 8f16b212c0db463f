"""The way to a cluster: its address, who we are there, and what its errors mean to a user."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import orjson
from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth
from opensearchpy.exceptions import ConnectionError as NoConnectionError
from opensearchpy.exceptions import ImproperlyConfigured, OpenSearchException, SSLError, TransportError
from opensearchpy.serializer import Serializer

from dynalens.aws import session_for
from dynalens.change import load_exact
from dynalens.errors import ConfigError, TargetError

# Whatever goes wrong is raised, in words of ours; the client would also log it, with the address asked.
logging.getLogger("opensearch").setLevel(logging.CRITICAL)

NO_INDEX = "index_not_found_exception"
SIGNED = "opensearch+sigv4"
SCHEMES = frozenset({"http", "https", SIGNED})
PARAMETERS = frozenset({"api_key", "ca", "region", "service"})

CONNECTIONS = 16
"""Requests at once: bulk bodies on their way, and searches."""
ANSWER_SECONDS = 60.0
"""A node that is this silent is taken for lost."""

_UNAUTHORIZED, _FORBIDDEN = 401, 403
_EXAMPLE = "Write https://USER:PASSWORD@HOST:9200, or opensearch+sigv4://HOST for a domain of AWS."


class ClusterError(TargetError):
    """The cluster answered with an error.

    Attributes:
        status: The HTTP status.
        type: Its name in the engine, such as `index_not_found_exception`; empty where it says none.
    """

    def __init__(self, message: str, *, hint: str = "", status: int, type_: str) -> None:
        """Keep what callers tell errors apart by."""
        super().__init__(message, hint=hint)
        self.status = status
        self.type = type_


@dataclass(frozen=True, slots=True)
class Address:
    """Where a cluster is and who we are there. Parts may be secret: only `name` may be shown.

    Attributes:
        host: Its name or number.
        port: 9200 unless the URL says otherwise; 443 where requests are signed.
        tls: Whether it is spoken to through TLS.
        user: User and password of HTTP Basic; None without.
        api_key: Key in Elasticsearch's form, base64 of `id:key`; empty without.
        authorities: File of the certificates that the server's is checked against; None: those of the system.
        region: AWS region of signed requests; empty for that of the environment.
        service: What signatures are for: `es`, or `aoss` for OpenSearch Serverless; empty where nothing is signed.
    """

    host: str
    port: int
    tls: bool
    user: tuple[str, str] | None = None
    api_key: str = ""
    authorities: Path | None = None
    region: str = ""
    service: str = ""

    @property
    def name(self) -> str:
        """How errors name it."""
        return f"{self.host}:{self.port}"


def read_address(url: str, *, folder: Path) -> Address:
    """Read the URL of `targets.search`: `http(s)://USER:PASSWORD@HOST:PORT` or `opensearch+sigv4://HOST`.

    Parameters behind `?`: `api_key`, `ca` (a file, relative to `folder`); of signed requests `region` and `service`.

    Raises:
        ConfigError: It is none; the message shows nothing of its secrets.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError("targets.search: the URL cannot be read.", hint=_EXAMPLE) from None
    given = dict(parse_qsl(parts.query))
    unknown = sorted(given.keys() - PARAMETERS)
    if unknown:
        raise ConfigError(
            f"targets.search: the URL has the unknown parameter {unknown[0]!r:.50}.",
            hint=f"There are: {', '.join(sorted(PARAMETERS))}.",
        )
    if parts.scheme not in SCHEMES or not parts.hostname or parts.path.strip("/"):
        raise ConfigError("targets.search: the URL names no cluster.", hint=_EXAMPLE)
    signed = parts.scheme == SIGNED
    return Address(
        host=parts.hostname,
        port=port or (443 if signed else 9200),
        tls=parts.scheme != "http",
        user=_user(parts),
        api_key=given.get("api_key", ""),
        authorities=folder / given["ca"] if "ca" in given else None,
        region=given.get("region", ""),
        service=given.get("service", "es") if signed else "",
    )


def _user(parts: SplitResult) -> tuple[str, str] | None:
    return (unquote(parts.username), unquote(parts.password or "")) if parts.username else None


class _Unread(Serializer):
    """Leaves bodies as they are: what is sent is rendered already, and answers are read so that every digit stays."""

    mimetype = "application/json"

    def dumps(self, data: Any) -> Any:  # noqa: ANN401 - the package's own signature
        return data

    def loads(self, data: Any) -> Any:  # noqa: ANN401 - the package's own signature
        return data


class Connection:
    """Requests to one cluster, from any thread. It never tries again: whoever asks knows whether that is safe.

    Args:
        address: Where it is. Opening does not ask it yet.

    Raises:
        ConfigError: The file of certificates cannot be read.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        try:
            self._client = OpenSearch(
                hosts=[{"host": address.host, "port": address.port, "use_ssl": address.tls}],
                http_auth=_signer(address) if address.service else address.user,
                headers={"authorization": f"ApiKey {address.api_key}"} if address.api_key else None,
                use_ssl=address.tls,
                verify_certs=address.tls,
                ca_certs=str(address.authorities) if address.authorities else None,
                http_compress=True,
                pool_maxsize=CONNECTIONS,
                timeout=ANSWER_SECONDS,
                max_retries=0,
                serializer=_Unread(),
            )
        except (ImproperlyConfigured, OSError) as error:
            raise ConfigError(
                f"targets.search: the connection cannot be set up: {error}.",
                hint="Check that the file that `ca` names holds certificates in PEM form.",
            ) from error

    def close(self) -> None:
        """Close what is open."""
        self._client.close()

    @cached_property
    def is_elasticsearch(self) -> bool:
        """Whether the engine is Elasticsearch; OpenSearch names itself in `version.distribution`."""
        version = self.request("GET", "/").get("version", {})
        return bool(version.get("distribution") != "opensearch")

    def request(self, method: str, path: str, body: object | bytes | None = None, **params: str) -> Any:  # noqa: ANN401 - any JSON value
        """Send one request, and give the answer with each number as a `NumberText`; None for an empty one.

        Args:
            method: The HTTP method.
            path: Quoted (`quoted`), from the root.
            body: JSON to write, or bytes that are.
            **params: Parameters of the URL.

        Raises:
            ClusterError: It answered with an error.
            TargetError: It did not answer.
        """
        rendered = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        answer = self.send(method, path, rendered, params)
        return load_exact(answer.encode()) if answer else None

    def send(self, method: str, path: str, body: bytes = b"", params: Mapping[str, str] | None = None) -> str:
        """Send one request, and give the answer as it is. Raises what `request` raises."""
        headers = {"content-type": "application/x-ndjson" if path.endswith("_bulk") else "application/json"}
        try:
            # A timeout among the parameters would be taken for the client's own.
            answer = self._client.transport.perform_request(
                method, path, params=dict(params or {}), body=body or None, headers=headers if body else None
            )
        except TransportError as error:
            raise self._translated(error) from error
        except OpenSearchException as error:
            raise self._unreachable(str(error)) from error
        return str(answer or "") if not isinstance(answer, bool) else ""

    def create_index(self, name: str, body: object) -> bool:
        """Make an index; say whether it was made now, and was not there before. Raises what `request` raises."""
        try:
            self.request("PUT", quoted(name), body)
        except ClusterError as error:
            if error.type != "resource_already_exists_exception":
                raise
            return False
        return True

    def _translated(self, error: TransportError) -> TargetError:
        if isinstance(error, NoConnectionError):
            return self._unreachable(_said(error), is_tls=isinstance(error, SSLError))
        status, type_ = int(error.status_code), str(error.error)
        if status in {_UNAUTHORIZED, _FORBIDDEN}:
            hint = "Check user, key or role under targets.search; docs/opensearch.md lists what the role must allow."
        else:
            hint = ""
        reason = _reason(error.info) or type_
        return ClusterError(
            f"The search cluster {self.address.name} refused: {reason:.500} (HTTP {status}).",
            hint=hint,
            status=status,
            type_=type_,
        )

    def _unreachable(self, said: str, *, is_tls: bool = False) -> TargetError:
        hint = (
            "Name the file of its authority's certificate: targets.search: https://HOST:9200?ca=authority.pem."
            if is_tls
            else "Check that it runs, and the address under targets.search."
        )
        return TargetError(f"The search cluster {self.address.name} does not answer: {said:.300}.", hint=hint)


def quoted(*parts: str) -> str:
    """Make a path of names: `quoted("donations@1", "_doc", "a/b")` is `/donations%401/_doc/a%2Fb`."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _signer(address: Address) -> Urllib3AWSV4SignerAuth:
    session = session_for(address.region or None, [])
    credentials, region = session.get_credentials(), address.region or session.region_name
    if credentials is None or not region:
        raise ConfigError(
            "targets.search: requests cannot be signed: there are no AWS credentials, or no region.",
            hint="Set up AWS as for the tables, or write opensearch+sigv4://HOST?region=eu-west-1.",
        )
    # The signer asks the credentials anew for each request: they refresh themselves.
    return Urllib3AWSV4SignerAuth(credentials, region, address.service)


def _said(error: TransportError) -> str:
    return str(error.info or error.error)


def _reason(info: object) -> str:
    """Give the sentence in which the engine says what is wrong, its cause behind it."""
    told = info.get("error", info) if isinstance(info, dict) else info
    if not isinstance(told, dict):
        return str(told or "")
    causes = told.get("failed_shards") or [{}]
    cause = told.get("caused_by") or causes[0].get("reason") or {}
    sentences = [str(one["reason"]) for one in (told, cause) if isinstance(one, dict) and one.get("reason")]
    return ": ".join(dict.fromkeys(sentences))
