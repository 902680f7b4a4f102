"""Pages of lists: opaque cursors and the envelope they travel in. What a cursor holds is the list's business."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from app.errors import problem

BAD_CURSOR = problem(
    "bad_cursor", 400, "Curseur non valable", "Reprenez la liste depuis le début, sans cursor."
)

Item = TypeVar("Item")
# Where a page of a register table ends: local area number, seq, id.
Position = tuple[int, int, str]

Cursor = Annotated[str | None, Query(max_length=2000, description="Valeur `next` de la page précédente.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Nombre d'éléments par page.")]


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item] = Field(description="Les éléments de cette page.")
    next: str | None = Field(
        None, description="Curseur de la page suivante ; null à la fin.", examples=["WyJhLm1ib3lvIl0"]
    )


def encode_cursor(*values: str | int) -> str:
    """Opaque text of the sort values of a page's last row."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str, *shape: type[str] | type[int]) -> tuple[Any, ...]:
    """The values of a cursor, which must be of these types; raises `bad_cursor` (400) on anything else."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        values = json.loads(raw.decode())
    except (ValueError, binascii.Error, RecursionError) as error:
        raise BAD_CURSOR() from error
    if not isinstance(values, list) or len(values) != len(shape):
        raise BAD_CURSOR()
    if not all(type(value) is kind and _storable(value) for value, kind in zip(values, shape, strict=True)):
        raise BAD_CURSOR()
    return tuple(values)


def _storable(value: str | int) -> bool:
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return "\x00" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)
