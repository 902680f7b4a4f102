"""The matrix's lines of the life of a birth: the law, drafts and their reading."""

from __future__ import annotations

from collections.abc import Mapping

from tests.access.call import PUBLIC, Call
from tests.nodes import TestNode

CALLS: list[Call] = [
    Call("GET", "/v1/law", PUBLIC),
]


def plant(_node: TestNode, _ids: Mapping[str, str]) -> dict[str, str]:
    """Nothing yet."""
    return {}
