"""A file of paper acts is brought, kept and read through: what is right, known or wrong in it. Enters nothing in the
register; the same file brought again is the same file."""

from __future__ import annotations

import hashlib
import json
import uuid
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import communes_of, require
from app.access.officers import Officer
from app.civil import tables as civil
from app.civil.reprise import Line
from app.civil.takeover import tables
from app.civil.takeover.checking import Checker, Fault, Keyed, Pages
from app.civil.takeover.mapping import Plan, read_mapping, suggest
from app.civil.takeover.reading import read_sheet
from app.clock import stamp
from app.database import Database
from app.errors import problem
from app.ledger.door import Door
from sync.catalogue import CATALOGUE

IMPORT_UNKNOWN = problem("import_unknown", 404, "Import inconnu", "Vérifiez l'identifiant (GET /v1/imports).")
NO_COMMUNE = problem(
    "import_without_commune", 422, "Commune manquante", "L'officier doit appartenir à une commune."
)

CHUNK = 1000
MOST_FAULTS = 10_000
_UNDER_WAY = ("entering", "keying")
Told = Callable[[int, int | None], None]
# What an act has of its own beside the declaration: never a difference between two keyings of one line.
_OWN = frozenset({"officer_name", "delay_article", "keyed_by", "arbitrated_by"})
_BIRTH, _ACT = (frozenset(CATALOGUE[kind].fields) for kind in ("birth", "act"))
_COMPARED = _ACT & (_BIRTH | {"folio", "registered_on"}) - {"person"}


@dataclass(frozen=True, slots=True)
class Tally:
    """What a walk through a file found."""

    known: int
    wrong: int
    faults: list[Fault]
    total: int


def open_pages(content: bytes, plan: Plan, *, sheet: str | None) -> Pages:
    """The rows of a file under a mapping; raises `file_unreadable`, `sheet_unknown`, `mapping_invalid`."""
    return Pages(read_sheet(content, sheet), plan)


def plan_for(content: bytes, text: str | None, *, sheet: str | None) -> Plan:
    """The mapping given, or the one the headings speak for."""
    return read_mapping(text) if text is not None else suggest(read_sheet(content, sheet).headings)


def receive(
    database: Database,
    door: Door,
    *,
    officer: Officer,
    content: bytes,
    name: str,
    plan: Plan,
    sheet: str | None = None,
    told: Told | None = None,
) -> str:
    """Keep a file and read it through; gives its id, the same for the same file, mapping and sheet.

    One that has wrong lines or was entered is read through anew, for register and offices may have changed. Raises
    what `open_pages` does.
    """
    if officer.commune is None:
        raise NO_COMMUNE()
    pages = open_pages(content, plan, sheet=sheet)
    digest = hashlib.sha256(content)
    digest.update(f"\0{plan.text()}\0{sheet or ''}\0{officer.commune}\0{officer.id}".encode())
    with database.write() as connection:
        query = sa.select(tables.file.c.id, tables.file.c.state, tables.file.c.wrong).where(
            tables.file.c.digest == digest.hexdigest()
        )
        known = connection.execute(query).one_or_none()
        if known is not None and (
            known.state in _UNDER_WAY or (known.state == "checked" and not known.wrong)
        ):
            return str(known.id)
        values = {
            "content": zlib.compress(content, 1),
            "at": stamp(door.clock.clock.now()),
            "state": "checking",
            "lines": pages.sheet.total,
            **dict.fromkeys(("done", "entered", "known", "wrong", "faults"), 0),
            "delays": "{}",
        }
        if known is not None:
            identity = str(known.id)
            connection.execute(tables.file.update().where(tables.file.c.id == identity).values(values))
        else:
            identity = str(uuid.uuid4())
            about = {
                "id": identity, "commune": officer.commune, "name": name, "digest": digest.hexdigest(),
                "sheet": pages.sheet.name, "encoding": pages.sheet.encoding, "mapping": plan.text(),
                "officer": officer.id, "officer_name": officer.name,
            }  # fmt: skip
            connection.execute(tables.file.insert().values(about | values))
    _check(database, door, officer, file=identity, pages=pages, told=told)
    return identity


