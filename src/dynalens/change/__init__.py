"""Changes: decoding DynamoDB's stream records, scan pages and Lambda events, rendering each item once.

A page comes in as the bytes that the service sent. Each record leaves as a frozen `Change` whose documents carry
their plain JSON already rendered, attribute by attribute: targets share those bytes and never walk the typed
attributes again. `decode_records`, `decode_scan` and `decode_lambda_event` are the hot loop of the whole product,
kept behind these three names so that a native decoder can take their place.

Sources: "GetRecords", "Record", "StreamRecord", "Identity" and "AttributeValue" in the Amazon DynamoDB Streams API
reference; "Supported data types and naming rules in Amazon DynamoDB" for the limits of numbers.
"""

from dynalens.change.dates import moment, moments
from dynalens.change.decode import (
    Change,
    Kind,
    Page,
    Poison,
    decode_lambda_event,
    decode_record,
    decode_records,
    decode_scan,
    encode_record,
    stream_record,
)
from dynalens.change.digest import digest_of, document_digest
from dynalens.change.document import Document, quoted_name, render, typed_item
from dynalens.change.key import ID_BYTES, KeySchema, document_id, typed_key
from dynalens.change.order import ordered_number, read_ordered
from dynalens.change.value import DecodeError, NumberText, Typed, dump_exact, load_exact

__all__ = [
    "ID_BYTES",
    "Change",
    "DecodeError",
    "Document",
    "KeySchema",
    "Kind",
    "NumberText",
    "Page",
    "Poison",
    "Typed",
    "decode_lambda_event",
    "decode_record",
    "decode_records",
    "decode_scan",
    "digest_of",
    "document_digest",
    "document_id",
    "dump_exact",
    "encode_record",
    "load_exact",
    "moment",
    "moments",
    "ordered_number",
    "quoted_name",
    "read_ordered",
    "render",
    "stream_record",
    "typed_item",
    "typed_key",
]
