"""Which OpenSearch a machine gets for tests, by the Java that it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.missing import ServiceMissingError
from tests.services.opensearch import installation
from tests.services.opensearch.installation import RELEASES, JarsChangedError

AddJdk = Callable[[str], Path]

NEWEST = RELEASES[0]


@pytest.fixture
def add_jdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AddJdk:
    """Put a JDK with this `JAVA_VERSION` on the machine, which has no other."""
    homes: list[Path] = []
    monkeypatch.setattr(installation, "_jdk_homes", lambda: homes)
    monkeypatch.delenv("OPENSEARCH_VERSION", raising=False)

    def add(version: str) -> Path:
        home = tmp_path / f"jdk-{version}"
        (home / "bin").mkdir(parents=True)
        (home / "bin" / "javac").touch()
        (home / "release").write_text(f'IMPLEMENTOR="Debian"\nJAVA_VERSION="{version}"\n')
        homes.append(home)
        return home

    return add


@pytest.mark.parametrize(
    ("java", "opensearch"), [("25.0.3", "3.8.0"), ("21", "3.8.0"), ("20.0.1", "2.19.1"), ("17.0.15", "2.19.1")]
)
def test_the_newest_that_its_java_runs(add_jdk: AddJdk, java: str, opensearch: str) -> None:
    home = add_jdk(java)
    chosen = installation._for_this_machine()
    assert (chosen.release.version, chosen.jdk) == (opensearch, home)


def test_a_newer_java_counts_wherever_it_is(add_jdk: AddJdk) -> None:
    add_jdk("17.0.15")
    newer = add_jdk("25.0.3")
    chosen = installation._for_this_machine()
    assert (chosen.release, chosen.jdk) == (NEWEST, newer)


def test_one_that_is_asked_for(add_jdk: AddJdk, monkeypatch: pytest.MonkeyPatch) -> None:
    add_jdk("25.0.3")
    monkeypatch.setenv("OPENSEARCH_VERSION", "2.19.1")
    assert installation._for_this_machine().release.version == "2.19.1"


def test_one_that_is_not_known(add_jdk: AddJdk, monkeypatch: pytest.MonkeyPatch) -> None:
    add_jdk("25.0.3")
    monkeypatch.setenv("OPENSEARCH_VERSION", "3.7.0")
    with pytest.raises(ValueError, match=r"must be 3\.8\.0 or 2\.19\.1, not '3\.7\.0'"):
        installation._for_this_machine()


@pytest.mark.parametrize("java", ["1.8.0_412", "11.0.2"])
def test_an_old_java_is_as_good_as_none(add_jdk: AddJdk, java: str) -> None:
    add_jdk(java)
    with pytest.raises(ServiceMissingError, match=r"Java 17 or newer.*install"):
        installation._for_this_machine()


def test_a_runtime_that_cannot_compile_is_passed_over(add_jdk: AddJdk) -> None:
    (add_jdk("25.0.3") / "bin" / "javac").unlink()
    with pytest.raises(ServiceMissingError):
        installation._for_this_machine()


def test_what_was_not_installed_names_the_command(
    add_jdk: AddJdk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_jdk("25.0.3")
    monkeypatch.setattr(installation, "SERVICES", tmp_path)
    with pytest.raises(ServiceMissingError, match=r"OpenSearch 3\.8\.0.*make services"):
        installation.installed()


@pytest.mark.parametrize("change", [lambda jar: jar.write_bytes(b"another"), Path.unlink], ids=["changed", "missing"])
def test_a_jar_that_was_not_locked_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    monkeypatch.setattr(installation, "SOURCES", tmp_path)
    jar = tmp_path / "opensearch.jar"
    jar.write_bytes(b"as it was locked")
    NEWEST.sums.write_text(installation._sums(tmp_path))
    installation._check(NEWEST, tmp_path)

    change(jar)
    with pytest.raises(JarsChangedError, match=r"opensearch\.jar"):
        installation._check(NEWEST, tmp_path)
