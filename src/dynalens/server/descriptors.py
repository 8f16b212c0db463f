"""How many connections this process may hold open."""

from __future__ import annotations

import resource

from dynalens.server.limits import SPARE_DESCRIPTORS, VIEWERS


def room_for_viewers() -> int:
    """Let the process open as many files as its viewers need, as far as it may; give the number of viewers.

    Systems start processes with a soft limit of 256 or 1,024 open files, and let them raise it to the hard limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = VIEWERS + SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return VIEWERS if soft == resource.RLIM_INFINITY else max(1, min(VIEWERS, soft - SPARE_DESCRIPTORS))
