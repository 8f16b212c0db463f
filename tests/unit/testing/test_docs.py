"""The page on testing: every example of it runs, over the real pipeline."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import pytest

from dynalens.config import CollectionConfig, SourceConfig
from dynalens.position.sqlite import SqliteStore
from dynalens.runtime.table import TableWorker
from dynalens.source.aws import Aws
from dynalens.testing.memory import MemoryTarget
from tests.pipelines import parts

PAGE = Path(__file__).parents[3] / "docs" / "testing.md"


class Copy:
    """What the page's replicator gives."""

    def __init__(self, target: MemoryTarget) -> None:
        self._target = target

    def documents(self) -> Mapping[str, bytes]:
        return self._target.documents("donations")


@contextmanager
def replicator(endpoint_url: str, table: str) -> Iterator[Copy]:
    config = SourceConfig(endpoint_url=endpoint_url)
    target = MemoryTarget("search")
    with (
        TemporaryDirectory() as folder,
        closing(SqliteStore(Path(folder) / "state.db")) as store,
        closing(Aws(config)) as aws,
    ):
        worker = TableWorker(table, {"donations": CollectionConfig(table=table)}, parts(aws, target, store))
        worker.start()
        yield Copy(target)
        worker.stop(1.0)
        assert worker.join(10.0)


def examples() -> dict[str, Callable[[], None]]:
    """Read the page's tests. Its blocks share their names, as the parts of one file would."""
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    return {name: test for name, test in names.items() if name.startswith("test_")}


@pytest.fixture
def _my_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("my_pipeline")
    module.Replicator = replicator  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_pipeline", module)


@pytest.mark.usefixtures("_my_pipeline")
@pytest.mark.parametrize("name", re.findall(r"^def (test_\w+)", PAGE.read_text(), re.MULTILINE))
def test_an_example_runs(name: str) -> None:
    examples()[name]()
