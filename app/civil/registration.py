"""Registering a declared birth: the act is drawn up today, numbered by the server, and never changed again. The child
enters the population register in the same signed batch."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.civil.act import Drawing, Place, act_of, with_text
from app.civil.books.numbering import take_number
from app.civil.books.offices import office_commune, require_open
from app.civil.books.provisionals import number_provisionals
from app.civil.child import Placed, child_before, place_child
from app.civil.declaration import answered, delay, refuse
from app.civil.finding import birth_row, births_of
from app.civil.plausibility import NAMES
from app.civil.standing import require_unregistered
from app.civil.wording import CAPACITIES, Head
from app.clock import KINSHASA, stamp
from app.errors import problem
from app.law.dates import possible_days
from app.law.delay import OUTCOME, DelayAnswer
from app.law.registers import judgment_needed
from app.ledger.bulk import lock_door
from app.ledger.door import Door
from app.ledger.node import require_caught_up
from app.ledger.tables import conflict

JUDGMENT_REQUIRED = problem(
    "judgment_required",
    422,
    "Jugement supplétif nécessaire",
    "Donnez le tribunal, le numéro et la date du jugement (`judgment`).",
)
DECLARATION_DOUBTFUL = problem(
    "declaration_doubtful",
    422,
    "Déclaration à corriger d'abord",
    "Un acte ne se dresse que sur des données claires.",
)
DECLARATION_CONTESTED = problem(
    "declaration_contested", 409, "Déclaration en conflit", "Réglez d'abord le conflit (GET /v1/conflicts)."
)
DECLARATION_VOID = problem(
    "declaration_void",
    409,
    "Déclaration annulée",
    "Une déclaration annulée ne se corrige ni ne s'enregistre.",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the registrar says: where the act is entered, and the judgment {court, number, date} where there is one."""

    office: str
    volume: str
    folio: str | None
    judgment: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Ready:
    """A declaration on which an act may stand: its id, commune and clean values, and the law's answer."""

    birth: str
    commune: str
    values: dict[str, Any]
    answer: DelayAnswer


@dataclass(frozen=True, slots=True)
class Spoken:
    """How an act was read back before it is signed: the language, and the interpreter where there was one."""

    language: str | None = None
    interpreter: str | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """An act just drawn up."""

    id: str
    birth: str
    place: Place
    answer: DelayAnswer
    child: Placed
    warnings: list[dict[str, str]]

    def shown(self) -> dict[str, Any]:
        """The act as REST answers its registration."""
        place, child = self.place, self.child
        return {
            "id": self.id,
            "birth": self.birth,
            "commune": place.commune,
            "office": place.office,
            "year": place.year,
            "volume": place.volume,
            "number": place.number,
            "folio": place.folio,
            "registered_on": place.registered_on,
            "person": child.person,
            "household": child.household,
            "task": child.task,
            "warnings": self.warnings,
            **answered(self.answer),
        }


def ready(
    connection: sa.Connection, door: Door, officer: Officer, *, birth: str, entry: Entry, today: date
) -> Ready:
    """The declaration of a birth whose act may be drawn up on `today` in this book. Under the door's lock.

    Raises `birth_unknown` 404, `other_commune` 403, `already_registered` 409, `declaration_contested` 409,
    `declaration_void` 409, `office_closed` 409, `declaration_doubtful` 422, `judgment_required` 422, `invalid_input`
    422.
    """
    row = birth_row(connection, birth)
    commune = door.areas.commune(door.areas.code(row["area"]))
    require(officer, commune, node_kind=door.standing.kind)
    if row["void"]:
        raise DECLARATION_VOID()
    births = births_of(connection, row["id"])
    require_unregistered(connection, births)
    values = _settled_values(connection, door, row=row, today=today)
    _require_office(connection, door, officer, entry=entry, commune=commune, today=today)
    answer = delay(values)
    _require_judgment(answer, entry, values=values, today=today)
    if (before := child_before(connection, births)) is not None:
        values.setdefault("person", before)
    return Ready(row["id"], commune or "", values, answer)


