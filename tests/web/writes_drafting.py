"""The calls of the draft of an act that write, for the tests of strange input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.web.desk import Desk

WRITES: list[tuple[str, str, str | None, Mapping[str, Any]]] = [
    ("POST", "/v1/births/{birth_id}/draft", "clerk", {"office": "CD-KN-017-01", "volume": "1"}),
    ("POST", "/v1/births/{birth_id}/draft/reading", "clerk", {"to": ["Jean Kabeya"], "language": "lingala"}),
]


def plant(_desk: Desk) -> dict[str, str]:
    """Nothing: the desk has a birth without an act."""
    return {}
