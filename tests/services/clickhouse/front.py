"""A thin HTTP interface before chDB, as far as clickhouse-connect and this project speak it.

No ClickHouse server can be installed from package registries; its engine can. Each request gets a handle of its own on
the one engine of this process, so that nothing of it is left for the next. Not there: sessions, progress, external
tables, client_protocol_version, and whatever needs Keeper: on the cluster `own`, of one shard, statements lose what
they say of replicas. Source: "HTTP interface", ClickHouse documentation.

`python -m tests.services.clickhouse.front OPTIONS`, the options as JSON.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import ssl
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit
from xml.sax.saxutils import escape

import chdb

_connect: Any = chdb.connect

_LOCK_SECONDS = 30.0
"""How long the folder of a killed process may still be locked."""

_CONFIGURATION = """\
<clickhouse>
  <users_config>{path}</users_config>
  <tcp_port>9000</tcp_port>
  <remote_servers><own><shard>
    <internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>9000</port></replica>
  </shard></own></remote_servers>
  <profiles><default>{profile}</default></profiles>
  <quotas><default/></quotas>
  <roles>
    <owner><grants>{grants}</grants></owner>
    <reader><grants><query>GRANT SELECT ON dynalens*.*</query></grants></reader>
  </roles>
  <users><default>
    <no_password/><profile>default</profile><networks><ip>::/0</ip></networks>
    <grants><query>GRANT owner, reader</query></grants>
    <databases>{filters}</databases>
  </default></users>
