"""The record that closes a volume: how many acts it holds, the first and the last number, and what is missing between.
Says how the volume stands; closes none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from app.civil import tables
from app.civil.books.volumes import book_row
from app.civil.standing import annulled
from app.ledger.entities import in_lists
from app.reports.sheets import Report


def closing_record(connection: sa.Connection, identity: str) -> dict[str, Any]:
    """One volume as REST shows it: its row, what stands in it, the numbers missing and those given twice.

    Raises `register_unknown` (404).
    """
    row = book_row(connection, identity)
    act = tables.act
    query = sa.select(act.c.number, annulled(act.c.id).label("annulled")).where(
        act.c.office == row["office"], act.c.year == row["year"], act.c.volume == row["volume"], in_lists(act)
    )
    acts = connection.execute(query).all()
    numbers = sorted(each.number for each in acts if each.number is not None)
    names = ("office", "commune", "year", "volume", "sheets", "initialled_on", "initialled_by", "opened_on")
    return {
        "book": identity,
        **{name: row[name] for name in names},
        "state": "closed" if row["closed_on"] is not None else "open",
        "closed_on": row["closed_on"],
        "closed_name": row["closed_name"],
        "statement": row["statement"],
        "acts": len(acts),
        "annulled": sum(bool(each.annulled) for each in acts),
        "first_number": numbers[0] if numbers else None,
        "last_number": numbers[-1] if numbers else None,
        "gaps": [{"first": first, "last": last} for first, last in gaps(numbers)],
        "doubled": sorted({one for one, other in pairwise(numbers) if one == other}),
    }


def gaps(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """The stretches of numbers missing between the first and the last: [3, 4, 7, 9] lacks (5, 6) and (8, 8)."""
    return [(one + 1, other - 1) for one, other in pairwise(sorted(set(numbers))) if other > one + 1]


def closing_report(found: Mapping[str, Any], *, commune: str, fictitious: bool) -> Report:
    """The record as a page to print and sign."""
    closed = found["state"] == "closed"
    missing = [_stretch(each) for each in found["gaps"]]
    return Report(
        title=f"Procès-verbal de clôture {found['office']} {found['year']} volume {found['volume']}",
        about=[
            ("Commune", commune),
            ("Bureau", found["office"]),
            (
                "État",
                f"clos le {_day(found['closed_on'])} par {found['closed_name'] or '…'}"
                if closed
                else "ouvert",
            ),
        ],
        columns=["Constat", "Valeur"],
        rows=[
            [
                "Coté et paraphé",
                f"{_day(found['initialled_on'])} {found['initialled_by'] or ''}".strip() or "non",
            ],
            ["Feuillets", found["sheets"] if found["sheets"] is None else str(found["sheets"])],
            ["Actes inscrits", str(found["acts"])],
            ["Premier numéro", "" if found["first_number"] is None else str(found["first_number"])],
            ["Dernier numéro", "" if found["last_number"] is None else str(found["last_number"])],
            ["Numéros manquants", ", ".join(missing) or "aucun"],
            ["Numéros donnés deux fois", ", ".join(map(str, found["doubled"])) or "aucun"],
            ["Actes annulés", str(found["annulled"])],
        ],
        notes=[found["statement"]]
        if found["statement"]
        else ([] if closed else ["Volume encore ouvert : état provisoire."]),
        fictitious=fictitious,
        signed=True,
    )


def _stretch(each: Mapping[str, int]) -> str:
    return str(each["first"]) if each["first"] == each["last"] else f"{each['first']} à {each['last']}"


def _day(text: str | None) -> str:
    return f"{date.fromisoformat(text):%d/%m/%Y}" if text else ""
