"""Hear every change of the aggregates as it happens: what any web application with a Redis client can do.

    python subscriber.py --url redis://127.0.0.1:6379

Each message is the new value of one field of one hash, and by how much it changed:
{"key": "Facebook:count", "value": 12, "delta": 1}
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import redis


def messages(url: str, channel: str) -> Iterator[str]:
    """Yield the channel's messages, from now on."""
    with (
        redis.Redis.from_url(url, decode_responses=True) as client,
        client.pubsub(ignore_subscribe_messages=True) as heard,
    ):
        heard.subscribe(channel)
        for message in heard.listen():
            yield message["data"]


def main() -> None:
    """Print messages until Ctrl-C, or as many as asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="redis://127.0.0.1:6379", help="the server that targets.metrics names")
    parser.add_argument("--channel", default="aggregates")
    parser.add_argument("--messages", type=int, metavar="N", help="end after so many")
    options = parser.parse_args()

    for number, message in enumerate(messages(options.url, options.channel), start=1):
        print(message, flush=True)
        if number == options.messages:
            return


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("Enough.")
