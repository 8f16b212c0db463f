from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import botocore.session
import pytest

from dynalens.config import SourceConfig
from dynalens.errors import SourceError, TrimmedError
from dynalens.source.aws import AccessError, Aws, ExpiredIteratorError, MissingError, TransientError, transient
from dynalens.testing import Fault, Operation, ScriptedStreams

Call = Callable[[Aws, ScriptedStreams], object]


def read_records(aws: Aws, streams: ScriptedStreams) -> bytes:
    return aws.records(streams.stream_arn, iterator_of(aws, streams), limit=10)


def iterator_of(aws: Aws, streams: ScriptedStreams) -> str:
    return aws.shard_iterator(streams.stream_arn, streams.add_shard(), after="")


def scan(aws: Aws, streams: ScriptedStreams) -> bytes:
    return aws.scan(streams.table, segment=0, segments=1, limit=10, consistent=True)


CALLS: dict[Operation, Call] = {
    "DescribeTable": lambda aws, streams: aws.describe_table(streams.table),
    "DescribeStream": lambda aws, streams: aws.describe_stream(streams.stream_arn),
    "GetShardIterator": iterator_of,
    "GetRecords": read_records,
    "GetItem": lambda aws, streams: aws.item(streams.table, {"id": {"S": "a"}}),
    "Scan": scan,
}

MEANINGS = [
    (Fault.THROTTLED, TransientError),
    (Fault.TOO_MANY_READERS, TransientError),
    (Fault.THROUGHPUT, TransientError),
    (Fault.INTERNAL, TransientError),
    (Fault.HTML, TransientError),
    (Fault.CUT_BODY, TransientError),
    (Fault.WRONG_CHECKSUM, TransientError),
    (Fault.RESET, TransientError),
    (Fault.EXPIRED_ITERATOR, ExpiredIteratorError),
    (Fault.TRIMMED, TrimmedError),
    (Fault.NOT_FOUND, MissingError),
    (Fault.INVALID, SourceError),
    (Fault.DENIED, AccessError),
    (Fault.EXPIRED_TOKEN, AccessError),
    ("UnrecognizedClientException", AccessError),
    ("InvalidSignatureException", AccessError),
    ("SomethingNew", SourceError),
]


@pytest.mark.parametrize(("fault", "error"), MEANINGS)
@pytest.mark.parametrize("operation", CALLS)
def test_every_failure_arrives_as_the_class_that_says_what_to_do(
    aws: Aws, streams: ScriptedStreams, operation: Operation, fault: str, error: type[SourceError]
) -> None:
    streams.fail(operation, fault)
    with pytest.raises(SourceError, match=operation) as raised:
        CALLS[operation](aws, streams)
    assert type(raised.value) is error
    assert transient(raised.value) == (error is TransientError)
    # One attempt each: botocore must not multiply the attempts of our own policy.
    assert [call.operation for call in streams.calls].count(operation) == 1
    # The next one works.
    CALLS[operation](aws, streams)


@pytest.mark.parametrize("operation", ["DescribeTable", "DescribeStream", "GetShardIterator", "GetItem"])
@pytest.mark.parametrize("fault", [Fault.INVALID_JSON, Fault.CUT_JSON])
def test_an_answer_that_is_not_json_is_no_empty_answer(
    aws: Aws, streams: ScriptedStreams, operation: Operation, fault: Fault
) -> None:
    streams.load({"id": {"S": "a"}})
    streams.fail(operation, fault)
    with pytest.raises(TransientError, match=operation):
        CALLS[operation](aws, streams)


def test_a_refused_connection_may_pass() -> None:
    with ScriptedStreams("Donations") as streams:
        endpoint_url = streams.endpoint_url
    with (
        closing(Aws(SourceConfig(region="eu-west-1", endpoint_url=endpoint_url))) as aws,
        pytest.raises(TransientError, match="Could not connect"),
    ):
        aws.describe_table("Donations")


