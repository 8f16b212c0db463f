"""A process that writes to the sql target until it is killed, or that kills itself at a named moment.

`python -m tests.integration.sql_writer FOLDER MODE`
"""

from __future__ import annotations

import base64
import itertools
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from dynalens.change import Typed
from dynalens.errors import TargetError
from dynalens.target import version
from dynalens.target.sql import SqlTarget, open_sql
from dynalens.target.sql.catalog import Catalog
from tests.contract.implementations import COLLECTIONS
from tests.contract.writing import FIRST, put

BATCH = 20


def attributes(step: int) -> dict[str, Typed]:
    """Attributes of one step: now and then a new one, and a number that has more digits than all before."""
    amount = "0." + "1" * (1 + step // 4)
    return {f"attribute {step // 3}": {"S": f"text {step}"}, "amount": {"N": amount[:40]}}


def open_target(folder: Path) -> SqlTarget:
    """Open the target with one served generation."""
    target = open_sql("chdb://./sql", folder=folder)
    target.create(FIRST, COLLECTIONS["donations"])
    target.serve(FIRST)
    return target


def write_on(folder: Path) -> None:
    """Apply one batch after the other; say after each that it was confirmed."""
    target = open_target(folder)
    for step in itertools.count():
        target.apply([put(f"{step}-{n}", version(1, step), n, attributes=attributes(step)) for n in range(BATCH)])
        print(step, flush=True)  # noqa: T201 - the parent reads it


def die_in(method: str) -> Callable[[Path], None]:
    """Write until `Catalog` is about to run a method for the second batch, and die there."""

    def write(folder: Path) -> None:
        target = open_target(folder)
        target.apply([put("before", version(1, 1), attributes={"amount": {"N": "1"}})])
        setattr(Catalog, method, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        widening: dict[str, Typed] = {"amount": {"N": "0.1234567890123"}, "new": {"S": "x"}}
        target.apply([put("after", version(1, 2), attributes=widening)])
        target.sweep(0.0)

    return write


def fill_the_disk(folder: Path) -> None:
    """Let no file grow past what the batch itself takes: the engine, which writes its columns too, gets no further."""
    target = open_target(folder)
    target.apply([put("small", version(1, 1))])
    texts = [base64.b64encode(os.urandom(150_000)).decode() for _ in range(4)]
    most = 20_000 + sum(map(len, texts))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    try:
        rejections = target.apply(
            [put(f"large-{n}", version(1, n), attributes={"text": {"S": text}}) for n, text in enumerate(texts)]
        )
    except TargetError as error:
        print(error, flush=True)  # noqa: T201 - the parent reads it
    else:
        print(f"confirmed, {len(rejections)} rejected", flush=True)  # noqa: T201 - the parent reads it


MODES: dict[str, Callable[[Path], None]] = {
    "write_on": write_on,
    "die_before_the_view": die_in("_show"),
    "die_before_dropping": die_in("drop_replaced"),
    "fill_the_disk": fill_the_disk,
}

if __name__ == "__main__":
    MODES[sys.argv[2]](Path(sys.argv[1]))