def register(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    birth: str,
    entry: Entry,
    today: date,
    spoken: Spoken = Spoken(),
    beside: Callable[[Act], Sequence[Mapping[str, Any]]] | None = None,
) -> Act:
    """Draw up the act of one declared birth on `today`, with the next number of the office and year (or volume).

    One signed batch in the caller's transaction: the act with its text, the child's person and link or a task, a
    provisional declaration that waited for this number, and the operations `beside` makes of the act. A birth whose act
    was annulled is registered anew, for the same child. Raises what `ready` raises, `volume_closed` 409, and
    `catching_up` 503.
    """
    # Numbers and the question whether an act exists are answered under the lock held to commit.
    lock_door(connection)
    require_caught_up(connection)
    found = ready(connection, door, officer, birth=birth, entry=entry, today=today)
    key = (entry.office, today.year, entry.volume)
    number, warnings = take_number(connection, key, folio=entry.folio, today=today)
    place = Place(
        found.commune, entry.office, today.year, entry.volume, number, entry.folio, today.isoformat()
    )
    act = str(uuid.uuid4())
    child = place_child(
        connection, found.values, birth=found.birth, act=act, reference=place.reference, commune=place.commune
    )
    now = door.clock.clock.now()
    drawing = Drawing("registration", stamp(now), officer.id, officer.name)
    fields, answer = act_of(
        found.values, place, birth=found.birth, drawing=drawing, judgment=entry.judgment, person=child.person
    )
    head = head_of(connection, door, entry, drawn=now, number=number, officer=officer, spoken=spoken)
    fields = with_text(fields, found.values, head=head)
    made = Act(act, found.birth, place, answer, child, warnings)
    new = {"kind": "act", "id": act, "new": True, "set": fields}
    numbered = number_provisionals(connection, found.birth, act=act, today=today)
    more = beside(made) if beside else ()
    written = door.write(connection, [new, *child.operations, *numbered, *more], by=officer.id)
    if any(each["status"] == "quarantined" for each in written.values()):
        raise RuntimeError(f"this server may not register births: {written}")
    return made


def head_of(
    connection: sa.Connection,
    door: Door,
    entry: Entry,
    *,
    drawn: datetime,
    number: int | None = None,
    officer: Officer,
    spoken: Spoken = Spoken(),
) -> Head:
    """What the text of an act says of where, when (`drawn`, any zone) and by whom it is drawn up in this book.

    The officer is named only where his role signs acts: a clerk's draft leaves room for the name.
    """
    local = drawn.astimezone(KINSHASA)
    commune = office_commune(connection, door, entry.office) or ""
    return Head(
        drawn=local,
        commune=door.territory.commune_names.get(commune, commune),
        office=entry.office,
        year=local.year,
        volume=entry.volume,
        number=number,
        folio=entry.folio,
        officer=officer.name if officer.role in CAPACITIES else None,
        capacity=CAPACITIES.get(officer.role, CAPACITIES["registrar"]),
        judgment=entry.judgment,
        language=spoken.language,
        interpreter=spoken.interpreter,
    )


def _settled_values(
    connection: sa.Connection, door: Door, *, row: Mapping[str, Any], today: date
) -> dict[str, Any]:
    """The clean values of a declaration on which an act may stand."""
    shape = door.registry.shapes["birth"]
    contested = conflict.c.kind == "birth", conflict.c.id == row["id"], conflict.c.weight > 0
    fields = connection.execute(sa.select(conflict.c.register).where(*contested)).scalars().all()
    if fields:
        raise DECLARATION_CONTESTED(f"Plusieurs valeurs se disputent : {', '.join(sorted(fields))}.")
    values = shape.clean_values(row)
    doubtful = sorted(shape.doubtful(row))
    if doubtful:
        raise DECLARATION_DOUBTFUL(f"Valeurs douteuses : {', '.join(doubtful)}.")
    if not any(name in values for name in NAMES):
        raise DECLARATION_DOUBTFUL("L'enfant n'a pas de nom.")
    declared_on, birth_date = values.get("declared_on", ""), values.get("birth_date", "")
    if declared_on > today.isoformat() or birth_date > today.isoformat():
        raise DECLARATION_DOUBTFUL("La naissance ou sa déclaration est datée dans l'avenir.")
    if declared_on and birth_date > declared_on:
        raise DECLARATION_DOUBTFUL("La naissance est postérieure à sa déclaration.")
    return values


def _require_office(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    entry: Entry,
    commune: str | None,
    today: date,
) -> None:
    home = office_commune(connection, door, entry.office)
    if home is None:
        raise refuse([{"field": "office", "message": "Ce bureau de l'état civil n'existe pas."}])
    require(officer, home, node_kind=door.standing.kind)
    if home != commune:
        raise refuse([{"field": "office", "message": "La naissance a été déclarée dans une autre commune."}])
    require_open(connection, entry.office, day=today)


def _require_judgment(answer: DelayAnswer, entry: Entry, *, values: Mapping[str, Any], today: date) -> None:
    judgment = entry.judgment
    if judgment is None:
        if judgment_needed(answer.delay, values.get("mode")):
            doubt = (
                " Une date de naissance plus précise peut lever le doute."
                if answer.delay == "undetermined"
                else ""
            )
            reason = OUTCOME[answer.delay] if answer.delay != "in_delay" else "déclarée sur jugement"
            raise JUDGMENT_REQUIRED(
                f"Naissance {reason} : l'acte ne se dresse que sur un jugement supplétif.{doubt}"
            )
        return
    judged = date.fromisoformat(judgment["date"])
    born = possible_days(values.get("birth_date"), None, declared_on=today)
    if judged > today:
        raise refuse([{"field": "judgment.date", "message": "Le jugement est daté dans l'avenir."}])
    if born is not None and judged < born.earliest:
        raise refuse([{"field": "judgment.date", "message": "Le jugement est antérieur à la naissance."}])