def test_environment_cannot_bring_botocores_retries_back(
    streams: ScriptedStreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_RETRY_MODE", "adaptive")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "7")
    streams.fail("DescribeTable", Fault.THROTTLED, times=3)
    with (
        closing(Aws(SourceConfig(region="eu-west-1", endpoint_url=streams.endpoint_url))) as aws,
        pytest.raises(TransientError),
    ):
        aws.describe_table("Donations")
    assert len(streams.calls) == 1
    # Adaptive mode would also wait before a first attempt, where no stop can end it.
    assert aws._dynamodb.meta.config.retries["mode"] == "standard"  # type: ignore[attr-defined]


@pytest.mark.parametrize("operation", CALLS)
def test_a_missing_permission_is_named(aws: Aws, streams: ScriptedStreams, operation: Operation) -> None:
    streams.fail(operation, Fault.DENIED)
    with pytest.raises(AccessError) as raised:
        CALLS[operation](aws, streams)
    resource = streams.table if operation in {"DescribeTable", "GetItem", "Scan"} else streams.stream_arn
    assert raised.value.hint == f"Allow dynamodb:{operation} on {resource} in the caller's IAM policy."


def test_records_and_rows_arrive_as_they_were_sent(aws: Aws, streams: ScriptedStreams) -> None:
    shard = streams.add_shard()
    streams.put(shard, {"id": {"S": "a"}, "n": {"N": "1.50"}, "s": {"S": "\ud800"}})
    iterator = aws.shard_iterator(streams.stream_arn, shard, after="")
    [record] = json.loads(aws.records(streams.stream_arn, iterator, limit=10))["Records"]
    assert record["dynamodb"]["NewImage"]["n"] == {"N": "1.50"}
    assert json.loads(scan(aws, streams))["Items"] == streams.items()
    assert aws.item("Donations", {"id": {"S": "a"}}) == {
        "id": {"S": "a"},
        "n": {"N": "1.50"},
        "s": {"S": "\ud800"},
    }


def test_an_item_that_does_not_exist_is_none(aws: Aws) -> None:
    assert aws.item("Donations", {"id": {"S": "nobody"}}) is None


def test_binary_keys_go_back_as_they_came(aws: Aws, streams: ScriptedStreams) -> None:
    key = {"id": {"B": base64.b64encode(b"\x00\xff").decode()}}
    streams.load(key)
    assert aws.item("Donations", key) == key
    aws.scan("Donations", segment=0, segments=1, limit=1, consistent=False, after=json.dumps(key))
    assert streams.calls[-1].request["ExclusiveStartKey"] == key


def test_the_oldest_record_is_asked_for_and_never_the_latest(aws: Aws, streams: ScriptedStreams) -> None:
    shard = streams.add_shard()
    number = streams.put(shard, {"id": {"S": "a"}})
    aws.shard_iterator(streams.stream_arn, shard, after="")
    aws.shard_iterator(streams.stream_arn, shard, after=number)
    common = {"StreamArn": streams.stream_arn, "ShardId": shard}
    assert [call.request for call in streams.calls] == [
        {**common, "ShardIteratorType": "TRIM_HORIZON"},
        {**common, "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number},
    ]


# Configuration.


def test_streams_may_have_an_endpoint_of_their_own(streams: ScriptedStreams) -> None:
    with ScriptedStreams("Donations") as other:
        config = SourceConfig(
            region="eu-west-1", endpoint_url=streams.endpoint_url, streams_endpoint_url=other.endpoint_url
        )
        with closing(Aws(config)) as aws:
            aws.describe_table("Donations")
            aws.describe_stream(other.stream_arn)
        assert [call.operation for call in streams.calls] == ["DescribeTable"]
        assert [call.operation for call in other.calls] == ["DescribeStream"]


def signing_key(aws: Aws) -> str | None:
    credentials = aws._dynamodb._request_signer._credentials  # type: ignore[attr-defined]
    return None if credentials is None else credentials.access_key


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "dynamodb.localhost"])
def test_an_emulator_on_loopback_needs_no_settings(host: str) -> None:
    with closing(Aws(SourceConfig(endpoint_url=f"http://{host}"))) as aws:
        assert (signing_key(aws), aws.region) == ("local", "us-east-1")


def test_settings_that_exist_are_used_on_loopback_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    with closing(Aws(SourceConfig(endpoint_url="http://127.0.0.1:8000"))) as aws:
        assert (signing_key(aws), aws.region) == ("mine", "eu-north-1")


def test_half_of_the_settings_is_filled_up_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with closing(Aws(SourceConfig(endpoint_url="http://127.0.0.1:8000"))) as aws:
        assert (signing_key(aws), aws.region) == ("mine", "us-east-1")


@pytest.mark.parametrize(
    "config",
    [
        SourceConfig(region="eu-west-1"),
        SourceConfig(region="eu-west-1", endpoint_url="http://10.0.0.7:8000"),
        SourceConfig(region="eu-west-1", endpoint_url="http://127.0.0.1:8000", streams_endpoint_url="http://10.0.0.7"),
        SourceConfig(region="eu-west-1", streams_endpoint_url="http://127.0.0.1:8000"),
    ],
)
def test_credentials_are_never_invented_for_anything_else(
    config: SourceConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with closing(Aws(config)) as aws:
        assert signing_key(aws) is None


def test_missing_credentials_say_how_to_give_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with (
        closing(Aws(SourceConfig(region="eu-west-1", endpoint_url="http://10.0.0.7:8000"))) as aws,
        pytest.raises(AccessError, match="Unable to locate credentials") as raised,
    ):
        aws.describe_table("Donations")
    assert "AWS_ACCESS_KEY_ID" in raised.value.hint


def test_an_instance_role_is_not_asked_for_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the metadata service was asked")

    monkeypatch.setattr("botocore.utils.InstanceMetadataFetcher.retrieve_iam_role_credentials", refuse)
    Aws(SourceConfig(endpoint_url="http://127.0.0.1:8000")).close()
    # Elsewhere it is.
    with pytest.raises(AssertionError, match="metadata"):
        botocore.session.Session().get_credentials()


def test_a_missing_region_says_where_to_write_it() -> None:
    with pytest.raises(SourceError, match="No AWS region") as raised:
        Aws(SourceConfig(endpoint_url="http://10.0.0.7:8000"))
    assert "region:" in raised.value.hint


def test_an_endpoint_that_is_no_url_is_refused() -> None:
    with pytest.raises(SourceError, match="ht!tp"):
        Aws(SourceConfig(region="eu-west-1", endpoint_url="ht!tp://nowhere"))


def test_an_unknown_profile_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SourceError, match="nobody"):
        Aws(SourceConfig(region="eu-west-1"))