def _check(
    database: Database, door: Door, officer: Officer, *, file: str, pages: Pages, told: Told | None
) -> None:
    checker = Checker(
        pages, door, communes=communes_of(officer, door.standing.kind), today=door.clock.clock.today()
    )
    known = wrong = total = done = 0
    kept: list[Fault] = []
    for chunk in chunks(pages):
        with database.read() as connection:
            lines, faults, rows = judge(connection, chunk, checker=checker)
            found = compare(connection, door, lines, pages=pages)
        known += len(found.known)
        wrong += len(rows) + len(found.faulty)
        total += len(faults) + len(found.faults)
        kept += [*faults, *found.faults][: MOST_FAULTS - len(kept)]
        done += len(chunk)
        if told is not None:
            told(done, pages.sheet.total)
    with database.write() as connection:
        connection.execute(tables.fault.delete().where(tables.fault.c.file == file))
        keep_faults(connection, file, kept)
        values = {"state": "checked", "known": known, "wrong": wrong, "faults": total}
        connection.execute(tables.file.update().where(tables.file.c.id == file).values(values))


def chunks(pages: Iterable[Keyed]) -> Iterator[list[Keyed]]:
    """The rows of a file, a thousand at a time: what enters in one transaction."""
    rows = iter(pages)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def judge(
    connection: sa.Connection, chunk: Iterable[Keyed], *, checker: Checker
) -> tuple[list[tuple[Keyed, Line]], list[Fault], set[int]]:
    """(right rows with their acts, what is wrong with the others, the numbers of their rows)."""
    right: list[tuple[Keyed, Line]] = []
    faults: list[Fault] = []
    for keyed in chunk:
        line, found = checker.judged(connection, keyed)
        faults += found
        if line is not None:
            right.append((keyed, line))
    return right, faults, {fault.row for fault in faults}


@dataclass(frozen=True, slots=True)
class Compared:
    """Right lines beside the register: new, standing there already, and those whose number another act bears."""

    new: list[Line]
    known: list[Line]
    faulty: set[int]
    faults: list[Fault]


def compare(
    connection: sa.Connection, door: Door, lines: list[tuple[Keyed, Line]], *, pages: Pages
) -> Compared:
    """Look each line's number up; one that stands with other content is wrong, named with both values."""
    held = held_under(connection, door, [line.key for _, line in lines])
    found = Compared([], [], set(), [])
    for keyed, line in lines:
        act = held.get(line.key or "")
        if act is None:
            found.new.append(line)
            continue
        apart = differences(content_of(line), act)
        if not apart:
            found.known.append(line)
            continue
        found.faulty.add(keyed.row)
        for field, (here, there) in apart.items():
            said = f"« {there} »" if there else "rien"
            said += ", que dit l'acte inscrit sous ce numéro"
            fault = pages.fault(keyed, field, expected=said)
            found.faults.append(Fault(fault.row, fault.heading, field, here, said))
    return found


def held_under(
    connection: sa.Connection, door: Door, keys: Collection[str | None]
) -> dict[str, dict[str, Any]]:
    """Number in the books → what the act standing under it says (as `content_of`), for those of these taken."""
    query = sa.select(civil.act).where(civil.act.c.number_key.in_(keys))
    shape = door.registry.shapes["act"]
    found = connection.execute(query).mappings()
    return {row["number_key"]: _content_of_act(shape.clean_values(dict(row))) for row in found}


def content_of(line: Line) -> dict[str, Any]:
    """What a line says, field by field: the declaration, the folio and day of the act, the judgment."""
    said = {name: value for name, value in line.values.items() if name != "person"}
    said |= {"folio": line.place.folio, "registered_on": line.place.registered_on}
    said |= {f"judgment.{name}": value for name, value in (line.judgment or {}).items()}
    return {name: value for name, value in said.items() if value is not None}


