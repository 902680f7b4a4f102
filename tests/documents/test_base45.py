"""Base45 is that of RFC 9285, and each text stands for at most one piece of data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.documents.base45 import ALPHABET, NotBase45, decode, encode

# RFC 9285, sections 4.3 and 4.4.
EXAMPLES = [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0")]
NONE = ["GGW", ":::", "0", "AB80", "bb8", "BB8\n", "É00", "::", "0000"]


@pytest.mark.parametrize("data,text", EXAMPLES)
def test_the_examples_of_the_rfc_come_out_as_printed_there(data: bytes, text: str) -> None:
    assert (encode(data), decode(text)) == (text, data)


@pytest.mark.parametrize("text", NONE)
def test_a_text_that_no_data_is_written_as_is_refused(text: str) -> None:
    with pytest.raises(NotBase45):
        decode(text)


@given(st.binary(max_size=600))
def test_what_is_written_is_read_again(data: bytes) -> None:
    assert decode(encode(data)) == data
    assert set(encode(data)) <= set(ALPHABET)


@given(st.text(ALPHABET, max_size=40))
def test_no_two_texts_stand_for_the_same_data(text: str) -> None:
    try:
        data = decode(text)
    except NotBase45:
        return
    assert encode(data) == text
