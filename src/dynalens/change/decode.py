"""Decoding: pages and single records to changes, and a change back to the record that it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dynalens.change.document import Document, render
from dynalens.change.key import KeySchema, document_id
from dynalens.change.value import MALFORMED, DecodeError, Typed, dump, load_object, reason

Kind = Literal["insert", "modify", "remove", "scan"]

_KINDS: dict[str, Kind] = {
    "INSERT": "insert",
    "MODIFY": "modify",
    "REMOVE": "remove",
    # DynamoDB Local 3.3 names the deletes of its time-to-live so, and gives no identity.
    "UNKNOWN_TO_SDK_VERSION": "remove",
}
# Our own event name, which no stream sends: a scanned row kept as a record stays the weak write that it was.
_SCAN_EVENT = "SCAN"
_VIEWS_WITH_OLD = frozenset({"OLD_IMAGE", "NEW_AND_OLD_IMAGES"})
_NO_NEW_IMAGE = "it carries no new image: the stream's view type must be NEW_IMAGE or NEW_AND_OLD_IMAGES"
_MISPLACED_IMAGE = "a removed item has a new image"
_SEQUENCE_DIGITS = 40
_TTL_PRINCIPAL = "dynamodb.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One decoded stream record, or one row of a scan, which has none of what has a default.

    Attributes:
        table: The table's name.
        id: Injective text form of the key (`document_id`).
        key: The key attributes in DynamoDB JSON.
        kind: `insert`, `modify`, `remove`, or `scan` for a row read by a scan.
        new: The item after the change; None for `remove`.
        old: The item before the change, where the view type carries it.
        old_known: Whether `old` tells what there was before, so that None means "nothing". False where the view type
            carries no old images, and for a scanned row.
        sequence_number: The record's sequence number, 21 to 40 digits; empty for a scanned row.
        created_at: Approximate time of the write, seconds since the epoch; 0.0 for a scanned row.
        user_identity: The principal that AWS names, such as the TTL service; empty for ordinary writes.
        size: Bytes of the record as AWS counts them (of its JSON where AWS gives none), or of the scanned document.
    """

    table: str
    id: str
    key: Mapping[str, Typed]
    kind: Kind
    new: Document | None
    old: Document | None = None
    old_known: bool = False
    sequence_number: str = ""
    created_at: float = 0.0
    user_identity: str = ""
    size: int

    @property
    def expired(self) -> bool:
        """Whether DynamoDB's time-to-live deleted the item ("DynamoDB Streams and Time to Live")."""
        return self.kind == "remove" and self.user_identity == _TTL_PRINCIPAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """A record that could not be decoded, whole, with the reason; it goes to the dead-letter store.

    `raw` is the record's JSON (re-serialised) in the form that `decode_record` reads, `sequence_number` is empty when
    there is none or even that is unreadable.
    """

    table: str
    raw: bytes
    sequence_number: str
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """What one page of a stream or a scan held, in its order."""

    changes: list[Change]
    poison: list[Poison]
    next_token: str
    """GetRecords: `NextShardIterator`, empty once a closed shard ends. Scan: `LastEvaluatedKey` as JSON, or nothing."""


def decode_records(body: bytes, *, table: str, keys: KeySchema) -> Page:
    """Decode the body of a GetRecords answer.

    Raises:
        DecodeError: The body as a whole is not a GetRecords answer (cut off, or not JSON); nothing of it counts.
    """
    answer = load_object(body)
    changes, poison = _decode_each(_consumed(_list_of(answer, "Records")), table, keys)
    return Page(changes, poison, str(answer.get("NextShardIterator") or ""))


def decode_scan(body: bytes, *, table: str, keys: KeySchema) -> Page:
    """Decode the body of a Scan answer; each item becomes a change of kind `scan`.

    Raises:
        DecodeError: The body as a whole is not a Scan answer.
    """
    answer = load_object(body)
    changes, poison = _decode_each(map(_scan_record, _consumed(_list_of(answer, "Items"))), table, keys)
    last_key = answer.get("LastEvaluatedKey")
    return Page(changes, poison, dump(last_key).decode() if last_key else "")


def decode_lambda_event(event: bytes | Mapping[str, Any], *, table: str, keys: KeySchema) -> Page:
    """Decode the event that Lambda hands to a function with a DynamoDB trigger ("Using AWS Lambda with DynamoDB").

    Raises:
        DecodeError: The event has no list of Records.
    """
    answer = load_object(event) if isinstance(event, bytes) else event
    changes, poison = _decode_each(_list_of(answer, "Records"), table, keys)
    return Page(changes, poison, "")


def decode_record(record: bytes | Mapping[str, Any], *, table: str, keys: KeySchema) -> Change:
    """Decode one record, as GetRecords, Lambda, `encode_record` or `Poison.raw` gives it.

    Raises:
        DecodeError: The record lacks a part or holds a value outside DynamoDB's own limits.
    """
    try:
        return _decode(load_object(record) if isinstance(record, bytes) else record, table, keys)
    except MALFORMED as error:
        raise DecodeError(reason(error)) from error


