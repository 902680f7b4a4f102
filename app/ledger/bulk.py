"""Many rows in one statement on both engines: what the door uses inside its transaction. Knows no meaning of a row."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import sqlalchemy as sa

COPY_FROM = 60
WRITER = 20_221_122


def is_postgresql(connection: sa.Connection) -> bool:
    """Whether the connection speaks to PostgreSQL."""
    return connection.dialect.name == "postgresql"


def lock_door(connection: sa.Connection) -> None:
    """One writer at the door at a time. SQLite's write transaction is that already; PostgreSQL takes an advisory lock
    held to commit, so that area numbers are given in commit order and no two folds see half of each other."""
    if is_postgresql(connection):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER})")


def insert_rows(
    connection: sa.Connection, table: sa.Table, *, columns: Sequence[str], rows: list[tuple[Any, ...]]
) -> None:
    """Insert all rows (COPY for many on PostgreSQL, one executemany otherwise).

    Raises sa.exc.IntegrityError on a key taken.
    """
    if not rows:
        return
    names = ", ".join(f'"{c}"' for c in columns)
    if is_postgresql(connection) and len(rows) >= COPY_FROM:
        _copy(connection, f'COPY "{table.name}" ({names}) FROM STDIN', rows)
        return
    mark = "%s" if is_postgresql(connection) else "?"
    marks = ", ".join([mark] * len(columns))
    connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', rows)


def insert_alike(
    connection: sa.Connection,
    table: sa.Table,
    *,
    columns: Sequence[str],
    heads: Sequence[tuple[Any, ...]],
    tail: tuple[int | None, ...],
) -> None:
    """Insert rows that differ in their `heads` (texts, numbers, None) and all end with `tail`.

    Raises sa.exc.IntegrityError on a key taken.
    """
    if is_postgresql(connection) and len(heads) >= COPY_FROM and (text := as_text(heads)) is not None:
        copy_alike(connection, table, columns=columns, text=text, tail=tail)
    else:
        insert_rows(connection, table, columns=columns, rows=[head + tail for head in heads])


def as_text(heads: Sequence[tuple[Any, ...]]) -> bytes | None:
    """Heads for `copy_alike`: JSON arrays, which but for their brackets are CSV; None where a text needs an escape
    that CSV has not (only quotes and backslashes are escaped there)."""
    text = _ENCODER.encode_lines(heads)
    if b"\\" in text and b"\\" in text.replace(b"\\\\", b"").replace(b'\\"', b""):
        return None
    return text


def copy_alike(
    connection: sa.Connection,
    table: sa.Table,
    *,
    columns: Sequence[str],
    text: bytes,
    tail: tuple[int | None, ...],
) -> None:
    """`insert_alike` of `as_text(heads)`, on PostgreSQL."""
    names = ", ".join(f'"{c}"' for c in columns)
    options = "FORMAT csv, NULL 'null', ESCAPE '\\'"
    # No line end stands within a row: JSON escapes it.
    end = b"," + ",".join("null" if each is None else str(each) for each in tail).encode() + b"\n"
    whole = text[1:].replace(b"]\n[", end)[:-2] + end
    with _copying(connection, f'COPY "{table.name}" ({names}) FROM STDIN WITH ({options})') as copy:
        copy.write(whole)


_ENCODER = msgspec.json.Encoder()


def _copy(connection: sa.Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
    with _copying(connection, statement) as copy:
        for row in rows:
            copy.write_row(row)


@contextmanager
def _copying(connection: sa.Connection, statement: str) -> Iterator[Any]:
    import psycopg

    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            yield copy
    except psycopg.errors.UniqueViolation as error:
        raise sa.exc.IntegrityError(statement, None, error) from error


def update_rows(
    connection: sa.Connection,
    table: sa.Table,
    *,
    columns: Sequence[str],
    rows: list[tuple[Any, ...]],
    key: Sequence[str],
) -> None:
    """Update whole rows: each tuple is the values of `columns` followed by those of `key`."""
    if not rows:
        return
    mark = "%s" if is_postgresql(connection) else "?"
    sets = ", ".join(f'"{c}" = {mark}' for c in columns)
    where = " AND ".join(f'"{c}" = {mark}' for c in key)
    connection.exec_driver_sql(f'UPDATE "{table.name}" SET {sets} WHERE {where}', rows)


def add_cells(connection: sa.Connection, table: sa.Table, cells: Mapping[tuple[Any, ...], int]) -> None:
    """Add to counters: key columns = the table's primary key in order, the last column is the count."""
    rows = sorted((*key, count) for key, count in cells.items() if count)
    if not rows:
        return
    keys = [c.name for c in table.primary_key.columns]
    count = next(c.name for c in table.columns if c.name not in keys)
    names = ", ".join(f'"{c}"' for c in [*keys, count])
    conflict = ", ".join(f'"{c}"' for c in keys)
    tail = f'ON CONFLICT ({conflict}) DO UPDATE SET "{count}" = "{table.name}"."{count}" + excluded."{count}"'
    if is_postgresql(connection):
        types = [
            c.type.compile(dialect=connection.dialect).split("(")[0]
            for c in [*table.primary_key.columns, table.c[count]]
        ]
        values = ", ".join(f"(each->>{at})::{t}" for at, t in enumerate(types))
        connection.exec_driver_sql(
            f'INSERT INTO "{table.name}" ({names}) SELECT {values} FROM json_array_elements(%s::json) each {tail}',
            (_ENCODER.encode(rows).decode(),),
        )
        return
    marks = ", ".join("?" * (len(keys) + 1))
    connection.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks}) {tail}', rows)


def rows_by_id(
    connection: sa.Connection, table: sa.Table, ids: Collection[str], **equal: Any
) -> dict[str, Mapping[str, Any]]:
    """The rows with these ids as mappings, keyed by id."""
    if not ids:
        return {}
    query = sa.select(table).where(table.c.id.in_(sorted(ids)))
    for name, value in equal.items():
        query = query.where(table.c[name] == value)
    return {row["id"]: dict(row) for row in connection.execute(query).mappings()}