def _content_of_act(act: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: act[name] for name in _COMPARED if name in act}
    judgment = {name: act.get(f"judgment_{name}") for name in ("court", "number", "date")}
    said |= {f"judgment.{name}": value for name, value in judgment.items() if value is not None}
    facts = act.get("facts") or {}
    return said | {name: value for name, value in facts.items() if name not in _OWN}


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Field → both values as text ("" = says nothing), for the fields that differ."""
    names = sorted({*one, *other})
    return {
        name: (shown(one.get(name)), shown(other.get(name)))
        for name in names
        if one.get(name) != other.get(name)
    }


def shown(value: Any) -> str:
    """A field's value as a person reads it."""
    if value is None:
        return ""
    return " ; ".join(map(str, value)) if isinstance(value, list) else str(value)


def legible(text: str) -> str:
    """What can be stored and shown of any text."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:500])


def keep_faults(connection: sa.Connection, file: str, faults: Iterable[Fault]) -> None:
    """Write down what is wrong in a file."""
    rows = [
        {
            "file": file, "row": each.row, "n": n, "heading": legible(each.heading), "field": each.field,
            "found": legible(each.found), "expected": legible(each.expected),
        }
        for n, each in enumerate(faults)
    ]  # fmt: skip
    if rows:
        connection.execute(tables.fault.insert(), rows)


def file_row(connection: sa.Connection, officer: Officer, *, file: str, kind: str) -> dict[str, Any]:
    """One file this officer may see; raises `import_unknown` (404), `other_commune` (403)."""
    columns = [each for each in tables.file.c if each.name != "content"]
    found = connection.execute(sa.select(*columns).where(tables.file.c.id == file)).mappings().one_or_none()
    if found is None:
        raise IMPORT_UNKNOWN()
    require(officer, found["commune"], node_kind=kind)
    return dict(found)


def report(row: Mapping[str, Any]) -> dict[str, Any]:
    """A file as REST shows it."""
    names = ("id", "commune", "name", "sheet", "encoding", "state", "at")
    counts = ("lines", "entered", "known", "wrong", "faults")
    waiting = row["lines"] - row["wrong"] - row["known"] - row["entered"]
    return {
        **{name: row[name] for name in (*names, *counts)},
        "waiting": 0 if row["state"] == "done" else waiting,
        "delays": json.loads(row["delays"]),
        "mapping": json.loads(row["mapping"]),
        "officer": row["officer_name"],
    }


def faults_of(
    connection: sa.Connection, row: Mapping[str, Any], *, after: tuple[int, int], limit: int
) -> list[tuple[tuple[int, int], dict[str, Any]]]:
    """What is wrong in a file, in the order of its rows: (position, as shown)."""
    table = tables.fault
    query = (
        sa.select(table)
        .where(
            table.c.file == row["id"], sa.tuple_(table.c.row, table.c.n) > sa.tuple_(*map(sa.literal, after))
        )
        .order_by(table.c.row, table.c.n)
        .limit(limit)
    )
    found = connection.execute(query).mappings()
    return [
        (
            (each["row"], each["n"]),
            Fault(each["row"], each["heading"], each["field"], each["found"], each["expected"]).told(
                row["sheet"]
            ),
        )
        for each in found
    ]


def files(
    connection: sa.Connection, *, communes: Collection[str] | None, after: tuple[str, str] | None, limit: int
) -> list[dict[str, Any]]:
    """Reports of the files of these communes (None = all), newest first."""
    table = tables.file
    columns = [each for each in table.c if each.name != "content"]
    query = sa.select(*columns).order_by(table.c.at.desc(), table.c.id.desc()).limit(limit)
    if communes is not None:
        query = query.where(table.c.commune.in_(sorted(communes)))
    if after is not None:
        query = query.where(sa.tuple_(table.c.at, table.c.id) < sa.tuple_(*map(sa.literal, after)))
    return [report(dict(row)) for row in connection.execute(query).mappings()]
