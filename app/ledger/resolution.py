"""A person settles a contradiction: one of the values, another one, or a question to the agent. What is decided is an
ordinary operation of this server (act `resolve`): it converges and reaches the tablets like any other."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.clock import KINSHASA, stamp
from app.errors import INVALID_INPUT, problem
from app.ledger import cases
from app.ledger.bulk import lock_door
from app.ledger.cases import ENTITY_CASES, case_id, find_case, questions_about, register_name
from app.ledger.desk import Desk, Row, invalid
from app.ledger.feed import areas_of
from app.ledger.history import check_precondition, current_dots, etag, forked_dots, histories, registers_of
from app.ledger.senders import Sender, senders_of
from app.ledger.tables import conflict, question
from app.ledger.values import typed
from sync import merge
from sync.catalogue import CATALOGUE, Register, register_of
from sync.protocol import Unreadable

FACT_OF_ACT = problem(
    "fact_of_act",
    409,
    "Donnée tirée d'un acte enregistré",
    "Seule une mention marginale ou un jugement change un acte enregistré.",
)
SETTLED_OTHERWISE = problem(
    "settled_otherwise",
    409,
    "Ce conflit se règle par un autre appel",
    "Il porte sur la fiche entière : restaurez, annulez ou séparez la fiche.",
)
NOBODY_TO_ASK = problem(
    "nobody_to_ask",
    409,
    "Aucun agent à interroger",
    "Aucune des valeurs en présence ne vient de la tablette d'un agent : tranchez.",
)
_OTHER_CALLS = {
    "void": "Annulation contestée par une modification : POST /v1/{kind}s/{id}/restore pour garder la fiche, "
    "POST /v1/{kind}s/{id}/void pour l'annuler avec ce qui a été écrit depuis.",
    "merged_into": "Fusion sans issue (deux cibles, ou un cercle) : POST /v1/{kind}s/{id}/unmerge défait la fusion "
    "de trop.",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What the officer answered: a value in presence (its dot), another `value` (`typed`), or a question."""

    choose: str | None = None
    ask: str | None = None
    typed: bool = False
    value: Any = None
    evidence: str = "declared"


@dataclass(frozen=True, slots=True)
class _Case:
    """An open case as read under the lock: its list entry, the entity's row and writes, and those that stand."""

    listed: Row
    row: Mapping[str, Any]
    kind: str
    register: Register
    registers: merge.Registers
    forked: frozenset[str]

    @property
    def standing(self) -> list[merge.Write]:
        return merge.live(self.register, self.registers.get(self.register.name, []), self.forked)

    @property
    def dots(self) -> list[str]:
        return current_dots(self.registers, self.kind, register=self.register.name, forked=self.forked)


def resolve(
    connection: sa.Connection, desk: Desk, identifier: str, *, decision: Decision, if_match: str | None
) -> dict[str, Any]:
    """Settle a case, or ask the agent, as one signed batch; gives what schemas.Resolved describes.

    Raises `conflict_not_found` 404, `other_commune` 403, `settled_otherwise`, `fact_of_act`, `nobody_to_ask` 409,
    `precondition_required` 428, `precondition_failed` 412, `invalid_input` 422.
    """
    lock_door(connection)
    case = _open_case(connection, desk, identifier)
    check_precondition(case.row, if_match)
    if decision.ask is not None:
        operations = _questions(connection, desk, case, text=decision.ask)
    else:
        operations = [_settling(connection, desk, case, decision), *_closing(connection, case)]
    try:
        desk.door.write(connection, operations, by=desk.officer.id)
    except Unreadable as error:
        raise INVALID_INPUT("Une valeur ne peut être écrite telle quelle.") from error
    return _settled(connection, desk, case)


def _open_case(connection: sa.Connection, desk: Desk, identifier: str) -> _Case:
    listed = find_case(connection, desk, identifier)
    kind, name = listed["kind"], listed["register"]
    row = cases.entities_of(connection, desk, [listed])[kind, listed["id"]]
    registers = registers_of(connection, kind, row)
    if name in ENTITY_CASES and name not in registers:
        raise SETTLED_OTHERWISE(_OTHER_CALLS[name].format(kind=kind, id=listed["id"]))
    known = CATALOGUE.get(kind)
    if known is not None and known.immutable:
        raise FACT_OF_ACT()
    if known is not None and known.server_made:
        raise SETTLED_OTHERWISE("Ce conflit est entre deux serveurs : l'administrateur le règle.")
    register = register_of(kind, register_name(listed, registers))
    return _Case(listed, row, kind, register, registers, forked_dots(connection))


# -- a value ---------------------------------------------------------------------------------------------------------


