"""The alphabetical index of an office's register of one year, by nom, post-nom and prénom: where each act stands."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.civil import tables
from app.civil.standing import annulled
from app.ledger.entities import in_lists
from app.reports.sheets import Report

NAMES = ("nom", "postnom", "prenom")
_COLUMNS = (*NAMES, "number", "volume", "folio", "registered_on")


def year_index(connection: sa.Connection, office: str, *, year: int) -> list[dict[str, Any]]:
    """Every act of an office and year in the order of the alphabet, accents and case aside; acts without a name last.

    Each has `act`, `birth` (ids), the names, number, volume, folio, registered_on and `annulled`.
    """
    act = tables.act
    columns = (
        act.c.id.label("act"),
        act.c.birth,
        *(act.c[name] for name in _COLUMNS),
        annulled(act.c.id).label("annulled"),
    )
    query = sa.select(*columns).where(act.c.office == office, act.c.year == year, in_lists(act))
    found = [dict(row) for row in connection.execute(query).mappings()]
    return sorted(found, key=_place)


def index_report(
    found: Sequence[Mapping[str, Any]], *, office: str, year: int, commune: str, fictitious: bool
) -> Report:
    """The index as a table to print."""
    rows = [
        [
            *(row[name] for name in NAMES), row["number"], row["volume"], row["folio"],
            date.fromisoformat(row["registered_on"]) if row["registered_on"] else None,
            "annulé" if row["annulled"] else "",
        ]
        for row in found
    ]  # fmt: skip
    return Report(
        title=f"Table alphabétique des naissances {year} {office}",
        about=[("Commune", commune), ("Bureau", office), ("Année du registre", year), ("Actes", len(rows))],
        columns=["Nom", "Post-nom", "Prénom", "N° acte", "Volume", "Folio", "Date de l'acte", "Mention"],
        rows=rows,
        fictitious=fictitious,
    )


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    names = [_bare(row[name] or "") for name in NAMES]
    return (not any(names), *names, row["number"] or 0, row["act"])


def _bare(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
