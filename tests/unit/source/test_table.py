from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from dynalens.change import KeySchema
from dynalens.config import SourceConfig
from dynalens.errors import StreamDisabledError, TableNotFoundError, ViewTypeError
from dynalens.retry import RetryPolicy
from dynalens.source.aws import AccessError, Aws, TransientError
from dynalens.source.table import TableInfo, describe, require_new_images, require_stream, table_info
from dynalens.testing import Fault, ScriptedStreams
from dynalens.testing.streams import ViewType

AT_ONCE = RetryPolicy(base_seconds=0.0, attempts=4)


def test_a_table_is_described(aws: Aws, streams: ScriptedStreams) -> None:
    streams.load({"id": {"S": "a"}}, {"id": {"S": "b"}})
    assert table_info(aws, "Donations") == TableInfo(
        name="Donations",
        arn=streams.table_arn,
        region="eu-west-1",
        endpoint_url=streams.endpoint_url,
        keys=KeySchema(("id",)),
        stream_arn=streams.stream_arn,
        view_type="NEW_AND_OLD_IMAGES",
        item_count=2,
        size_bytes=36,
        billing="PAY_PER_REQUEST",
    )


def test_the_partition_key_comes_first_whatever_the_answers_order() -> None:
    with ScriptedStreams("Orders", keys=("customer", "number")) as streams:
        schema = streams.answer("DescribeTable", {"TableName": "Orders"})["Table"]["KeySchema"]
        assert [key["KeyType"] for key in schema] == ["HASH", "RANGE"]
        assert described(streams, "Orders").keys == KeySchema(("customer", "number"))
        backwards = with_answer(streams, lambda table: table.update(KeySchema=schema[::-1]))
        assert described(backwards, "Orders").keys == KeySchema(("customer", "number"))


def test_a_table_may_be_named_by_its_arn(aws: Aws, streams: ScriptedStreams) -> None:
    assert table_info(aws, streams.table_arn).name == streams.table_arn


def test_a_stream_that_was_turned_off_is_not_enabled() -> None:
    with ScriptedStreams("Donations", view_type=None) as streams:
        off = with_answer(streams, lambda table: table.update(LatestStreamArn=streams.stream_arn))
        info = described(off, "Donations")
        assert (info.enabled, info.stream_arn, info.view_type) == (False, "", "")


def test_a_table_that_was_always_provisioned_says_nothing_about_billing(streams: ScriptedStreams) -> None:
    silent = with_answer(streams, lambda table: table.pop("BillingModeSummary"))
    assert described(silent, "Donations").billing == "PROVISIONED"


def test_a_table_that_does_not_exist_is_named_with_its_region(aws: Aws) -> None:
    with pytest.raises(TableNotFoundError, match=r"no table Gifts in eu-west-1 at http://127\.0\.0\.1") as raised:
        table_info(aws, "Gifts")
    assert "per access key and region" in raised.value.hint


def test_passing_trouble_is_waited_out(aws: Aws, streams: ScriptedStreams) -> None:
    streams.fail("DescribeTable", Fault.THROTTLED)
    streams.fail("DescribeTable", Fault.CUT_BODY)
    streams.fail("DescribeTable", Fault.INVALID_JSON)
    assert table_info(aws, "Donations", policy=AT_ONCE).name == "Donations"


def test_trouble_that_stays_is_reported(aws: Aws, streams: ScriptedStreams) -> None:
    streams.fail("DescribeTable", Fault.THROTTLED, times=9)
    with pytest.raises(TransientError, match="DescribeTable of Donations"):
        table_info(aws, "Donations", policy=AT_ONCE)
    assert len(streams.calls) == 4


def test_a_stop_ends_the_waiting(aws: Aws, streams: ScriptedStreams) -> None:
    streams.fail("DescribeTable", Fault.THROTTLED, times=9)
    stop = threading.Event()
    stop.set()
    with pytest.raises(TransientError):
        table_info(aws, "Donations", stop=stop)
    assert len(streams.calls) == 1


def test_describe_connects_by_itself(streams: ScriptedStreams) -> None:
    config = SourceConfig(region="eu-west-1", endpoint_url=streams.endpoint_url)
    assert describe(config, "Donations").stream_arn == streams.stream_arn
    streams.fail("DescribeTable", Fault.DENIED)
    with pytest.raises(AccessError, match="Donations"):
        describe(config, "Donations")


def test_a_table_without_a_stream_says_how_to_turn_it_on() -> None:
    with ScriptedStreams("Donations", view_type=None) as streams:
        config = SourceConfig(region="eu-west-1", endpoint_url=streams.endpoint_url)
        with pytest.raises(StreamDisabledError, match="Donations has no stream") as raised:
            describe(config, "Donations")
    assert raised.value.hint == (
        "Turn it on: aws dynamodb update-table --table-name Donations --stream-specification "
        "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES "
        f"--region eu-west-1 --endpoint-url {streams.endpoint_url}"
    )


@pytest.mark.parametrize("view_type", ["NEW_IMAGE", "NEW_AND_OLD_IMAGES"])
def test_view_types_with_new_images_serve(view_type: ViewType) -> None:
    with ScriptedStreams("Donations", view_type=view_type) as streams:
        info = described(streams, "Donations")
    require_stream(info)
    require_new_images(info)


@pytest.mark.parametrize("view_type", ["KEYS_ONLY", "OLD_IMAGE"])
def test_view_types_without_new_images_say_what_to_change(view_type: ViewType) -> None:
    with ScriptedStreams("Donations", view_type=view_type) as streams:
        info = replace(described(streams, "Donations"), endpoint_url="")
    with pytest.raises(ViewTypeError, match=f"Donations carries {view_type}") as raised:
        require_new_images(info)
    update = "aws dynamodb update-table --table-name Donations --stream-specification"
    assert raised.value.hint.endswith(
        f"turn the stream off and on: {update} StreamEnabled=false --region eu-west-1 && "
        f"{update} StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES --region eu-west-1"
    )


def described(streams: ScriptedStreams, table: str) -> TableInfo:
    aws = Aws(SourceConfig(region="eu-west-1", endpoint_url=streams.endpoint_url))
    try:
        return table_info(aws, table)
    finally:
        aws.close()


def with_answer(streams: ScriptedStreams, change: Callable[[dict[str, object]], object]) -> ScriptedStreams:
    """Change what DescribeTable answers."""
    answer = streams._describe_table

    def changed(request: dict[str, object]) -> dict[str, dict[str, object]]:
        described = answer(request)
        change(described["Table"])
        return described

    streams._describe_table = changed  # type: ignore[method-assign]
    return streams