def _settling(connection: sa.Connection, desk: Desk, case: _Case, decision: Decision) -> dict[str, Any]:
    """The operation that replaces every value in presence by the one decided."""
    register, standing = case.register, case.standing
    if decision.typed:
        values = typed(connection, desk, case.kind, row=case.row, register=register, given=decision.value)
        evidence = decision.evidence
    else:
        chosen = _chosen(standing, decision.choose or "")
        spread = chosen.value if isinstance(chosen.value, dict) and len(register.fields) > 1 else None
        values = {**spread} if spread is not None else {register.name: chosen.value}
        evidence = chosen.ev
    if evidence != "act" and any(each.ev == "act" for each in standing):
        raise FACT_OF_ACT(f"« {register.name} » vient d'un acte enregistré.")
    return {
        "kind": case.kind,
        "id": case.row["id"],
        "act": "resolve",
        "set": values,
        "par": {register.name: case.dots},
        "ev": evidence,
        "at": stamp(desk.at),
    }


def _chosen(standing: Collection[merge.Write], dot: str) -> merge.Write:
    found = [each for each in standing if each.dot == dot]
    if not found:
        raise invalid("choose", "Cette valeur n'est plus en présence : relisez le conflit.")
    if len(found) > 1:
        raise invalid("choose", "Deux valeurs portent ce numéro (appareil copié) : envoyez value.")
    return found[0]


def _closing(connection: sa.Connection, case: _Case) -> list[dict[str, Any]]:
    """The questions about this case that are still open need no answer any more."""
    columns = question.c
    query = sa.select(question).where(
        columns.entity == case.row["id"],
        columns.kind == case.kind,
        columns.register == case.register.name,
        columns.stage == "open",
    )
    closing = []
    for row in [dict(each) for each in connection.execute(query).mappings()]:
        seen = current_dots(
            registers_of(connection, "question", row), "question", register="stage", forked=case.forked
        )
        said = {"set": {"stage": "answered"}, "par": {"stage": seen}}
        closing.append({"kind": "question", "id": row["id"], **said})
    return closing


# -- a question ------------------------------------------------------------------------------------------------------


def _questions(connection: sa.Connection, desk: Desk, case: _Case, *, text: str) -> list[dict[str, Any]]:
    """One question for each tablet of an agent that wrote a value in presence, where that tablet will read it."""
    authors = {each.dot.partition(":")[0]: each.by for each in case.standing if each.role == "agent"}
    if not authors:
        raise NOBODY_TO_ASK()
    senders = senders_of(connection, sorted(authors), standing=desk.door.standing)
    return [
        {
            "kind": "question",
            "id": str(uuid.uuid4()),
            "new": True,
            "set": {
                "kind": case.kind,
                "entity": case.row["id"],
                "register": case.register.name,
                "dots": case.dots,
                "text": text,
                "agent": senders[dev].agent if dev in senders else by,
                "device": dev,
                "asked_by": desk.officer.id,
                "asked_on": desk.at.astimezone(KINSHASA).date().isoformat(),
                **_place(desk, case.row, senders.get(dev)),
                "stage": "open",
            },
        }
        for dev, by in sorted(authors.items())
    ]


def _place(desk: Desk, row: Mapping[str, Any], sender: Sender | None) -> dict[str, str]:
    """The area of the entity where the tablet reads it, else the first area it does read: it must see the question."""
    areas = desk.door.areas
    code = areas.code(row["area"])
    granted = areas_of(sender, areas, communes=desk.door.territory.communes) if sender is not None else []
    readable = [each for each in granted if not each.startswith("civil:")]
    if readable and code not in readable:
        code = readable[0]
    found = {"commune": areas.commune(code), "quartier": areas.quartier(code)}
    return {name: value for name, value in found.items() if value is not None}


# -- the answer ------------------------------------------------------------------------------------------------------


def _settled(connection: sa.Connection, desk: Desk, case: _Case) -> dict[str, Any]:
    key = (case.kind, case.row["id"])
    row = cases.entities_of(connection, desk, [case.listed])[key]
    known = histories(connection, [(case.kind, row)])
    columns = conflict.c
    still = sa.select(sa.func.count()).where(
        columns.kind == case.kind, columns.id == case.row["id"], columns.register == case.listed["register"]
    )
    shown = next((each for each in known[key].get(case.register.name, []) if each["shown"]), None)
    asked = questions_about(connection, [case.listed], known)
    told = {
        "conflict": case_id(case.listed),
        "kind": case.kind,
        "id": case.row["id"],
        "register": case.register.name,
        "settled": connection.scalar(still) == 0,
        "value": shown["value"] if shown is not None else None,
        "ev": shown["ev"] if shown is not None else None,
        "etag": etag(row),
        "questions": asked.get((*key, case.listed["register"]), []),
    }
    cases.name_questions(connection, told["questions"])
    desk.journal_of(connection, [(case.kind[:32], case.row["id"], desk.commune_of(case.listed))])
    return told
