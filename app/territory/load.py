"""Brings the lists inside the package into the database: 24 communes, 379 quartiers, their aliases and one main
office per commune. Adds and corrects; never removes a code somebody may have written."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.territory.tables import commune, office, quartier, quartier_alias, territory_version

LISTS = ("communes_kinshasa.csv", "quartiers_kinshasa.csv", "quartiers_aliases.csv")
# Words by which the sources mark a correspondence that nobody has confirmed.
UNCONFIRMED = ("probable", "confusable", "verify")

Row = dict[str, Any]


def load_territory(connection: sa.Connection) -> None:
    """Make the tables hold at least what the package's lists say; running it again changes nothing.

    Offices and quartiers added by hand stay. Raises KeyError when a list names a commune that no list defines.
    """
    version = lists_version()
    if connection.scalar(sa.select(territory_version.c.version)) == version:
        return
    communes = list(_communes())
    codes = {row["name"]: row["code"] for row in communes}
    # A replaced code must stand before the one that names it as predecessor.
    quartiers = sorted(_quartiers(codes), key=lambda row: row["predecessor"] is not None)
    _upsert(connection, commune, rows=communes)
    _upsert(connection, quartier, rows=quartiers)
    _upsert(connection, quartier_alias, rows=list(_aliases(codes, quartiers)))
    _upsert(connection, office, rows=list(_main_offices(communes)))
    connection.execute(sa.delete(territory_version))
    connection.execute(sa.insert(territory_version), [{"version": version}])


def lists_version() -> str:
    """Fingerprint of the package's lists, 12 hex digits; equal lists on two nodes give equal versions."""
    digest = hashlib.sha256()
    for name in LISTS:
        digest.update(_bytes(name))
    return digest.hexdigest()[:12]


def _bytes(name: str) -> bytes:
    return files("app.territory").joinpath("data", name).read_bytes()


def _lines(name: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(_bytes(name).decode("utf-8").splitlines())


def _communes() -> Iterator[Row]:
    for line in _lines("communes_kinshasa.csv"):
        yield {
            "code": f"{line['iso3166_2']}-{line['scpt_commune_no']}",
            "name": line["commune"],
            "district": line["district"],
            "province": line["iso3166_2"],
        }


def _quartiers(codes: dict[str, str]) -> Iterator[Row]:
    for line in _lines("quartiers_kinshasa.csv"):
        yield {
            "code": line["scpt_postal_code"],
            "commune": codes[line["commune"]],
            "name": line["quartier"],
            "rank": int(line["rank_in_commune"]),
            # A split or renamed quartier needs only these columns in the list.
            "valid_from": line.get("valid_from") or None,
            "valid_to": line.get("valid_to") or None,
            "predecessor": line.get("predecessor") or None,
        }


def _aliases(codes: dict[str, str], quartiers: Sequence[Row]) -> Iterator[Row]:
    by_name = {(row["commune"], row["name"]): row["code"] for row in quartiers}
    for line in _lines("quartiers_aliases.csv"):
        home = codes[line["commune"]]
        yield {
            "commune": home,
            "alias": line["older_or_variant_name"],
            "quartier": by_name.get((home, line["name_in_46_or_9_list"])),
            "certain": not any(word in line["seen_in"] for word in UNCONFIRMED),
            "source": f"{line['name_in_46_or_9_list']} : {line['seen_in']}",
        }


def _main_offices(communes: Sequence[Row]) -> Iterator[Row]:
    for row in communes:
        yield {
            "code": f"{row['code']}-01",
            "commune": row["code"],
            "name": f"Bureau principal de l'état civil de {row['name']}",
            "main": True,
            "valid_from": None,
            "valid_to": None,
        }


def _upsert(connection: sa.Connection, table: sa.Table, *, rows: Sequence[Row]) -> None:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    corrected = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=corrected), rows)
