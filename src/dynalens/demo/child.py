"""What `dynalens up` does, in a process that ends with the one that started it: `python -m dynalens.demo.child FILE`.

Its standard input is a pipe that nobody writes to. It ends when the other process does, however that ends.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path


def main(file: Path) -> int:
    """Run Dynalens on a configuration file; print its address on stdout when it answers, errors on stderr."""
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    # Behind the thread: the engines take seconds to import.
    from dynalens.config import load
    from dynalens.errors import DynalensError
    from dynalens.runtime.worker import up

    try:
        return up(load(file), on_ready=lambda address: print(address, flush=True))  # noqa: T201 - what it is asked for
    except DynalensError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
