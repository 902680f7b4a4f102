"""The same child declared twice: declared births and acts as the records that app.population.duplicates compares, and
what the officer at the desk is told. A suspicion never refuses nor delays anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import orjson
import sqlalchemy as sa

from app.access.journal import record_reads
from app.access.jurisdiction import communes_of
from app.access.officers import Officer
from app.civil import tables
from app.civil.act import reference
from app.ledger.door import Door
from app.population.duplicates.index import Followed, Found, Source, look, sweep
from app.population.duplicates.record import FIELDS, Record, record_of

MOST_TOLD = 5
# What tablets and the other communes sent since. Few: a clerk waits, and after an import thousands are behind; the
# sweep beside the server takes them.
MOST_SWEPT = 20
_READ = (*FIELDS, "declared_on", "area")
_PLACE = ("office", "volume", "year", "number")


_BIRTH, _ACT = tables.birth.c, tables.act.c
_WANTED: sa.BindParameter[Any] = sa.bindparam("wanted", expanding=True)
_DECLARED = sa.select(*(_BIRTH[name] for name in (*_READ, "id", "void", "merged_into"))).where(
    _BIRTH.id.in_(_WANTED)
)
_DRAWN = (
    sa.select(*(_ACT[name] for name in (*_READ, *_PLACE, "id", "birth", "facts") if name in _ACT))
    .where(_ACT.birth.in_(_WANTED))
    .order_by(_ACT.id.desc())
)


def read_births(connection: sa.Connection, door: Door, births: Collection[str]) -> dict[str, Record]:
    """The records of these births: as their act says where there is one, else as declared. Void declarations without
    an act and those merged into another are none."""
    if not births:
        return {}
    wanted = {"wanted": list(births)}
    declared = {row["id"]: dict(row) for row in connection.execute(_DECLARED, wanted).mappings()}
    acts = {row["birth"]: dict(row) for row in connection.execute(_DRAWN, wanted).mappings()}
    today = door.clock.clock.today()
    found = {}
    for identity in births:
        row, drawn = declared.get(identity), acts.get(identity)
        if row is not None and row["merged_into"] is not None:
            continue
        if drawn is not None:
            found[identity] = _registered(door, identity, drawn, today=today)
        elif row is not None and not row["void"]:
            found[identity] = _record(door, identity, row, today=today)
    return found


BIRTHS = Source(
    "birth",
    (
        Followed("birth", tables.birth, tables.birth.c.id),
        # The act of a standing declaration says what that said: only the others are followed on their own.
        Followed(
            "act",
            tables.act,
            tables.act.c.birth,
            ~sa.exists().where(tables.birth.c.id == tables.act.c.birth, tables.birth.c.void.is_(None)),
        ),
    ),
    read_births,
)


def declared_twice(
    connection: sa.Connection, door: Door, officer: Officer, *, birth: str, route: str = "POST /v1/births"
) -> list[dict[str, str]]:
    """Warnings `possible_duplicate` about a declaration just written by `route`: what looks like it on this server.

    Of a child of a commune the officer does not see, only commune and reference are told. Whose names are told is
    noted in the journal.
    """
    swept = sweep(connection, door, BIRTHS, most=MOST_SWEPT)
    # Behind a long backlog the new declaration is looked at alone.
    alike = swept[birth] if birth in swept else look(connection, door, BIRTHS, subject=birth)
    found = alike[:MOST_TOLD]
    communes = communes_of(officer, door.standing.kind)
    seen = [each.record for each in found if communes is None or each.record.commune in communes]
    at = door.clock.clock.now()
    shown = [("birth", record.id, record.commune) for record in seen]
    record_reads(connection, officer, shown=shown, route=route, at=at)
    return [_warning(door, each, named=each.record in seen) for each in found]


def _warning(door: Door, found: Found, *, named: bool) -> dict[str, str]:
    record, likeness = found.record, found.likeness
    how = "Probablement" if likeness.level == "likely" else "Peut-être"
    where = f"acte {record.reference}" if record.reference else f"déclaration du {record.on or '?'}"
    if named:
        names = " ".join(name for name in (record.nom, record.postnom, record.prenom) if name)
        who = f"{names or 'sans nom'}, {record.birth_date or 'date de naissance inconnue'}, {record.id}"
    else:
        who = f"commune {door.territory.commune_names.get(record.commune or '', record.commune or '?')}"
    reasons = " ; ".join(reason.text for reason in likeness.reasons)
    message = f"{how} déjà déclarée : {where} ({who}). Score {likeness.score} sur 100 : {reasons}."
    advice = (
        "La déclaration est reçue : demandez s'il s'agit du même enfant, puis décidez (GET /v1/duplicates)."
    )
    return {"code": "possible_duplicate", "field": "nom", "message": message, "advice": advice}


def _registered(door: Door, identity: str, act: Mapping[str, Any], *, today: date) -> Record:
    facts = orjson.loads(act["facts"]) if act["facts"] else {}
    place = [act[name] for name in _PLACE]
    named = None
    if None not in place:
        named = reference(act["office"], act["volume"], year=act["year"], number=act["number"])
    values = {**facts, **{name: value for name, value in act.items() if value is not None}}
    return _record(door, identity, values, today=today, act=act["id"], named=named)


def _record(
    door: Door,
    identity: str,
    values: Mapping[str, Any],
    *,
    today: date,
    act: str | None = None,
    named: str | None = None,
) -> Record:
    on = values.get("declared_on")
    known_on = date.fromisoformat(on) if on is not None and len(on) == 10 else today
    return record_of(
        values,
        known_on,
        identity=identity,
        of="birth",
        commune=door.areas.commune(door.areas.code(values["area"])),
        act=act,
        reference=named,
        on=on,
    )
