"""Issuing documents: what an act or a declaration says today is numbered, signed and written into the register of
issues, once and for ever. Printing them is the press's work."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.access.jurisdiction import require
from app.access.officers import Officer
from app.civil.declaration import delay
from app.civil.finding import birth_row, births_of
from app.civil.late.tables import late_procedure
from app.civil.standing import require_unregistered
from app.clock import moment, stamp
from app.documents.printing import Press, Print
from app.documents.reading import ActToPrint, acts_to_print
from app.documents.seal import Paper, fingerprint, seal
from app.documents.sheet import Issue, act_sheet, paper_facts, receipt_sheet, request_sheet
from app.documents.tables import civil_document
from app.errors import problem
from app.law.delay import OUTCOME, DelayAnswer
from app.law.registers import judgment_needed
from app.ledger.bulk import lock_door
from app.ledger.door import Door
from app.ledger.node import require_caught_up

DOCUMENT_UNKNOWN = problem("document_unknown", 404, "Document inconnu", "Vérifiez l'identifiant du document.")
ANNULLED_EXTRACT = problem(
    "annulled_act_extract",
    409,
    "Acte annulé : aucun extrait",
    "D'un acte annulé on ne délivre que la copie intégrale, qui porte « ACTE ANNULÉ ».",
)
NO_JUDGMENT_NEEDED = problem(
    "no_judgment_needed",
    409,
    "Aucun jugement nécessaire",
    "La naissance a été déclarée dans les délais : l'officier dresse l'acte sans le tribunal.",
)
COURT_TO_NAME = "Tribunal compétent : ……………………………………"


@dataclass(frozen=True, slots=True)
class Order:
    """What the officer asks for: the type of document, what for, on which day, and where papers can be verified."""

    type: str
    purpose: str | None
    today: date
    verify_at: str = ""


@dataclass(frozen=True, slots=True)
class Issued:
    """A document as it was issued: its row's fields, `facts` being the sheet it prints."""

    values: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Its identifier."""
        return str(self.values["id"])

    @property
    def reference(self) -> str:
        """`CD-KN-017-01/2026/12`: office, year, issue number."""
        return f"{self.values['office']}/{self.values['year']}/{self.values['number']}"

    @property
    def file_name(self) -> str:
        """`CD-KN-017-01-2026-12-extract.pdf`: unique among all documents."""
        return f"{self.reference.replace('/', '-')}-{self.values['type']}.pdf"

    @property
    def template(self) -> str:
        """The set of templates it was printed with."""
        return str(self.values["template"])

    def to_print(self) -> Print:
        """What the press needs to print it, the first time and ever after."""
        at = moment(self.values["issued_at"])
        return Print(self.values["type"], self.values["facts"], self.values["signed_code"], at)


def issue_of_acts(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    acts: Sequence[str],
    order: Order,
    press: Press,
) -> list[Issued]:
    """Issue one document of `order.type` (full copy or extract) for each act, in order, in the caller's transaction.

    Raises `act_unknown` 404, `other_commune` 403, `annulled_act_extract` 409, `catching_up` 503.
    """
    lock_door(connection)
    require_caught_up(connection)
    found = acts_to_print(connection, door, acts)
    for act in found:
        require(officer, act.commune, node_kind=door.standing.kind)
        if act.annulled_on is not None and order.type != "full_copy":
            raise ANNULLED_EXTRACT(act=act.id)
    clerk = _Desk(connection, door, officer, order=order, press=press)
    return clerk.issue([clerk.of_act(act) for act in found])


def issue_of_birth(
    connection: sa.Connection,
    door: Door,
    officer: Officer,
    *,
    birth: str,
    order: Order,
    press: Press,
    court: str | None = None,
    requester: str | None = None,
) -> Issued:
    """Issue the receipt of a declaration, or the request to the court for a late one.

    Raises `birth_unknown` 404, `other_commune` 403, `catching_up` 503; for a request also `already_registered` 409 and
    `no_judgment_needed` 409 (Family Code, art. 106 to 109 and 116).
    """
    lock_door(connection)
    require_caught_up(connection)
    row = birth_row(connection, birth)
    commune = door.areas.commune(door.areas.code(row["area"]))
    require(officer, commune, node_kind=door.standing.kind)
    values = door.registry.shapes["birth"].clean_values(row)
    answer = delay(values)
    clerk = _Desk(connection, door, officer, order=order, press=press)
    if order.type == "court_request":
        _require_request(connection, row["id"], answer=answer, mode=values.get("mode"))
        named = court or _court_of(connection, row["id"])
        draft = clerk.of_birth(row["id"], commune, values=values, court=named, requester=requester)
    else:
        draft = clerk.of_birth(row["id"], commune, values=values, delay_words=_delay_words(answer))
    return clerk.issue([draft])[0]


def find_document(connection: sa.Connection, door: Door, *, officer: Officer, document: str) -> Issued:
    """A document issued before; raises `document_unknown` (404) or `other_commune` (403)."""
    query = sa.select(civil_document).where(civil_document.c.id == document)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        raise DOCUMENT_UNKNOWN()
    require(officer, row["commune"], node_kind=door.standing.kind)
    return _issued(dict(row))


def documents_of(connection: sa.Connection, act: ActToPrint) -> list[Issued]:
    """Every document issued of an act, oldest first."""
    place = civil_document.c
    query = sa.select(civil_document).where(place.act == act.id)
    rows = connection.execute(query.order_by(place.issued_at, place.number, place.id)).mappings()
    return [_issued(dict(row)) for row in rows]


def documents_by_id(connection: sa.Connection, ids: Sequence[str]) -> list[Issued]:
    """Documents issued before, in the order of `ids`."""
    rows = connection.execute(sa.select(civil_document).where(civil_document.c.id.in_(ids))).mappings()
    found = {row["id"]: _issued(dict(row)) for row in rows}
    return [found[each] for each in ids]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A document before it has its number: where it is issued, what its seal and its sheet will say."""

    act: str | None
    birth: str | None
    commune: str
    office: str
    facts: Mapping[str, str | int]
    sheet: Any


