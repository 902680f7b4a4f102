"""The child of a registered birth in the population register: a person of the mother's household, the person already
there, or a task for the clerk. The operations go into the batch of the act itself."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.civil import tables
from app.ledger.changing import change
from app.ledger.entities import shown_row
from app.population.tables import person
from sync.catalogue import register_of

GONE = frozenset({"moved", "dead"})
# The tie to the head where the mother's own tie leaves no doubt; elsewhere a visit or the clerk says it.
_RELATION = {"head": "child", "spouse": "child", "child": "grandchild", "sibling": "nephew_niece"}
_FACTS = (
    *("nom", "postnom", "prenom", "sex", "birth_date", "birth_precision", "birth_words", "birth_place"),
    *("mother", "father", "mother_name", "father_name"),
)

Operation = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Placed:
    """What becomes of the child: its person and household, or a task; and the operations that say so."""

    person: str | None
    household: str | None
    task: str | None
    operations: list[Operation]


def place_child(
    connection: sa.Connection,
    values: Mapping[str, Any],
    *,
    birth: str,
    act: str,
    reference: str,
    commune: str,
) -> Placed:
    """Find the child's place for the clean `values` of its declaration.

    A person the declaration names and this register knows stays one person: the facts of the act enter his registers
    as evidence `act`. Else the child becomes a person of the household where the mother lives (a row with a
    household, neither moved nor dead). Else the clerk gets a task.
    """
    facts = _facts(values, reference)
    child = values.get("person")
    known = _row(connection, child)
    if known is not None:
        return _known(connection, known, facts, birth=birth, act=act)
    mother = resident(connection, values.get("mother"))
    if mother is not None:
        return _newborn(mother, facts, child=child or str(uuid.uuid4()), birth=birth, act=act)
    task = str(uuid.uuid4())
    what = {
        "what": "child_without_household",
        "birth": birth,
        "act": act,
        "commune": commune,
        "stage": "open",
    }
    return Placed(None, None, task, [{"kind": "task", "id": task, "new": True, "set": what}])


def recognise_child(
    connection: sa.Connection,
    values: Mapping[str, Any],
    row: Mapping[str, Any],
    *,
    birth: str,
    act: str,
    reference: str,
) -> Placed:
    """A person of the register (`row`) turns out to be the child of an act: its facts (clean `values`) and the link."""
    return _known(connection, row, _facts(values, reference), birth=birth, act=act)


def _facts(values: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """What an act says of the child, for his registers; `reference` is how his file names the act."""
    said = {name: values[name] for name in _FACTS if name in values}
    return said | {"birth_act": "seen", "birth_act_ref": reference}


def child_of(connection: sa.Connection, act: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The person of this register who is the child of an act (row): as the act names it, or as a link did later."""
    if (named := _row(connection, act["person"])) is not None:
        return named
    link = tables.link.c
    query = (
        sa.select(link.person)
        .where(link.act == act["id"], link.person.is_not(None))
        .order_by(link.id)
        .limit(1)
    )
    return _row(connection, connection.scalar(query))


def child_before(connection: sa.Connection, births: Collection[str]) -> str | None:
    """The person whom an earlier, annulled act of these declarations (ids) was linked to."""
    link = tables.link.c
    query = sa.select(link.person).where(link.birth.in_(births), link.person.is_not(None)).order_by(link.id)
    return connection.scalar(query.limit(1))


def amend_child(
    connection: sa.Connection, row: Mapping[str, Any], facts: Mapping[str, Any], *, changed: Collection[str]
) -> Operation:
    """What an act says since a note changed these fields of it, for the registers of its child (`row`); a fact that is
    missing from `facts` is emptied."""
    values = {name: facts.get(name) for name in _whole(each for each in changed if each in _FACTS)}
    return change(connection, "person", row, values=values, evidence="act")


def name_act(
    connection: sa.Connection, row: Mapping[str, Any], facts: Mapping[str, Any], *, reference: str
) -> Operation:
    """Another act of the same child (`row`) is now the one his file names, with what it says."""
    return change(connection, "person", row, values=_facts(facts, reference), evidence="act")


def release_child(connection: sa.Connection, row: Mapping[str, Any], facts: Mapping[str, Any]) -> Operation:
    """An act that is annulled proves nothing more: what it said of its child (`row`) stays as declared, to be corrected
    like any declaration, and the child is without an act."""
    values = {name: row[name] for name in _whole(each for each in _FACTS if each in facts)}
    values |= {"birth_act": "none", "birth_act_ref": None}
    return change(connection, "person", row, values=values, evidence="declared")


def _whole(names: Iterable[str]) -> set[str]:
    """These fields of a person and those that make one register with them."""
    return {field for name in names for field in register_of("person", name).fields}


def resident(connection: sa.Connection, identity: str | None) -> Mapping[str, Any] | None:
    """The row of a person known here who lives in a household, neither moved nor dead; None for anybody else."""
    row = _row(connection, identity)
    lives = row is not None and row["household"] is not None and row["status"] not in GONE
    return row if lives else None


def _known(
    connection: sa.Connection, row: Mapping[str, Any], facts: dict[str, Any], *, birth: str, act: str
) -> Placed:
    link = _link(birth=birth, act=act, person=row["id"], household=row["household"])
    said = change(connection, "person", row, values=facts, evidence="act")
    return Placed(row["id"], row["household"], None, [said, link])


def _newborn(mother: Mapping[str, Any], facts: dict[str, Any], *, child: str, birth: str, act: str) -> Placed:
    household = mother["household"]
    values = {"household": household, **facts, "status": "present"}
    relation = _RELATION.get(mother["relation"] or "")
    if relation is not None:
        values["relation"] = relation
    born: Operation = {"kind": "person", "id": child, "new": True, "set": values, "ev": "act"}
    return Placed(
        child, household, None, [born, _link(birth=birth, act=act, person=child, household=household)]
    )


def _link(*, birth: str, act: str, person: str, household: str | None) -> Operation:
    values = {"birth": birth, "act": act, "person": person}
    if household is not None:
        values["household"] = household
    return {"kind": "link", "id": str(uuid.uuid4()), "new": True, "set": values}


def _row(connection: sa.Connection, identity: str | None) -> Mapping[str, Any] | None:
    """The person an id shows; who was merged into another is that one, and who is void is nobody."""
    found = shown_row(connection, person, identity) if identity is not None else None
    return None if found is None or found["void"] else found
