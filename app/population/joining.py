"""Acts of an officer on whole records: voiding one, restoring it, merging two of one person or household, and parting
them again. Each is one operation that names everything the officer saw; what follows from it is the fold's business."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from app.errors import problem
from app.ledger.desk import Desk, Row, invalid
from app.ledger.entities import undone_merges
from app.ledger.history import check_precondition, current_dots, forked_dots, registers_of
from app.ledger.resolution import FACT_OF_ACT
from app.population.corrections import (
    RECORD_VOID,
    check_codes,
    complete_birth_date,
    find_row,
    locked_row,
    write,
)
from app.population.households import HOUSEHOLD_NOT_FOUND
from app.population.persons import PERSON_NOT_FOUND
from app.population.records import show
from app.population.tables import household, person
from sync import entity, merge
from sync.catalogue import CATALOGUE

NOT_VOID = problem(
    "not_void", 409, "Fiche non annulée", "Rien à rétablir : aucune annulation n'est en vigueur."
)
SAME_RECORD = problem(
    "same_record", 409, "Une seule et même fiche", "Ces deux identifiants mènent déjà à la même fiche."
)
NOT_MERGED = problem(
    "not_merged", 409, "Fiche non fusionnée", "Aucune fusion de cette fiche ne peut être défaite."
)

TABLES = {"person": person, "household": household}
_UNKNOWN = {"person": PERSON_NOT_FOUND, "household": HOUSEHOLD_NOT_FOUND}


def void_record(
    connection: sa.Connection, desk: Desk, kind: str, *, identity: str, seen: str | None
) -> dict[str, Any]:
    """Void the record the officer has `seen` (its ETag). Raises `record_void` (409) for one that is void already."""
    row = _locked(connection, desk, kind, identity=identity, seen=seen)
    if row["void"]:
        raise RECORD_VOID()
    registers, forked = registers_of(connection, kind, row), forked_dots(connection)
    names = [name for name in registers if name != merge.ENTITY]
    par = {name: current_dots(registers, kind, register=name, forked=forked) for name in names}
    write(connection, desk, {"kind": kind, "id": row["id"], "act": "void", "par": par})
    return _shown(connection, desk, kind, identity=identity)


def restore_record(
    connection: sa.Connection, desk: Desk, kind: str, *, identity: str, seen: str | None
) -> dict[str, Any]:
    """Undo every void of the record, those without effect too (an agent's request). Raises `not_void` (409)."""
    row = _locked(connection, desk, kind, identity=identity, seen=seen)
    registers, forked = registers_of(connection, kind, row), forked_dots(connection)
    voids = sorted({each.dot for each in entity.standing_voids(registers, forked)} - forked)
    if not voids:
        raise NOT_VOID()
    write(connection, desk, {"kind": kind, "id": row["id"], "act": "restore", "par": {"void": voids}})
    return _shown(connection, desk, kind, identity=identity)


def merge_record(
    connection: sa.Connection,
    desk: Desk,
    kind: str,
    *,
    identity: str,
    into: str,
    values: Mapping[str, Any],
    seen: str | None,
    evidence: str,
) -> dict[str, Any]:
    """Merge the record seen into another; `values` are the officer's answers, written to the one that remains.

    They replace what stands in either of the two. Raises `invalid_input` (422) for an `into` nobody knows,
    `other_commune` (403), `same_record`, `record_void`, `fact_of_act` (409).
    """
    loser = _locked(connection, desk, kind, identity=identity, seen=seen)
    survivor = find_row(connection, TABLES[kind], into)
    if survivor is None:
        raise invalid("into", "Cette fiche n'est pas au registre de ce serveur.")
    desk.require(desk.commune_of(survivor))
    if survivor["id"] == loser["id"]:
        raise SAME_RECORD()
    if loser["void"] or survivor["void"]:
        raise RECORD_VOID()
    operation: dict[str, Any] = {"kind": kind, "id": loser["id"], "act": "merge", "into": survivor["id"]}
    operation |= _answers(connection, desk, kind, rows=(survivor, loser), values=values)
    write(connection, desk, operation, evidence=evidence)
    if kind == "person":
        desk.journal(connection, [loser, survivor])
    return _shown(connection, desk, kind, identity=survivor["id"])


def _answers(
    connection: sa.Connection, desk: Desk, kind: str, *, rows: tuple[Row, Row], values: Mapping[str, Any]
) -> dict[str, Any]:
    """`set` and `par` of a merge: whole registers, against everything that stands in either record."""
    check_codes(desk, kind, values=values)
    shown = desk.door.registry.shape(kind).values_of(rows[0])
    if kind == "person":
        values = complete_birth_date(desk, values, shown=shown)
    forked = forked_dots(connection)
    both = [registers_of(connection, kind, row) for row in rows]
    written: dict[str, Any] = {}
    par: dict[str, list[str]] = {}
    touched = {known.name: known for known in (CATALOGUE[kind].register_of[name] for name in values)}
    for name, register in touched.items():
        standing = [each for held in both for each in merge.live(register, held.get(name, []), forked)]
        if any(each.ev == "act" for each in standing):
            raise FACT_OF_ACT(f"« {name} » vient d'un acte enregistré.")
        written |= {each: values[each] if each in values else shown.get(each) for each in register.fields}
        if standing:
            par[name] = sorted({each.dot for each in standing})
    return {"set": written, "par": par} if written else {}


def unmerge_record(
    connection: sa.Connection, desk: Desk, kind: str, *, identity: str, seen: str | None
) -> dict[str, Any]:
    """Undo the merges of this id; for one that was merged nowhere, those that lead to it. Raises `not_merged` (409).

    `seen` is the ETag of the record shown under the id.
    """
    row = _locked(connection, desk, kind, identity=identity, seen=seen)
    registers = registers_of(connection, kind, row)
    kept = undone_merges(connection) | forked_dots(connection)
    merges = [each for each in entity.merges_of(row["id"], registers) if each.write.dot not in kept]
    mine = [each for each in merges if each.loser == identity]
    mine = mine or [each for each in merges if each.survivor == identity] or merges
    if not mine:
        raise NOT_MERGED()
    dots = sorted({each.write.dot for each in mine})
    write(connection, desk, {"kind": kind, "id": identity, "act": "unmerge", "par": {"merge": dots}})
    return _shown(connection, desk, kind, identity=identity)


def _locked(connection: sa.Connection, desk: Desk, kind: str, *, identity: str, seen: str | None) -> Row:
    row = locked_row(connection, TABLES[kind], identity)
    if row is None:
        raise _UNKNOWN[kind]()
    desk.require(desk.commune_of(row))
    check_precondition(row, seen)
    return row


def _shown(connection: sa.Connection, desk: Desk, kind: str, *, identity: str) -> dict[str, Any]:
    row = find_row(connection, TABLES[kind], identity)
    if row is None:
        raise _UNKNOWN[kind]()
    if kind == "person":
        desk.journal(connection, [row])
    return show(connection, desk, kind, rows=[row])[0]
