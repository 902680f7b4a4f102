"""Reading the list of volumes, page by page. Who may see which commune is the caller's question."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from app.civil.books.tables import book
from app.civil.books.volumes import Volume, volumes_of
from app.ledger.entities import in_lists

Place = tuple[str, int, str, str]


def list_volumes(
    connection: sa.Connection,
    *,
    communes: Collection[str] | None,
    office: str | None,
    year: int | None,
    after: Place | None,
    limit: int,
) -> tuple[list[Volume], Place | None]:
    """Volumes of these communes (None = all) by office, year and volume, and where the next page begins."""
    unknown = sa.func.coalesce
    place = unknown(book.c.office, ""), unknown(book.c.year, 0), unknown(book.c.volume, ""), book.c.id
    query = sa.select(book).where(in_lists(book))
    if communes is not None:
        query = query.where(book.c.commune.in_(sorted(communes)))
    if office is not None:
        query = query.where(book.c.office == office)
    if year is not None:
        query = query.where(book.c.year == year)
    if after is not None:
        bounds = (sa.literal(value, column.type) for value, column in zip(after, place, strict=True))
        query = query.where(sa.tuple_(*place) > sa.tuple_(*bounds))
    rows = [dict(row) for row in connection.execute(query.order_by(*place).limit(limit + 1)).mappings()]
    shown = volumes_of(connection, rows[:limit])
    last = rows[limit - 1] if len(rows) > limit else None
    if last is None:
        return shown, None
    return shown, (last["office"] or "", last["year"] or 0, last["volume"] or "", last["id"])