class _Desk:
    """One order of one officer under the door's lock."""

    def __init__(
        self, connection: sa.Connection, door: Door, officer: Officer, *, order: Order, press: Press
    ) -> None:
        self._connection, self._door, self._officer = connection, door, officer
        self._order, self._press = order, press
        self._at = stamp(door.clock.clock.now())
        self._given: Counter[str] = Counter()

    def of_act(self, act: ActToPrint) -> _Draft:
        full = self._order.type == "full_copy"
        read = act.original if full else act.reading
        facts = paper_facts(read) | {"notes": len(act.notes)}
        if act.annulled_on is not None:
            facts["annulled_on"] = act.annulled_on

        def sheet(issue: Issue) -> dict[str, Any]:
            return act_sheet(issue, read, notes=act.notes, annulled_on=act.annulled_on)

        return _Draft(act.id, act.birth, act.commune, read["office"], facts, sheet)

    def of_birth(
        self,
        birth: str,
        commune: str | None,
        *,
        values: Mapping[str, Any],
        court: str | None = None,
        requester: str | None = None,
        delay_words: str = "",
    ) -> _Draft:
        home = commune or ""
        office = values.get("office") or next(iter(self._door.territory.offices_of(home)), f"{home}-01")
        facts = paper_facts(values)
        if court is not None:
            facts["court"] = court

        def sheet(issue: Issue) -> dict[str, Any]:
            if court is not None:
                return request_sheet(issue, values, court=court, requester=requester)
            return receipt_sheet(issue, values, delay_words=delay_words)

        return _Draft(None, birth, home, office, facts, sheet)

    def issue(self, drafts: Sequence[_Draft]) -> list[Issued]:
        """Number, sign and write them down in one signed batch."""
        issued = [self._one(draft) for draft in drafts]
        operations = [
            {
                "kind": "document",
                "id": each.id,
                "new": True,
                "set": {
                    name: value for name, value in each.values.items() if name != "id" and value is not None
                },
            }
            for each in issued
        ]
        written = self._door.write(self._connection, operations, by=self._officer.id)
        if any(found["status"] == "quarantined" for found in written.values()):
            raise RuntimeError(f"this server may not issue documents: {written}")
        return issued

    def _one(self, draft: _Draft) -> Issued:
        order, officer = self._order, self._officer
        number = self._next_number(draft.office)
        name = self._door.territory.commune_names.get(draft.commune, draft.commune)
        issue = Issue(
            order.type, name, draft.office, order.today.year, number, order.today.isoformat(), officer.name,
            order.purpose, order.verify_at,
        )  # fmt: skip
        paper = Paper(
            order.type,
            draft.office,
            order.today.year,
            number,
            int(moment(self._at).timestamp()),
            fingerprint(draft.act) if draft.act is not None else None,
            draft.facts,
        )
        identity = self._door.identity
        return Issued(
            {
                "id": str(uuid.uuid4()),
                "act": draft.act,
                "birth": draft.birth,
                "commune": draft.commune,
                "office": draft.office,
                "type": order.type,
                "year": order.today.year,
                "number": number,
                "issued_on": order.today.isoformat(),
                "issued_at": self._at,
                "issued_by": officer.id,
                "issued_name": officer.name,
                "purpose": order.purpose,
                "signed_code": seal(paper, identity.key, kid=identity.dev),
                "key_id": identity.dev,
                "template": self._press.template_for(draft.commune, order.type),
                "facts": draft.sheet(issue),
            }
        )

    def _next_number(self, office: str) -> int:
        """The next of its office and year: under the door's lock nobody else gives one, and none is given twice."""
        if office not in self._given:
            place = civil_document.c
            here = place.office == office, place.year == self._order.today.year
            self._given[office] = int(
                self._connection.scalar(sa.select(sa.func.max(place.number)).where(*here)) or 0
            )
        self._given[office] += 1
        return self._given[office]


def _issued(row: Mapping[str, Any]) -> Issued:
    fields = (str(column.name) for column in civil_document.columns)
    values = {name: row[name] for name in fields if name in _FIELDS}
    return Issued(values | {"facts": json.loads(row["facts"])})


_FIELDS = frozenset(
    {
        *("id", "act", "birth", "commune", "office", "type", "year", "number", "issued_on", "issued_at"),
        *("issued_by", "issued_name", "purpose", "signed_code", "key_id", "template", "facts"),
    }
)


def _require_request(connection: sa.Connection, birth: str, *, answer: DelayAnswer, mode: str | None) -> None:
    require_unregistered(connection, births_of(connection, birth))
    if not judgment_needed(answer.delay, mode):
        raise NO_JUDGMENT_NEEDED()


def _court_of(connection: sa.Connection, birth: str) -> str:
    """The court named in the birth's file of the late procedure; else a line to be filled in by hand."""
    file = late_procedure.c
    query = sa.select(file.court).where(file.birth == birth, file.court.is_not(None))
    return connection.scalar(query.order_by(file.id).limit(1)) or COURT_TO_NAME


def _delay_words(answer: DelayAnswer) -> str:
    days = (
        f" ({answer.days} jours, délai légal {answer.limit})"
        if answer.days is not None and answer.limit
        else ""
    )
    return f"{OUTCOME[answer.delay]}{days}"
