"""Where everything stands in the store's table: collections of items by `pk`, and places within them by `sk`.

| `pk` | `sk` | what |
|---|---|---|
| `counter#TABLE` | `epoch` | the highest epoch drawn |
| `lease#TABLE` | partition | its owner, kind and parents |
| `position#TABLE` | `TARGET#PARTITION` | the epoch drawn last, the position, whether its end is kept for a child |
| `copy#TABLE` | `TARGET#COLLECTION#NUMBER` | a generation |
| `gap#TABLE` | `TARGET#DIGEST` | gaps that were found together |
| `fleet` | `worker#WORKER`, `revision#TABLE`, `lease#TABLE` | numbers that rise: all that a `Pulse` tells |
| `report` | `TABLE#TARGET#WORKER` | what a worker says of itself |
| `request` | `NUMBER` | which table a request is of |
| `request#TABLE` | `NUMBER` | a request |
| `letter` | `NUMBER` | a dead letter |
| `letter-redrive` | `NUMBER` | that a redrive was asked for |
| `letter-number` | `DIGEST` | the number of a change's letter |
| `letter-count` | `TABLE#TARGET#COLLECTION` | how many wait |
| `record#DIGEST` | `PART` | what of a letter's record one item does not hold |
| `number` | `letter`, `request` | the number given last |

No table's and no target's name holds a `#`. Numbers within keys are padded, so that their order is that of the texts.
"""

from __future__ import annotations

from dynalens.position.dynamodb.items import Key

EXPIRES = "expires"
"""The attribute with the epoch second after which DynamoDB may remove an item by itself ("time to live")."""

_DIGITS = 15


def padded(number: int) -> str:
    """Give a number as it stands in a key."""
    return f"{number:0{_DIGITS}d}"


def counter_key(table: str) -> Key:
    """Give the place of a table's epoch counter."""
    return Key(f"counter#{table}", "epoch")


def lease_key(table: str, partition: str) -> Key:
    """Give the place of a partition's lease."""
    return Key(f"lease#{table}", partition)


def position_key(table: str, partition: str, target: str) -> Key:
    """Give the place of a partition's position in a target."""
    return Key(f"position#{table}", f"{target}#{partition}")


def revision_key(table: str) -> Key:
    """Give the place of a table's revision."""
    return Key("fleet", f"revision#{table}")


def lease_changes_key(table: str) -> Key:
    """Give the place of the number that rises with a table's leases."""
    return Key("fleet", f"lease#{table}")


def worker_key(worker: str) -> Key:
    """Give the place of a worker's beats."""
    return Key("fleet", f"worker#{worker}")
