"""OpenSearch nodes that a test may kill, pause and start again over the same data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import httpx2

from tests.services.opensearch.installation import installed
from tests.services.process import ServerProcess, free_port

QUICK_START = ("-XX:TieredStopAtLevel=1",)
"""Stopping at the first compiler starts in 3 s instead of 4.5."""

JAVA_OPTIONS = (
    "-Xms512m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "-Dlog4j2.level=INFO",
    # Both keep warnings away: about native code, and about vectors that are not fast.
    "--enable-native-access=ALL-UNNAMED",
    "--add-modules=jdk.incubator.vector",
)

SETTINGS = {
    "network.host": "127.0.0.1",
    # A disk that others have filled makes indices read-only.
    "cluster.routing.allocation.disk.threshold_enabled": False,
}

ALONE = {"discovery.type": "single-node", "transport.port": 0}


class OpenSearchServer:
    """One node on a free loopback port, alive inside its `with` block.

    Args:
        folder: Takes the data, the settings, the log and the temporary files.
        settings: Settings of the node beside ours, by their full names, such as `thread_pool.write.queue_size`.
        discovery: How the node finds others; by default it is alone.
        java_options: A benchmark passes `()`, so that the second compiler may do its work.

    Raises:
        ServiceMissingError: It is not installed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, object] | None = None,
        discovery: Mapping[str, object] = ALONE,
        java_options: Sequence[str] = QUICK_START,
    ) -> None:
        self._installation = installed()
        self._folder = folder
        self._java_options = java_options
        self.port = free_port()
        self._settings = {**SETTINGS, **discovery, "http.port": self.port, **(settings or {})}
        self.url = f"http://127.0.0.1:{self.port}"
        self._client = httpx2.Client(base_url=self.url, timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def version(self) -> str:
        """Its release: `3.8.0`, or `2.19.1` where there is no Java of 21 or newer."""
        return self._installation.release.version

    def client(self) -> httpx2.Client:
        """Give the server's client, whose paths start at the server's root; it is closed with the server."""
        return self._client

    def start(self) -> None:
        """Start over the data that is in the folder, and wait until every primary shard is there."""
        self.launch()
        self.wait_until_healthy()

    def launch(self) -> None:
        """Start the process alone: nodes that need each other are launched first, and then waited for."""
        config = self._folder / "config"
        config.mkdir(exist_ok=True, parents=True)
        # JSON is YAML.
        (config / "opensearch.yml").write_text(json.dumps(self._settings))
        self._process = ServerProcess(self._command(), cwd=self._folder, log=self._folder / "opensearch.log")

    def wait_until_healthy(self, *, nodes: int = 1, status: Literal["yellow", "green"] = "yellow") -> None:
        """Wait until the node answers with at least so many nodes in its cluster, and every primary shard is there.

        Args:
            nodes: How many.
            status: `green`: every replica is there, too.
        """
        asked = {"wait_for_status": status, "wait_for_nodes": f">={nodes}", "timeout": "1s"}
        self._process.wait_until(
            lambda: self._client.get("/_cluster/health", params=asked).is_success,
            ignoring=httpx2.TransportError,
            timeout=120,
        )

    def kill(self) -> None:
        """Kill the node with SIGKILL; what it acknowledged is on the disk."""
        self._process.kill()

    def terminate(self) -> None:
        """Have the node close itself, and wait until it has."""
        self._process.terminate()

    def pause(self) -> None:
        """Stop the node where it is: connections stay open, and nobody answers."""
        self._process.pause()

    def resume(self) -> None:
        """Let a paused node go on."""
        self._process.resume()

    def restore(self) -> None:
        """Let the node answer again, whatever a test did to it, and forget all that tests wrote."""
        self.resume()
        if not self._process.is_running():
            self.launch()
        self.wait_until_healthy()
        self.erase()

    def erase(self) -> None:
        """Delete every index, template and changed setting of the cluster."""
        unset = {"persistent": {"*": None}, "transient": {"*": None}}
        self._client.put("/_cluster/settings", json=unset).raise_for_status()
        self._client.delete("/*", params={"expand_wildcards": "all"}).raise_for_status()
        for kind in ("index_template", "component_template"):
            self._client.delete(f"/_{kind}/*").raise_for_status()

    def _command(self) -> list[str | Path]:
        options = [*JAVA_OPTIONS, *self._java_options, f"-Djava.io.tmpdir={self._folder}"]
        return [
            self._installation.java,
            *options,
            "-cp",
            self._installation.class_path,
            "SearchNode",
            self._folder,
        ]


class OpenSearchCluster:
    """Two nodes with one of them, `n1`, as the manager: `n2` may be lost, and the cluster goes on.

    Args:
        folder: Takes a folder for each node.

    Raises:
        ServiceMissingError: It is not installed.
    """

    def __init__(self, folder: Path) -> None:
        ports = free_port(), free_port()
        seeds = [f"127.0.0.1:{port}" for port in ports]

        def node(name: str, port: int, roles: list[str]) -> OpenSearchServer:
            discovery = {
                "node.name": name,
                "node.roles": roles,
                "transport.port": port,
                "discovery.seed_hosts": seeds,
                "cluster.initial_cluster_manager_nodes": ["n1"],
            }
            return OpenSearchServer(folder / name, discovery=discovery)

        self.n1 = node("n1", ports[0], ["cluster_manager", "data"])
        self.n2 = node("n2", ports[1], ["data"])

    def __enter__(self) -> Self:
        with ExitStack() as running:
            for node in (self.n1, self.n2):
                node.launch()
                running.push(node)
            for node in (self.n1, self.n2):
                node.wait_until_healthy(nodes=2)
            self._running = running.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()
