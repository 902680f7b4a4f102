"""What is irregular in the numbers of an office's year: missing, doubled, out of order, beyond the sheets, in a volume
nobody opened. Findings are reported; nothing is filled or corrected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.civil import tables
from app.civil.books.tables import book
from app.law.registers import Numbering, numbering_on, sheets_of_volume
from app.ledger.entities import in_lists

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """One irregularity: a stable code, a French sentence, the numbers from–to it is about, and the ids concerned.

    `volume` is None for a series of the whole year.
    """

    code: str
    message: str
    volume: str | None = None
    first: int | None = None
    last: int | None = None
    acts: list[str] = field(default_factory=list)
    registers: list[str] = field(default_factory=list)


def gaps_of(connection: sa.Connection, *, office: str, year: int) -> list[Finding]:
    """The findings of one office and year, as this server knows its acts; two statements."""
    act = tables.act.c
    columns = act.id, act.volume, act.number, act.folio, act.registered_on
    wanted = sa.select(*columns).where(act.office == office, act.year == year)
    acts = connection.execute(wanted.order_by(act.number, act.id)).mappings().all()
    opened = sa.select(book).where(book.c.office == office, book.c.year == year, in_lists(book))
    books = connection.execute(opened.order_by(book.c.volume, book.c.id)).mappings().all()
    return findings(
        [dict(row) for row in acts],
        [dict(row) for row in books],
        numbering=numbering_on(date(year, 1, 1)),
        sheets=sheets_of_volume(date(year, 1, 1)),
    )


def findings(
    acts: Sequence[Row], books: Sequence[Row], *, numbering: Numbering, sheets: int | None
) -> list[Finding]:
    """All that is irregular, pure. `acts` in the order of their numbers: id, volume, number, folio, registered_on;
    `books`: rows of `book`; `sheets` is what a volume has that does not say so itself."""
    series: dict[str | None, list[Row]] = defaultdict(list)
    volumes: dict[str, list[Row]] = defaultdict(list)
    for act in acts:
        if act["number"] is not None and act["volume"] is not None:
            series[act["volume"] if numbering == "per_volume" else None].append(act)
            volumes[act["volume"]].append(act)
    opened: dict[str, list[Row]] = defaultdict(list)
    for each in books:
        opened[each["volume"] or ""].append(each)
    found: list[Finding] = []
    for volume, listed in sorted(series.items(), key=lambda each: each[0] or ""):
        found += [*_missing(volume, listed), *_doubled(volume, listed), *_out_of_order(volume, listed)]
    for name in sorted(volumes.keys() | opened.keys()):
        found += _of_volume(name, volumes.get(name, []), books=opened.get(name, []), sheets=sheets)
    return found


def _missing(volume: str | None, acts: Sequence[Row]) -> Iterator[Finding]:
    """A series begins with 1."""
    before = 0
    for act in acts:
        number = act["number"]
        if number > before + 1:
            first, last = before + 1, number - 1
            which = f"Le numéro {first} manque" if first == last else f"Les numéros {first} à {last} manquent"
            yield Finding("number_missing", f"{which} {_where(volume)}.", volume, first, last)
        before = max(before, number)


def _doubled(volume: str | None, acts: Sequence[Row]) -> Iterator[Finding]:
    held: dict[int, list[str]] = defaultdict(list)
    for act in acts:
        held[act["number"]].append(act["id"])
    for number, ids in held.items():
        if len(ids) > 1:
            message = f"Le numéro {number} est porté par {len(ids)} actes {_where(volume)}."
            yield Finding("number_doubled", message, volume, number, number, acts=ids)


def _out_of_order(volume: str | None, acts: Sequence[Row]) -> Iterator[Finding]:
    latest: Row | None = None
    for act in acts:
        day = act["registered_on"]
        if day is None:
            continue
        if latest is not None and day < latest["registered_on"]:
            message = (
                f"L'acte n° {act['number']} est daté du {day}, avant l'acte n° {latest['number']} "
                f"du {latest['registered_on']}."
            )
            ids = [latest["id"], act["id"]]
            yield Finding("out_of_date_order", message, volume, act["number"], act["number"], acts=ids)
        else:
            latest = act


def _of_volume(
    volume: str, acts: Sequence[Row], *, books: Sequence[Row], sheets: int | None
) -> Iterator[Finding]:
    ids = [each["id"] for each in books]
    if not books:
        message = f"{len(acts)} actes sont dans le volume {volume}, que personne n'a ouvert."
        yield Finding("volume_not_opened", message, volume, *_ends(acts))
    if len(books) > 1:
        message = f"Le volume {volume} a été ouvert {len(books)} fois, sur plusieurs serveurs."
        yield Finding("volume_opened_twice", message, volume, registers=ids)
    told = [each["sheets"] for each in books if each["sheets"] is not None]
    most = max(told) if told else sheets
    if most is not None:
        if len(acts) > most:
            message = f"Le volume {volume} contient {len(acts)} actes pour {most} feuillets."
            yield Finding("beyond_sheets", message, volume, *_ends(acts[most:]), registers=ids)
        far = [each for each in acts if (each["folio"] or "").isdecimal() and int(each["folio"]) > most]
        if far:
            message = f"Des actes du volume {volume} sont sur un feuillet au-delà du {most}e."
            names = [each["id"] for each in far]
            yield Finding("folio_beyond_sheets", message, volume, *_ends(far), acts=names, registers=ids)
    for each in books:
        if each["closed_on"] is not None and each["acts"] is not None and each["acts"] != len(acts):
            message = f"Le volume {volume} a été clos avec {each['acts']} actes ; il en contient {len(acts)}."
            yield Finding("changed_after_closing", message, volume, registers=[each["id"]])


def _ends(acts: Sequence[Row]) -> tuple[int | None, int | None]:
    return (acts[0]["number"], acts[-1]["number"]) if acts else (None, None)


def _where(volume: str | None) -> str:
    return "dans l'année" if volume is None else f"dans le volume {volume}"
