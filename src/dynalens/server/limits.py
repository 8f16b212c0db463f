"""Every limit of the server in one place. An error that a limit causes names it and its value."""

from __future__ import annotations

HEAD_BYTES = 16 * 1024
"""Request line and headers of one request, in bytes."""

HEAD_SECONDS = 10.0
"""A connection that has not sent a whole request head for this long is closed."""

BODY_BYTES = 1024 * 1024
"""One request body, in bytes."""

BODY_SECONDS = 10.0
"""A body must have arrived whole after this long."""

JSON_DEPTH = 64
"""Objects and arrays within each other in a request body: as deep as DynamoDB nests."""

SQL_CHARACTERS = 256 * 1024
"""One SQL query, in characters."""

SQL_PARAMETERS = 100
"""Parameters of one SQL query."""

SEARCH_SECONDS = 10.0
"""One search, one page of a scroll or one count."""

SEARCHES = 4
"""Searches at once."""

SEARCHES_WAITING = 32
"""Searches that may wait for one to end."""

SEARCH_ANSWER_BYTES = 64 * 1024 * 1024
"""The documents of one answer to a search, in bytes."""

SCROLLS = 32
"""Scrolls open at once: each holds a collection as it was on disk."""

SCROLL_SECONDS = 3600.0
"""The longest that a scroll may be kept between two of its pages."""

SWEEP_SECONDS = 5.0
"""Scrolls whose time is over are closed after about this long, even if nobody scrolls any more."""

LETTERS_PER_ANSWER = 1000
"""Dead letters in one answer, and numbers in one request to redrive."""

REQUESTS_OPEN = 20
"""Requests of one table that have not ended; the worker carries out one after the other."""

VIEWERS = 10_000
"""Viewers of live events at once, fewer where the process may not open as many files."""

TOPICS = 256
"""Metrics and collections that are watched at once, by all viewers together."""

TOPICS_PER_VIEWER = 32
"""Metrics and collections that one viewer watches."""

RING_BYTES = 1024 * 1024
"""Frames kept per topic for viewers that fall behind, in bytes; shared by all viewers."""

PIECE_BYTES = 16 * 1024
"""What one viewer is handed at once, and what its connection buffers, in bytes: all that a slow viewer holds."""

STUCK_SECONDS = 60.0
"""A connection whose client took nothing for this long is closed."""

HEARTBEAT_SECONDS = 15.0
"""A viewer that got nothing else for about this long gets a comment, so that proxies keep the connection."""

FRESH_SECONDS = 0.5
"""Viewers who asked for it are told this often how old what they see may be."""

SHUTDOWN_SECONDS = 2
"""Requests under way get this long to end when the server stops."""

SPARE_DESCRIPTORS = 512
"""Open files kept for everything but viewers."""

COUNT_SECONDS = 2.0
"""The status leaves out the numbers of documents where counting takes longer."""

READ_SECONDS = 30.0
"""One answer of a store or a target; SQL has the target's own, stricter limit besides."""

FRESHNESS_SECONDS = 0.1
"""How old the position may be that an answer tells: it is read for all answers together (`SHARED_STORE_SECONDS`)."""

FRESHNESS_WAIT_SECONDS = 0.25
"""An answer waits so long for the stores to tell how fresh it is, then does without."""

POSITION_BYTES = 4096
"""A longer position is not told with each answer, only by the route of its own."""

WAITS = 256
"""Requests at once that wait for a write to be applied."""

WAIT_SECONDS = 5.0
"""How long one waits where it does not say."""

MOST_WAIT_SECONDS = 30.0
"""How long one may wait."""

LOOK_SECONDS = 0.025
"""How often those who wait look how far a table is applied, all together (`SHARED_STORE_SECONDS`)."""

SHARED_STORE_SECONDS = 0.25
"""Where the store is shared by several workers each reading of it costs: one serves all who ask within so long."""
