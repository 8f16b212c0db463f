"""The architecture as a table: which module of the package may import which, and what no module may be called.

To add a module, give it a row. To widen a row, write down why in docs/adr/.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "dynalens"

FOUNDATION = {"errors", "clock", "failpoint", "change", "partition", "retry", "aws", "config"}
STORES = FOUNDATION | {"position", "dead_letter", "report", "request", "status"}

# Lowest first. A module may import those in its row and nothing else of the package.
MAY_IMPORT: dict[str, set[str]] = {
    # What everything speaks of.
    "errors": set(),
    "clock": set(),
    "failpoint": set(),
    "change": {"errors"},
    "partition": {"errors"},
    "retry": {"errors"},
    "aws": {"errors"},
    "config": {"errors", "retry"},
    # What can be asked of a search target, whatever the dialect and the engine; `change` reads documents exactly.
    "search": {"errors", "change"},
    # Each of these stands alone on the foundation: a source knows no target, a target no position store, and the
    # transform is pure. `partition` carries the plain Position that they share. What stores positions also stores
    # dead letters, reports and requests, in the same place.
    "dead_letter": FOUNDATION,
    "report": FOUNDATION,
    "request": FOUNDATION,
    "position": FOUNDATION | {"dead_letter", "report", "request"},
    "source": FOUNDATION,
    "transform": {"errors", "change", "config"},
    # From sampled items to a described configuration. Pure, too: it asks nobody and writes nothing.
    "inference": {"change", "config"},
    "target": FOUNDATION | {"search"},
    # What a worker's reports and the stores together say of each collection.
    "status": FOUNDATION | {"position", "report"},
    # Compares a target with its table; who runs it, and when, is the pipeline's.
    "verification": FOUNDATION | {"source", "transform", "target"},
    # Where they meet.
    "backfill": STORES | {"source", "transform", "target"},
    # What a worker that starts would do, for whoever asks before; it touches neither sources nor targets.
    "plan": STORES | {"target", "backfill"},
    "pipeline": STORES | {"source", "transform", "target", "verification", "backfill"},
    # Reads what was written; never touches a source or the pipeline.
    "server": STORES - {"failpoint", "retry"} | {"search", "target"},
    # Puts the parts together: `up` runs worker and server in one process.
    "runtime": STORES | {"source", "transform", "target", "verification", "pipeline", "backfill", "server"},
    # What users test their own pipelines with.
    "testing": STORES | {"source", "transform", "target", "pipeline"},
    # Emulator, made-up data, and the runtime in a process of its own: what `dynalens demo` shows.
    "demo": {"errors", "config", "target", "runtime"},
    # The only place that knows everything.
    "cli": STORES
    | {"source", "transform", "inference", "target", "pipeline", "backfill", "plan", "runtime", "server"}
    | {"testing", "demo"},
    "__main__": {"cli"},
    # The package itself carries the version and stays free to import.
    "__init__": set(),
}

# A module is named after what it is about, not after being useful.
NAMES_THAT_SAY_NOTHING = {"common", "helper", "helpers", "misc", "util", "utils"}

LONGEST_FILE = 600


def test_imports_run_one_way() -> None:
    assert list(forbidden_imports(PACKAGE)) == []


def test_every_module_has_a_row() -> None:
    assert {module_of(path, PACKAGE) for path in PACKAGE.rglob("*.py")} - set(MAY_IMPORT) == set()


def test_every_module_is_named_after_what_it_is_about() -> None:
    assert list(names_that_say_nothing(PACKAGE)) == []


def test_every_file_can_be_held_in_the_head() -> None:
    lengths = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {str(path): length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def test_the_table_itself_runs_one_way() -> None:
    below: set[str] = set()
    for module, imported in MAY_IMPORT.items():
        assert imported <= below, f"{module} imports what stands below it in the table"
        below.add(module)


@pytest.mark.parametrize(
    ("file", "line", "found"),
    [
        ("server/routes.py", "from dynalens.pipeline import Pipeline", "server imports pipeline"),
        ("server/routes.py", "from dynalens.pipeline import Pipeline, Table", "server imports pipeline"),
        ("server/routes.py", "from dynalens import pipeline", "server imports pipeline"),
        ("server/routes.py", "from .. import pipeline", "server imports pipeline"),
        ("server/routes.py", "from ..source.streams import Poller", "server imports source"),
        ("target/sql/rows.py", "import dynalens.position", "target imports position"),
        ("target/sql/rows.py", "def late():\n    from dynalens.position import Store", "target imports position"),
        ("transform.py", "from dynalens.target import Row", "transform imports target"),
        ("transform.py", "from .target import Row", "transform imports target"),
        ("__init__.py", "from .cli import main", "__init__ imports cli"),
        ("change.py", "from dynalens.newcomer import thing", "change imports newcomer"),
        ("newcomer.py", "from dynalens.errors import DynalensError", "newcomer imports errors"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path: Path, file: str, line: str, found: str) -> None:
    write(tmp_path / file, line)
    [finding] = forbidden_imports(tmp_path)
    assert finding.startswith(f"{file}:")
    assert finding.endswith(found)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("server/routes.py", "from dynalens.target.sql import Engine"),
        ("server/routes.py", "from . import live"),
        ("server/__init__.py", "from .app import create"),
        ("target/sql/rows.py", "from ..search import Row"),
        ("target/sql/rows.py", "from dynalens import __version__"),
        ("cli.py", "import dynalens"),
        ("change.py", "import json\nfrom collections.abc import Mapping"),
    ],
)
def test_an_allowed_import_is_not_found(tmp_path: Path, file: str, line: str) -> None:
    write(tmp_path / file, line)
    assert list(forbidden_imports(tmp_path)) == []


def test_a_name_that_says_nothing_is_found(tmp_path: Path) -> None:
    for name in ("utils.py", "target/helpers/__init__.py", "target/sql/common.py", "target/sql/rows.py"):
        write(tmp_path / name, "")
    assert sorted(names_that_say_nothing(tmp_path)) == ["target/helpers", "target/sql/common.py", "utils.py"]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def forbidden_imports(package: Path) -> Iterator[str]:
    for path in sorted(package.rglob("*.py")):
        module = module_of(path, package)
        allowed = MAY_IMPORT.get(module, set()) | {module, "__init__"}
        for line, imported in imports_of(path, package):
            if imported not in allowed:
                yield f"{path.relative_to(package)}:{line}: {module} imports {imported}"


def module_of(path: Path, package: Path) -> str:
    """Name the row a file belongs to: `target` for `target/sql/rows.py`."""
    return path.relative_to(package).parts[0].removesuffix(".py")


def imports_of(path: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Give line and row of each import of the package, wherever it stands: in functions and under conditions too."""
    inside = ["dynalens", *path.relative_to(package).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(), path)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = inside[: len(inside) - node.level + 1] if node.level else []
            origin = ".".join([*base, *filter(None, [node.module])])
            targets = [f"{origin}.{alias.name}" for alias in node.names]
        else:
            continue
        for row in sorted({row_of(target) for target in targets if target.split(".")[0] == "dynalens"}):
            yield node.lineno, row


def row_of(imported: str) -> str:
    """Name the row of a dotted name; `dynalens` and its dunder attributes are the package itself."""
    _, _, inner = imported.partition(".")
    first = inner.split(".")[0]
    return "__init__" if not first or first.startswith("__") else first


def names_that_say_nothing(package: Path) -> Iterator[str]:
    for path in package.rglob("*"):
        if path.stem in NAMES_THAT_SAY_NOTHING:
            yield str(path.relative_to(package))
