"""Which OpenSearch this machine can run, and how it is installed: `python -m tests.services.opensearch.installation`.

Maven fetches the jars that `pom.xml` names, from wherever its user's settings say. Their SHA-256 must be those of
`jars-VERSION.sha256`; with `lock` as an argument these files are written instead.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.services.missing import ServiceMissingError

SOURCES = Path(__file__).parent
SERVICES = Path(__file__).parents[3] / ".cache" / "services"

COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

WITHOUT_MAVEN = "apt-get install maven, or brew install maven; then: make services"
WITHOUT_JDK = "apt-get install default-jdk-headless, or brew install openjdk; then: make services"

JDK_HOMES = (
    "usr/lib/jvm/*",
    "Library/Java/JavaVirtualMachines/*/Contents/Home",
    "opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
)
"""Where Debian, Temurin and Homebrew put a JDK, under the root folder."""


@dataclass(frozen=True)
class Release:
    """A release of OpenSearch, and what runs it.

    Attributes:
        version: As in Maven's coordinates.
        log4j: The version of log4j that it was built with.
        java: The oldest Java that runs it; newer ones do, too.
    """

    version: str
    log4j: str
    java: int

    @property
    def sources(self) -> tuple[Path, Path]:
        generation = self.version.partition(".")[0]
        return SOURCES / "SearchNode.java", SOURCES / f"generation{generation}" / "Modules.java"

    @property
    def sums(self) -> Path:
        return SOURCES / f"jars-{self.version}.sha256"

    @property
    def folder(self) -> Path:
        """Where it is installed: elsewhere as soon as one of the files changes that it is made from."""
        made_from = [SOURCES / "pom.xml", *self.sources, self.sums]
        fingerprint = hashlib.sha256(b"".join(file.read_bytes() for file in made_from)).hexdigest()
        return SERVICES / f"opensearch-{self.version}-{fingerprint[:12]}"


RELEASES = (
    Release("3.8.0", log4j="2.25.4", java=21),
    Release("2.19.1", log4j="2.21.0", java=17),
)
"""The first for which there is a Java is taken; OPENSEARCH_VERSION in the environment asks for one of them."""


class JarsChangedError(Exception):
    """Maven fetched other files than those that were locked."""


@dataclass(frozen=True)
class Installation:
    """A release that is ready to run.

    Attributes:
        release: Which one.
        jdk: The home of the Java that runs it.
    """

    release: Release
    jdk: Path

    @property
    def java(self) -> Path:
        return self.jdk / "bin" / "java"

    @property
    def class_path(self) -> str:
        return f"{self.release.folder / 'classes'}{os.pathsep}{self.release.folder / 'jars'}/*"


def installed() -> Installation:
    """Give the OpenSearch of this machine.

    Raises:
        ServiceMissingError: It was not installed yet, or there is no JDK for it.
    """
    installation = _for_this_machine()
    if not installation.release.folder.exists():
        raise ServiceMissingError(f"OpenSearch {installation.release.version}", install="make services")
    return installation


def install() -> None:
    """Install what `installed` gives, unless it is there.

    Raises:
        ServiceMissingError: There is no JDK, or no Maven.
        JarsChangedError: A jar is not the one that was locked.
    """
    installation = _for_this_machine()
    release = installation.release
    if release.folder.exists():
        return
    partial = SERVICES / "opensearch.partial"
    shutil.rmtree(partial, ignore_errors=True)
    _fetch(release, partial / "jars")
    _check(release, partial / "jars")
    _compile(installation, partial)
    for outdated in SERVICES.glob(f"opensearch-{release.version}-*"):
        shutil.rmtree(outdated)
    partial.rename(release.folder)


def lock() -> None:
    """Write the sums of the jars that Maven fetches now.

    Raises:
        ServiceMissingError: There is no Maven.
    """
    for release in RELEASES:
        with tempfile.TemporaryDirectory() as folder:
            _fetch(release, Path(folder))
            release.sums.write_text(_sums(Path(folder)))


def _for_this_machine() -> Installation:
    releases = _releases()
    homes = [(home, version) for home in _jdk_homes() if (version := _java_version(home))]
    for release in releases:
        for home, version in homes:
            if version >= release.java:
                return Installation(release, home)
    oldest = min(release.java for release in releases)
    raise ServiceMissingError(f"A JDK of Java {oldest} or newer, for OpenSearch,", install=WITHOUT_JDK)


def _releases() -> list[Release]:
    wanted = os.environ.get("OPENSEARCH_VERSION")
    releases = [release for release in RELEASES if wanted in {None, "", release.version}]
    if not releases:
        versions = " or ".join(release.version for release in RELEASES)
        raise ValueError(f"OPENSEARCH_VERSION must be {versions}, not {wanted!r}")
    return releases


def _jdk_homes() -> Iterator[Path]:
    if named := os.environ.get("JAVA_HOME"):
        yield Path(named)
    for pattern in JDK_HOMES:
        yield from sorted(Path("/").glob(pattern))
    if on_path := shutil.which("javac"):
        yield Path(on_path).resolve().parents[1]


def _java_version(home: Path) -> int | None:
    """Give the Java of a JDK: 21. A runtime alone, which cannot compile, has none."""
    release = home / "release"
    if not (home / "bin" / "javac").exists() or not release.exists():
        return None
    found = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE)
    return int(found[1]) if found else None


def _fetch(release: Release, jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ServiceMissingError("Maven, which fetches OpenSearch,", install=WITHOUT_MAVEN)
    versions = [f"-Dopensearch.version={release.version}", f"-Dlog4j.version={release.log4j}"]
    target = ["-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
    quiet = ["--batch-mode", "--quiet"]
    subprocess.run([maven, *quiet, "--file", SOURCES / "pom.xml", *versions, *target, COPY_DEPENDENCIES], check=True)


def _check(release: Release, jars: Path) -> None:
    locked, fetched = (set(sums.splitlines()) for sums in (release.sums.read_text(), _sums(jars)))
    if locked != fetched:
        differences = "\n".join(sorted(locked ^ fetched, key=lambda line: line.split()[1]))
        raise JarsChangedError(f"the jars of OpenSearch are not those of {release.sums.name}:\n{differences}")


def _sums(jars: Path) -> str:
    """Give the sums of a folder as `sha256sum *.jar` prints them."""
    return "".join(
        f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n" for jar in sorted(jars.glob("*.jar"))
    )


def _compile(installation: Installation, folder: Path) -> None:
    release = installation.release
    compiler = installation.jdk / "bin" / "javac"
    options = ["-nowarn", "--release", str(release.java), "-cp", f"{folder / 'jars'}/*", "-d", str(folder / "classes")]
    subprocess.run([compiler, *options, *release.sources], check=True)


def main() -> None:
    """Install, or lock if asked to. Whoever has no Java or Maven is told, and has the tests skipped that need them."""
    try:
        if sys.argv[1:] == ["lock"]:
            lock()
        else:
            install()
    except ServiceMissingError as missing:
        sys.stderr.write(f"{missing}\n")


if __name__ == "__main__":
    main()
