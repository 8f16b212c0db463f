from __future__ import annotations

import pytest

from dynalens.search.minimum import required


@pytest.mark.parametrize(
    ("minimum", "total", "count"),
    [
        (2, 3, 2),
        (5, 3, 5),
        (-1, 3, 2),
        (-5, 3, 0),
        ("75%", 4, 3),
        ("75%", 3, 2),
        ("-25%", 4, 3),
        ("-25%", 3, 3),
        ("100%", 3, 3),
        ("0%", 3, 0),
        ("-0%", 3, 3),
    ],
)
def test_counts_and_shares_are_resolved_as_elasticsearch_does(minimum: int | str, total: int, count: int) -> None:
    assert required(minimum, total) == count


def test_a_text_that_is_no_share_is_an_error() -> None:
    with pytest.raises(ValueError, match="no share"):
        required("3<75%", 4)
