"""Cursors of pages."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.access.paging import decode_cursor, encode_cursor
from app.errors import Problem


@given(
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    st.integers(-(2**63), 2**63 - 1),
)
def test_a_cursor_comes_back_as_it_went_out(name: str, number: int) -> None:
    cursor = encode_cursor(name, number)
    assert decode_cursor(cursor, str, int) == (name, number)
    assert cursor.replace("-", "").replace("_", "").isalnum()


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "", "é", "!!!", "AAAA", encoded("{}"), encoded('["a"]'), encoded('["a",1,2]'), encoded("[1,1]"),
        encoded('["a",true]'), encoded('["a",1.5]'), encoded('["a",9223372036854775808]'), encoded('["\\u0000",1]'),
        encoded('["\\ud800",1]'), encoded("[" * 100_000), encoded('["a",' + "9" * 5000 + "]"),
    ],
)  # fmt: skip
def test_a_cursor_somebody_made_up_is_refused(cursor: str) -> None:
    with pytest.raises(Problem) as refused:
        decode_cursor(cursor, str, int)
    assert (refused.value.type.code, refused.value.type.status) == ("bad_cursor", 400)
