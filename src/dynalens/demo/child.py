"""What `dynalens up` does, in a process that ends with the one that started it: `python -m dynalens.demo.child FILE`.

Its standard input is a pipe. It begins at the first byte, and has imported by then what takes seconds; it ends when the
pipe does, and with that when the other process does, however that ends.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path


def main(file: Path) -> int:
    """Run Dynalens on a configuration file; print its address on stdout when it answers, errors on stderr."""
    begin = threading.Event()
    threading.Thread(target=_follow_parent, args=(begin,), name="parent", daemon=True).start()
    # Behind the thread: the engines take seconds to import, and the worker imports them only when it opens them.
    import chdb  # noqa: F401
    import clickhouse_connect.driver.client  # noqa: F401

    from dynalens.config import load
    from dynalens.errors import DynalensError
    from dynalens.runtime.up import up
    from dynalens.target.search.embedded import target  # noqa: F401

    begin.wait()
    try:
        return up(load(file), on_ready=lambda address: print(address, flush=True))  # noqa: T201 - what it is asked for
    except DynalensError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _follow_parent(begin: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 1):
        begin.set()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
