"""The same register pages keyed by two officers, compared line by line: equal lines may enter, the others wait for
somebody who keyed neither. What was typed stays here word for word."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.civil.declaration import FieldError
from app.civil.reprise import Line, paper_line
from app.civil.takeover import tables
from app.civil.takeover.checking import Keyed
from app.civil.takeover.mapping import read_mapping
from app.civil.takeover.receiving import CHUNK, differences, file_row, open_pages
from app.clock import stamp
from app.errors import problem
from app.ledger.door import Door

KEYING_UNKNOWN = problem(
    "keying_unknown", 404, "Double saisie inconnue", "Vérifiez l'identifiant (GET /v1/keyings)."
)
KEYED_BY_ONE = problem(
    "keyed_by_one",
    409,
    "Deux personnes différentes sont nécessaires",
    "Les deux saisies viennent de deux officiers ; un troisième, qui n'a saisi ni l'une ni l'autre, arbitre.",
)
NOT_TWO_KEYINGS = problem(
    "not_two_keyings",
    409,
    "Ces deux fichiers ne se comparent pas",
    "Donnez deux fichiers lus, de la même commune, dont aucun acte n'est encore entré.",
)

WAITING = ("differs", "first_only", "second_only", "wrong", "taken")
NUMBER = ("office", "year", "volume", "number")
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Side:
    """One keying: its file and its lines by their number in the books."""

    file: Mapping[str, Any]
    lines: dict[str, Keyed]


def compare_keyings(
    connection: sa.Connection, door: Door, officer: Officer, *, name: str, first: str, second: str
) -> str:
    """Compare two files of one commune, brought by two officers, in the caller's transaction; gives the keying's id.

    Raises `keyed_by_one`, `not_two_keyings` (409), `import_unknown`, `other_commune`.
    """
    one, two = (_side(connection, door, officer, file=each) for each in (first, second))
    if one.file["officer"] == two.file["officer"]:
        raise KEYED_BY_ONE("Les deux fichiers ont été saisis par la même personne.")
    if first == second or one.file["commune"] != two.file["commune"]:
        raise NOT_TWO_KEYINGS()
    identity = str(uuid.uuid4())
    rows = list(_compared(connection, door, one=one, two=two))
    connection.execute(
        tables.keying.insert().values(
            id=identity,
            commune=one.file["commune"],
            name=name,
            first=first,
            second=second,
            fields=sum(row.pop("fields") for row in rows),
            at=stamp(door.clock.clock.now()),
            by=officer.id,
        )
    )
    for at in range(0, len(rows), CHUNK):
        portion = [{"keying": identity, "n": at + n, **row} for n, row in enumerate(rows[at : at + CHUNK])]
        connection.execute(tables.keyed_line.insert(), portion)
    # The lines are kept here now, and the files' acts enter only through this keying.
    kept = tables.file.update().where(tables.file.c.id.in_((first, second)))
    connection.execute(kept.values(state="keying", content=None))
    return identity


def _side(connection: sa.Connection, door: Door, officer: Officer, *, file: str) -> Side:
    row = file_row(connection, officer, file=file, kind=door.standing.kind)
    content = connection.execute(sa.select(tables.file.c.content).where(tables.file.c.id == file)).scalar()
    if row["state"] != "checked" or content is None:
        raise NOT_TWO_KEYINGS(f"« {row['name']} » est déjà entré, ou fait partie d'une autre double saisie.")
    lines: dict[str, Keyed] = {}
    for keyed in open_pages(zlib.decompress(content), read_mapping(row["mapping"]), sheet=row["sheet"]):
        if keyed.key is None or not keyed.key.isprintable() or keyed.key in lines:
            raise NOT_TWO_KEYINGS(
                f"« {row['name']} », ligne {keyed.row} : le numéro de l'acte manque ou est déjà plus haut."
            )
        lines[keyed.key] = keyed
    return Side(row, lines)


def _compared(connection: sa.Connection, door: Door, *, one: Side, two: Side) -> Iterator[dict[str, Any]]:
    for key in dict.fromkeys([*one.lines, *two.lines]):
        first, second = one.lines.get(key), two.lines.get(key)
        row: dict[str, Any] = {
            "number_key": key, "first": None, "second": None, "agreed": None, "fields": 0, "differing": 0,
            "first_wrong": 0, "second_wrong": 0,
        }  # fmt: skip
        said = [fields_of(each) if each is not None else None for each in (first, second)]
        row["first"], row["second"] = (_text(each) if each is not None else None for each in said)
        if said[0] is None or said[1] is None:
            yield row | {"state": "second_only" if said[0] is None else "first_only"}
            continue
        apart = differences(said[0], said[1])
        row |= {"fields": len({*said[0], *said[1]}), "differing": len(apart)}
        if apart:
            yield row | {"state": "differs"}
            continue
        wrong = errors_of(connection, said[0], door=door, commune=one.file["commune"])
        yield row | ({"state": "wrong"} if wrong else {"state": "equal", "agreed": row["first"]})


def fields_of(keyed: Keyed) -> Fields:
    """A line field by field: the values read, and the text of the cells that could not be."""
    return flat(keyed.act) | {fault.field: fault.found for fault in keyed.faults}


def flat(act: Mapping[str, Any]) -> Fields:
    """A paper act with the members of its judgment beside the others ("judgment.date")."""
    judgment = {f"judgment.{name}": value for name, value in act.get("judgment", {}).items()}
    return {name: value for name, value in act.items() if name != "judgment"} | judgment


def line_of(
    connection: sa.Connection, fields: Fields, *, door: Door, commune: str
) -> tuple[Line | None, list[FieldError]]:
    """The paper act these fields make, and what cannot be true of it."""
    act = {name: value for name, value in fields.items() if not name.startswith("judgment.")}
    judgment = {
        name.removeprefix("judgment."): value
        for name, value in fields.items()
        if name.startswith("judgment.")
    }
    if judgment:
        act["judgment"] = judgment
    today = door.clock.clock.today()
    return paper_line(connection, act, at=0, door=door, communes=frozenset({commune}), today=today)


def errors_of(connection: sa.Connection, fields: Fields, *, door: Door, commune: str) -> list[FieldError]:
    """What cannot be true of these fields."""
    return line_of(connection, fields, door=door, commune=commune)[1]


def keying_row(connection: sa.Connection, officer: Officer, *, keying: str, kind: str) -> dict[str, Any]:
    """One keying this officer may see, with both files' officers; raises `keying_unknown`, `other_commune`."""
    one, two = tables.file.alias("one"), tables.file.alias("two")
    query = (
        sa.select(
            tables.keying,
            one.c.officer.label("first_officer"),
            one.c.officer_name.label("first_name"),
            two.c.officer.label("second_officer"),
            two.c.officer_name.label("second_name"),
        )
        .join(one, one.c.id == tables.keying.c.first)
        .join(two, two.c.id == tables.keying.c.second)
        .where(tables.keying.c.id == keying)
    )
    found = connection.execute(query).mappings().one_or_none()
    if found is None:
        raise KEYING_UNKNOWN()
    require(officer, found["commune"], node_kind=kind)
    return dict(found)


