"""Deciding whether two records are one: what an officer says is written down through the door for both communes. It
merges, voids and annuls nothing: what has to follow is told him."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app.clock import stamp
from app.errors import problem
from app.ledger.bulk import lock_door, rows_by_id
from app.ledger.changing import change
from app.ledger.desk import Desk
from app.population.duplicates.compare import compare
from app.population.duplicates.index import Source
from app.population.duplicates.record import Record
from app.population.duplicates.tables import pairing

PAIR_UNKNOWN = problem(
    "pair_unknown",
    404,
    "Paire inconnue",
    "Les deux fiches doivent être sur ce serveur, ni annulées ni fusionnées.",
)


def decide(
    connection: sa.Connection,
    desk: Desk,
    source: Source,
    *,
    ids: tuple[str, str],
    verdict: str,
    note: str | None,
) -> tuple[Record, Record]:
    """Write down what the officer decides of two records; gives them, the lesser id first.

    One `pairing` stands in the area of each commune concerned, under an id that follows from the pair, so that two
    nodes that decide of one pair write to one entity; a decision replaces those its author could see. The same verdict
    and note by the same officer again writes nothing. Raises `pair_unknown` 404, `other_commune` 403 unless he sees
    both records.
    """
    lock_door(connection)
    one, other = pair_of(connection, desk, source, ids=ids)
    likeness = compare(one, other)
    now = desk.door.clock.clock.now()
    said = {
        "verdict": verdict,
        "decided_on": desk.door.clock.clock.today().isoformat(),
        "decided_at": stamp(now),
        "decided_by": desk.officer.id,
        "decided_name": desk.officer.name,
        "score": likeness.score,
        "reasons": [reason.code for reason in likeness.reasons],
        "note": note,
    }
    sides = {one.commune: (one, other)} if one.commune == other.commune else {
        one.commune: (one, other), other.commune: (other, one)
    }  # fmt: skip
    wanted = {
        pairing_id(source.of, (one.id, other.id), commune=commune): side for commune, side in sides.items()
    }
    held = rows_by_id(connection, pairing, wanted)
    if len(held) == len(wanted) and all(_says(row, said) for row in held.values()):
        return one, other
    operations = [
        _operation(connection, identity, side, of=source.of, said=said, held=held.get(identity))
        for identity, side in wanted.items()
    ]
    written = desk.door.write(connection, operations, by=desk.officer.id)
    if any(found["status"] == "quarantined" for found in written.values()):
        raise RuntimeError(f"this server may not decide of pairs: {written}")
    return one, other


def pair_of(
    connection: sa.Connection, desk: Desk, source: Source, *, ids: tuple[str, str]
) -> tuple[Record, Record]:
    """The two records, the lesser id first; raises `pair_unknown` (404), `other_commune` (403)."""
    found = source.read(connection, desk.door, set(ids))
    if len(found) < 2:
        raise PAIR_UNKNOWN()
    for record in found.values():
        desk.require(record.commune)
    first, second = sorted(found)
    return found[first], found[second]


def pairing_id(of: str, ids: tuple[str, str], *, commune: str | None) -> str:
    """The id (in the form of a UUID version 4) of what is decided in a commune about two records of a register."""
    first, second = sorted(ids)
    digest = hashlib.sha256(f"pairing {of} {first} {second} {commune}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def next_step(pair: tuple[Record, Record], verdict: str | None) -> str:
    """What has to follow, in French: a decision never changes either record."""
    if verdict is None or verdict == "unsure":
        return "Comparer les deux fiches, au besoin avec les parents ou l'autre commune, puis trancher."
    if verdict == "different":
        return "Rien : les deux fiches restent telles quelles."
    acts = [record.reference for record in pair if record.act is not None]
    if len(acts) == 2:
        return (
            f"Deux actes existent ({acts[0]} ; {acts[1]}) : aucun ne s'efface. Seul le tribunal en annule un ; "
            "saisissez le ministère public."
        )
    if acts:
        return f"L'acte {acts[0]} reste. Annulez l'autre déclaration, qui ne doit pas être enregistrée."
    return "Annulez l'une des deux déclarations ; l'autre seule sera enregistrée."


def _says(row: Mapping[str, Any], said: Mapping[str, Any]) -> bool:
    return all(row[name] == said[name] for name in ("verdict", "decided_by", "note"))


def _operation(
    connection: sa.Connection,
    identity: str,
    side: tuple[Record, Record],
    *,
    of: str,
    said: Mapping[str, Any],
    held: Mapping[str, Any] | None,
) -> dict[str, Any]:
    own, other = side
    values = {**said, "reference": own.reference, "other_reference": other.reference}
    if held is not None:
        return change(connection, "pairing", held, values=values)
    pair = {
        "of": of,
        "first": own.id,
        "second": other.id,
        "commune": own.commune,
        "other_commune": other.commune,
    }
    known = {name: value for name, value in (pair | values).items() if value is not None}
    return {"kind": "pairing", "id": identity, "new": True, "set": known}