def _list_of(answer: Mapping[str, Any], name: str) -> list[Any]:
    members = answer.get(name)
    if not isinstance(members, list):
        raise DecodeError(f"it has no list of {name}")
    return members


def _consumed(members: list[Any]) -> Iterator[Any]:
    """Give members in their order and let go of each: freed while the cache still holds it, it costs a fifth less."""
    members.reverse()
    while members:
        yield members.pop()


def _decode_each(records: Iterable[Any], table: str, keys: KeySchema) -> tuple[list[Change], list[Poison]]:
    changes: list[Change] = []
    poison: list[Poison] = []
    for record in records:
        try:
            changes.append(_decode(record, table, keys))
        except MALFORMED as error:
            # A poison record must never hold up its shard: it is kept whole and the page goes on.
            poison.append(
                Poison(table=table, raw=dump(record), sequence_number=_sequence_of(record), reason=reason(error))
            )
    return changes, poison


def _decode(record: Mapping[str, Any], table: str, keys: KeySchema) -> Change:
    stream, event = record["dynamodb"], record["eventName"]
    if event == _SCAN_EVENT:
        return _scanned(stream["NewImage"], table, keys)
    kind = _kind(event)
    key, new, old = stream["Keys"], stream.get("NewImage"), stream.get("OldImage")
    if (new is None) is not (kind == "remove"):
        raise DecodeError(_NO_NEW_IMAGE if new is None else _MISPLACED_IMAGE)
    return Change(
        table=table,
        id=document_id(key, keys),
        key=key,
        kind=kind,
        new=None if new is None else render(new),
        old=None if old is None else Document.unrendered(old),
        # A MODIFY or REMOVE had something before it: without that image nothing is known, whatever the view type says.
        old_known=old is not None or (kind == "insert" and stream.get("StreamViewType") in _VIEWS_WITH_OLD),
        sequence_number=_sequence_number(stream["SequenceNumber"]),
        created_at=float(stream.get("ApproximateCreationDateTime") or 0.0),
        user_identity=_principal(record.get("userIdentity")),
        size=int(stream.get("SizeBytes") or len(dump(stream))),
    )


def _scanned(item: Mapping[str, Typed], table: str, keys: KeySchema) -> Change:
    document = render(item)
    return Change(
        table=table,
        id=document_id(item, keys),
        key={name: item[name] for name in keys.names},
        kind="scan",
        new=document,
        size=len(document.json),
    )


def _kind(event: str) -> Kind:
    kind = _KINDS.get(event)
    if kind is None:
        raise DecodeError(f"unknown event name {event!r:.60}")
    return kind


def _principal(identity: Mapping[str, Any] | None) -> str:
    """GetRecords writes PrincipalId ("Identity"), Lambda principalId ("DynamoDB Streams and Time to Live")."""
    return str(identity.get("PrincipalId") or identity.get("principalId") or "") if identity else ""


def _sequence_number(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) <= _SEQUENCE_DIGITS):
        raise DecodeError(f"{text!r:.60} is not a sequence number")
    return text


def _sequence_of(record: Any) -> str:  # noqa: ANN401 - whatever stood in the list of records
    try:
        return _sequence_number(record["dynamodb"]["SequenceNumber"])
    except MALFORMED:
        return ""


# The way back: a change to the record that it came from.


def encode_record(change: Change) -> bytes:
    """Give a change's whole record as JSON, as a dead letter keeps it; `decode_record` gives the same change back."""
    return dump(stream_record(change))


def stream_record(change: Change) -> dict[str, Any]:
    """Rebuild the record of a change in DynamoDB JSON.

    A scanned row has the event name SCAN, so that a redrive neither deletes by it nor takes it for a stream's write.
    """
    if change.kind == "scan":
        return _scan_record(change.new.typed() if change.new else None)
    stream: dict[str, Any] = {
        "ApproximateCreationDateTime": change.created_at,
        "Keys": change.key,
        "SequenceNumber": change.sequence_number,
        "SizeBytes": change.size,
        "StreamViewType": "NEW_AND_OLD_IMAGES" if change.old_known else "NEW_IMAGE",
    }
    if change.new is not None:
        stream["NewImage"] = change.new.typed()
    if change.old is not None:
        stream["OldImage"] = change.old.typed()
    record: dict[str, Any] = {"eventName": change.kind.upper(), "dynamodb": stream}
    if change.user_identity:
        record["userIdentity"] = {"PrincipalId": change.user_identity, "Type": "Service"}
    return record


def _scan_record(item: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever stood in the list of items
    return {"eventName": _SCAN_EVENT, "dynamodb": {"NewImage": item}}
