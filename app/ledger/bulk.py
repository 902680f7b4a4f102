"""Many rows in one statement on both engines: what the door uses inside its transaction. Knows no meaning of a row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

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


def _copy(connection: sa.Connection, statement: str, rows: list[tuple[Any, ...]]) -> None:
    import psycopg

    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
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
        arrays = ", ".join(f"%s::{t}[]" for t in types)
        columns = tuple(list(column) for column in zip(*rows, strict=True))
        connection.exec_driver_sql(
            f'INSERT INTO "{table.name}" ({names}) SELECT * FROM unnest({arrays}) {tail}', columns
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
