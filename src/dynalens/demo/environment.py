"""The environment of the demo: nothing in it leads to AWS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

REGION = "eu-west-1"

_OWN = {
    "AWS_DEFAULT_REGION": REGION,
    # An emulator takes any.
    "AWS_ACCESS_KEY_ID": "demo",
    "AWS_SECRET_ACCESS_KEY": "demo",
    # A profile may name another endpoint, and a file that cannot be read is an error in each of moto's own clients.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@contextmanager
def apart_from_aws() -> Iterator[None]:
    """Replace what this process's environment says of AWS; it is as it was at the end.

    For moto, which makes clients of its own within this process, and for the processes that are started meanwhile.
    """
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_"):
            del os.environ[name]
    os.environ.update(_OWN)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
