from __future__ import annotations

import pytest

from dynalens.errors import RequestError
from dynalens.server.expectation import read_expectation

DOCUMENT = (
    b'{"platform":"Phone","amount":10.50,"paid":true,"code":"007","nothing":null,"tags":["a","b"],'
    b'"address":{"city":"Aachen","zip":52062},"lines":[{"sku":"x","count":1},{"sku":"y","count":20}],'
    b'"dotted.name":{"inner":1},"at":"2026-11-21T19:44:56Z","big":12345678901234567890123456789012345678}'
)


@pytest.mark.parametrize(
    "text",
    [
        "platform:Phone",
        'platform:"Phone"',
        "amount:10.5",
        "amount:>=10.5",
        "amount:<11",
        "amount:10..11",
        "paid:true",
        "code:007",
        "tags:b",
        "address.city:Aachen",
        "address.zip:52062",
        "lines.sku:y",
        "lines.count:>10",
        "dotted.name.inner:1",
        "at:>2026-11-20",
        "at:<=2026-11-21",
        "at:2026-11-21T19:44:56Z",
        "big:12345678901234567890123456789012345678",
        "platform:>Oh",
    ],
)
def test_a_document_that_is_as_expected(text: str) -> None:
    assert read_expectation(text).met_by(DOCUMENT)


@pytest.mark.parametrize(
    "text",
    [
        "platform:phone",
        "platform:Pho",
        "amount:10.51",
        "amount:>10.5",
        "amount:>=nan",
        "amount:Infinity",
        "amount:>abc",
        "paid:false",
        "paid:1",
        "paid:>0",
        "code:>1",
        "nothing:null",
        "tags:c",
        "address:Aachen",
        "address.city.x:Aachen",
        "at:>2026-11-21",
        "at:<2026-11-21",
        "big:12345678901234567890123456789012345679",
        "missing:1",
        "gone",
    ],
)
def test_a_document_that_is_not_as_expected(text: str) -> None:
    assert not read_expectation(text).met_by(DOCUMENT)


def test_gone_is_what_is_not_there_and_nothing_else_is() -> None:
    assert read_expectation("gone").met_by(None)
    assert not read_expectation("platform:Phone").met_by(None)
    assert read_expectation("gone:true").met_by(b'{"gone":true}')


@pytest.mark.parametrize("text", ["", "platform", ":Phone", "_id:a", "amount:>=", 'platform:"x'])
def test_what_cannot_be_expected_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(RequestError) as refused:
        read_expectation(text)
    assert refused.value.hint
