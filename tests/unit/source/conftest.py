"""A scripted table, clients for it, and an environment without anybody's AWS settings."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from dynalens.config import SourceConfig
from dynalens.source.aws import Aws
from dynalens.testing import ScriptedStreams
from dynalens.testing.wire import WireServer


@pytest.fixture(scope="package", autouse=True)
def no_aws_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hide the AWS settings of whoever runs the tests."""
    nowhere = tmp_path_factory.mktemp("aws") / "nothing"
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", str(nowhere))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere))
        yield


@pytest.fixture(scope="package")
def served() -> Iterator[tuple[WireServer, Aws]]:
    """One server and its clients for all tests, each with a script of its own: clients take long to make."""
    with ScriptedStreams() as front:
        config = SourceConfig(region="eu-west-1", endpoint_url=front.endpoint_url)
        with closing(Aws(config)) as aws:
            yield front._server, aws


@pytest.fixture
def streams(served: tuple[WireServer, Aws]) -> ScriptedStreams:
    server, aws = served
    streams = ScriptedStreams("Donations")
    streams.endpoint_url = str(aws.config.endpoint_url)
    server.script = streams
    return streams


@pytest.fixture
def aws(served: tuple[WireServer, Aws]) -> Aws:
    return served[1]


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()
