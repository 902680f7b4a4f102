"""Rows nobody touched since they were written down, nearly all of a first download: the database itself writes their
values as JSON, several times faster than rows are built here one by one."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from app.ledger.projection import Shape
from sync.catalogue import CATALOGUE


def said_by_database(shape: Shape, hidden: Collection[str], *, postgresql: bool) -> sa.ColumnElement[str]:
    """The column `said`: a row's `set` as JSON text without nulls; NULL where more stands beside the plain values, or
    where the engine would not write a value down exactly."""
    types = {name: CATALOGUE[shape.kind].fields[name].type for name in shape.fields if name not in hidden}
    written, exact = _postgresql(types) if postgresql else _sqlite(types)
    plain = ["registers IS NULL", "extra IS NULL", *exact]
    return sa.literal_column(f"CASE WHEN {' AND '.join(plain)} THEN {written} END", sa.Text).label("said")


def _sqlite(types: Mapping[str, str]) -> tuple[str, list[str]]:
    """(the JSON, when it is exact): numbers with many decimals would lose some, true would be 1, JSON its own nulls."""
    members = [f"'{name}', " + (f'json("{name}")' if types[name] == "ids" else f'"{name}"') for name in types]
    exact = [f'"{name}" IS NULL' for name in types if types[name] in ("json", "bool")]
    exact += [
        f'("{name}" IS NULL OR "{name}" = round("{name}", 3))' for name in types if types[name] == "number"
    ]
    return f"json_patch('{{}}', json_object({', '.join(members)}))", exact


def _postgresql(types: Mapping[str, str]) -> tuple[str, list[str]]:
    """(the JSON, when it is exact): JSON would lose its own nulls."""
    columns = [f'"{name}"' + (f'::json AS "{name}"' if types[name] == "ids" else "") for name in types]
    row = f"SELECT r FROM (SELECT {', '.join(columns)}) AS r"  # noqa: S608 (names of columns, no values)
    exact = [f'"{name}" IS NULL' for name in types if types[name] == "json"]
    return f"json_strip_nulls(row_to_json(({row})))::text", exact