</clickhouse>
"""

_NO_SETTINGS = {
    "query", "database", "query_id", "role", "default_format", "wait_end_of_query", "client_protocol_version",
    "send_progress_in_http_headers", "http_headers_progress_interval_ms", "enable_http_compression",
}  # fmt: skip
"""Parameters of the interface itself, and settings of its own transport."""

# A cluster of one shard, `own`: its Distributed tables are real, its Keeper is not there.
_REPLICATION = (
    (re.compile(rb" ON CLUSTER `own`"), b""),
    (re.compile(rb"ReplicatedReplacingMergeTree\('[^']*', '[^']*'(?:, )?"), b"ReplacingMergeTree("),
    (re.compile(rb"^(DROP TABLE .*) SYNC$"), rb"\1"),
    (re.compile(rb"^SYSTEM SYNC REPLICA .*$"), b"SELECT 1"),
)

_INSERT = re.compile(rb"\s*INSERT\s+INTO\s+.+?\sFORMAT\s+(\w+)[ \t]*(?:\n|$)", re.IGNORECASE | re.DOTALL)
_CODE = re.compile(r"Code: (\d+)\.")
_STATUSES = {60: 404, 81: 404, 497: 403, 164: 403, 516: 403, 62: 400, 47: 404}


@dataclass(frozen=True, slots=True)
class Options:
    """How the server is started.

    Attributes:
        folder: Where it keeps its data.
        port: The port of loopback on which it listens.
        user: Who may log in.
        password: With which password.
        profile: Settings of that user's profile.
        grants: What that user may do beside reading views.
        filters: Conditions on rows, by view: `dynalens.donations`.
        certificate: A file of certificate and key: then it speaks TLS.
    """

    folder: str
    port: int
    user: str = "dynalens"
    password: str = "secret-of-tests"
    profile: Mapping[str, str] = field(default_factory=dict)
    grants: Sequence[str] = ("GRANT ALL ON *.*",)
    filters: Mapping[str, str] = field(default_factory=dict)
    certificate: str = ""

    def text(self) -> str:
        """Give them as the front takes them."""
        return json.dumps(asdict(self))


class Front(ThreadingHTTPServer):
    """One engine, served."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, options: Options) -> None:
        self.login = "Basic " + base64.b64encode(f"{options.user}:{options.password}".encode()).decode()
        self.address = _address(options)
        # Keeps the engine running.
        self.keeper = _connected(self.address)
        self.uploads = tempfile.mkdtemp(dir=options.folder)
        super().__init__(("127.0.0.1", options.port), _Handler)
        if options.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(options.certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has them
        """Keep quiet about clients that hang up; print everything else."""
        if not isinstance(sys.exception(), (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)

    def run(self, statement: bytes, given: Mapping[str, str]) -> tuple[bytes, dict[str, str]]:
        """Run one statement as a request's parameters say; give its answer and summary."""
        for replicated, alone in _REPLICATION:
            statement = replicated.sub(alone, statement)
        connection = _connect(self.address)
        try:
            for setting in _settings(given):
                connection.query(setting, "TabSeparated")
            parameters = {name.removeprefix("param_"): value for name, value in given.items() if name[:6] == "param_"}
            format_ = given.get("default_format", "TabSeparated")
            insert = _INSERT.match(statement)
            if insert is None:
                result = connection.query(statement.decode(), format_, params=parameters)
            else:
                result = self._insert(connection, insert[0].decode(), statement[insert.end() :])
            summary = {"read_rows": str(result.rows_read()), "written_rows": str(result.rows_written())}
            return bytes(result.bytes() or b""), summary
        finally:
            connection.close()

    def _insert(self, connection: Any, statement: str, data: bytes) -> Any:  # noqa: ANN401 - chDB has no types
        path = Path(self.uploads) / uuid.uuid4().hex
        path.write_bytes(data)
        into, _, format_ = statement.strip().rpartition("FORMAT")
        try:
            infile = f"{into} FROM INFILE '{path}' COMPRESSION 'none' FORMAT {format_}"
            return connection.query(infile, "TabSeparated")
        finally:
            path.unlink()


def _settings(given: Mapping[str, str]) -> list[str]:
    """Give the statements that come before a request's own; read-only last, since it forbids the others."""
    names = [name for name in given if name not in _NO_SETTINGS and not name.startswith("param_")]
    statements = [f"SET {name} = {_literal(given[name])}" for name in sorted(names, key="readonly".__eq__)]
    switches = [f"USE `{given['database']}`"] if "database" in given else []
    switches += [f"SET ROLE {given['role']}"] if "role" in given else []
    at = len(statements) - ("readonly" in names)
    return [*statements[:at], *switches, *statements[at:]]


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class _Handler(BaseHTTPRequestHandler):
    server: Front
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            # Cut off: what came is no whole request.
            self.close_connection = True
            return
        self._answer(body)

    def _answer(self, body: bytes) -> None:
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        if urlsplit(self.path).path == "/ping":
            self._send(200, b"Ok.\n")
        elif self.headers.get("Authorization") != self.server.login:
            self._refuse(
                "Code: 516. DB::Exception: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)"
            )
        elif "session_id" in given:
            self._refuse("Code: 48. DB::Exception: This front has no sessions. (NOT_IMPLEMENTED)")
        else:
            body, fields = self._parts(body)
            given |= fields
            self._run(b"\n".join(filter(None, (given.get("query", "").encode(), body))), given)

    def _run(self, statement: bytes, given: Mapping[str, str]) -> None:
        try:
            answer, summary = self.server.run(statement, given)
        except Exception as error:  # noqa: BLE001 - whatever the engine says is the answer
            self._refuse(str(error))
            return
        headers = {"X-ClickHouse-Summary": json.dumps(summary), "X-ClickHouse-Query-Id": given.get("query_id", "")}
        if answer:
            headers["X-ClickHouse-Format"] = "TabSeparated"
        if given.get("enable_http_compression") == "1" and "gzip" in self.headers.get("Accept-Encoding", ""):
            answer = gzip.compress(answer)
            headers["Content-Encoding"] = "gzip"
        self._send(200, answer, headers)

    def _parts(self, body: bytes) -> tuple[bytes, dict[str, str]]:
        """Read a body: the fields of a form, or the text and data of a statement."""
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        kind = self.headers.get("Content-Type", "")
        if not kind.startswith("multipart/form-data"):
            return body, {}
        form = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        fields = {}
        for part in form.iter_parts():
            name = str(part.get_param("name", header="content-disposition"))
            fields[name] = bytes(part.get_payload(decode=True)).decode()
        return b"", fields

    def _refuse(self, message: str) -> None:
        found = _CODE.search(message)
        code = int(found[1]) if found else 1001
        self._send(_STATUSES.get(code, 500), message.encode(), {"X-ClickHouse-Exception-Code": str(code)})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        named = {"X-ClickHouse-Timezone": "UTC", "X-ClickHouse-Server-Display-Name": "front", **(headers or {})}
        for name, value in named.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def _address(options: Options) -> str:
    folder = Path(options.folder)
    configuration = folder / "engine.xml"
    profile = "".join(f"<{name}>{value}</{name}>" for name, value in options.profile.items())
    grants = "".join(f"<query>{escape(grant)}</query>" for grant in options.grants)
    filters = "".join(
        f"<{database}><{view}><filter>{escape(condition)}</filter></{view}></{database}>"
        for (database, view), condition in ((name.split("."), text) for name, text in options.filters.items())
    )
    text = _CONFIGURATION.format(path=configuration, profile=profile, grants=grants, filters=filters)
    configuration.write_text(text)
    return f"file:{folder / 'data'}?config-file={quote(str(configuration))}"


def _connected(address: str) -> Any:  # noqa: ANN401 - chDB has no types
    """Start the engine, once the process that was killed over its folder is gone."""
    give_up_at = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return _connect(address)
        except Exception as error:
            if "lock" not in str(error).lower() or time.monotonic() > give_up_at:
                raise
        threading.Event().wait(0.05)


if __name__ == "__main__":
    Front(Options(**json.loads(sys.argv[1]))).serve_forever()