def keying_report(connection: sa.Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    """How a keying stands: lines by state, fields compared and differing, each officer's errors as far as judged."""
    line = tables.keyed_line
    sums = [
        sa.func.coalesce(sa.func.sum(line.c[name]), 0)
        for name in ("differing", "first_wrong", "second_wrong")
    ]
    query = (
        sa.select(line.c.state, sa.func.count(), *sums)
        .where(line.c.keying == row["id"])
        .group_by(line.c.state)
    )
    states: dict[str, int] = {}
    differing, wrong, open_fields = 0, [0, 0], 0
    for state, count, apart, first, second in connection.execute(query):
        states[state] = count
        differing += int(apart)
        open_fields += int(apart) if state == "differs" else 0
        wrong = [wrong[0] + int(first), wrong[1] + int(second)]
    missing = _missing(connection, row["id"])
    fields = row["fields"]
    keyers = [
        {
            "name": row[f"{side}_name"], "wrong": wrong[at], "rate": _rate(wrong[at], fields),
            "missing_lines": missing[at],
        }
        for at, side in enumerate(("first", "second"))
    ]  # fmt: skip
    names = ("id", "commune", "name", "first", "second", "at", "fields")
    return {
        **{name: row[name] for name in names},
        "differing": differing,
        "rate": _rate(differing, fields),
        "waiting_fields": open_fields,
        "states": states,
        "keyers": keyers,
    }


def _missing(connection: sa.Connection, keying: str) -> tuple[int, int]:
    """Lines the first and the second officer did not key."""
    line = tables.keyed_line
    of = line.c.keying == keying
    first, second = (
        connection.execute(sa.select(sa.func.count()).where(of, line.c[side].is_(None))).scalar_one()
        for side in ("first", "second")
    )
    return first, second


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None


def differing_lines(
    connection: sa.Connection, row: Mapping[str, Any], door: Door, *, after: int, limit: int
) -> list[tuple[int, dict[str, Any]]]:
    """Lines that wait for somebody, in the order of the pages: (position, as shown)."""
    line = tables.keyed_line
    query = (
        sa.select(line)
        .where(line.c.keying == row["id"], line.c.state.in_(WAITING), line.c.n > after)
        .order_by(line.c.n)
        .limit(limit)
    )
    found = connection.execute(query).mappings().all()
    commune = row["commune"]
    return [(each["n"], _shown(connection, dict(each), door=door, commune=commune)) for each in found]


def _shown(connection: sa.Connection, line: Mapping[str, Any], *, door: Door, commune: str) -> dict[str, Any]:
    first, second = (json.loads(line[side]) if line[side] else None for side in ("first", "second"))
    some = first or second or {}
    fields = [
        {"field": name, "first": one, "second": other}
        for name, (one, other) in differences(first or {}, second or {}).items()
    ]
    agreed = json.loads(line["agreed"]) if line["agreed"] else some
    errors = errors_of(connection, agreed, door=door, commune=commune) if line["state"] != "differs" else []
    if line["state"] == "taken":
        errors = [
            {
                "field": "number",
                "message": "Un acte de ce volume porte déjà ce numéro, avec d'autres mentions.",
            }
        ]
    return {
        **{name: some.get(name) for name in NUMBER},
        "state": line["state"],
        "fields": fields,
        "errors": errors,
    }


def keyings(
    connection: sa.Connection, *, communes: Collection[str] | None, after: tuple[str, str] | None, limit: int
) -> list[dict[str, Any]]:
    """The keyings of these communes (None = all), newest first."""
    table = tables.keying
    names = ("id", "commune", "name", "first", "second", "at", "fields")
    query = (
        sa.select(*(table.c[name] for name in names))
        .order_by(table.c.at.desc(), table.c.id.desc())
        .limit(limit)
    )
    if communes is not None:
        query = query.where(table.c.commune.in_(sorted(communes)))
    if after is not None:
        query = query.where(sa.tuple_(table.c.at, table.c.id) < sa.tuple_(*map(sa.literal, after)))
    return [dict(row) for row in connection.execute(query).mappings()]


def _text(fields: Fields) -> str:
    return json.dumps(fields, ensure_ascii=False, sort_keys=True)
