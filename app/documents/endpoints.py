"""REST calls about documents: issuing, printing again, handing over; what is public stands in open.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from app.access.guards import allow
from app.access.headers import IdempotencyKey
from app.access.jurisdiction import require
from app.access.officers import Officer
from app.access.paging import BAD_CURSOR, Cursor, Limit, Page, decode_cursor, encode_cursor
from app.access.permissions import Permission
from app.civil.desk import CommuneFilter, Config, Once, Store, TheDoor, communes_asked, journal
from app.civil.finding import ACT_UNKNOWN, BIRTH_UNKNOWN
from app.civil.today import day_of_registration
from app.documents import delivery, issuing
from app.documents.archive import archive
from app.documents.issuing import DOCUMENT_UNKNOWN, Issued, Order
from app.documents.printing import Press
from app.documents.reading import acts_to_print
from app.documents.schemas import (
    CourtRequestIn,
    DeliveryIn,
    DeliveryOut,
    DocumentIn,
    DocumentOut,
    DocumentsIn,
    IssuedOut,
    ReceiptIn,
    UndeliveredOut,
    document_out,
)
from app.ledger.door import Door
from app.settings import Settings
from sync.catalogue import is_date, is_uuid4

router = APIRouter(prefix="/v1", tags=["Documents"])
ActId = Annotated[str, Path(max_length=100, description="Identifiant de l'acte.")]
BirthId = Annotated[str, Path(max_length=100, description="Identifiant de la déclaration.")]
DocumentId = Annotated[str, Path(max_length=100, description="Identifiant du document.")]
Deliverer = Annotated[Officer, Depends(allow(Permission.DELIVER))]
Reader = Annotated[Officer, Depends(allow(Permission.READ_CIVIL))]
Write = Callable[[sa.Connection, Order], list[Issued]]


class Pdf(Response):
    """A PDF, which is how OpenAPI names the body."""

    media_type = "application/pdf"


PRINTED: dict[int | str, dict[str, Any]] = {
    201: {
        "description": "Le document, PDF/A. `Location`, `Document-Number` et `Document-Template` le nomment.",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}
PRINTED_MANY: dict[int | str, dict[str, Any]] = {
    201: {
        "description": "Une archive de PDF/A, un par acte, ou un seul PDF/A.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("application/zip", "application/pdf")
        },
    }
}
PRINTED_AGAIN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Le même document, PDF/A.",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


def the_press(request: Request) -> Press:
    """The node's press (a FastAPI dependency)."""
    found: Press = request.app.state.press
    return found


ThePress = Annotated[Press, Depends(the_press)]


class Counter:
    """The desk where an officer asks for papers: what every order needs, as one FastAPI dependency."""

    def __init__(
        self,
        officer: Deliverer,
        store: Store,
        *,
        door: TheDoor,
        config: Config,
        press: ThePress,
        key: IdempotencyKey = None,
    ) -> None:
        self.officer, self.store, self.door, self.config = officer, store, door, config
        self.press, self.key = press, key

    def issue(self, kind: str, purpose: str | None, *, route: str, body: bytes, write: Write) -> list[Issued]:
        """Issue once under the Idempotency-Key: asked again, the documents of the first time."""
        once = Once(self.officer, self.key, route=route, body=body)
        with self.store.write() as connection:
            if again := once.before(connection):
                return issuing.documents_by_id(connection, json.loads(bytes(again.body))["documents"])
            today = day_of_registration(connection, self.door, ahead_hours=self.config.clock_ahead_hours)
            order = Order(kind, purpose, today, verify_address(self.config))
            issued = write(connection, order)
            once.keep(connection, self.door, IssuedOut(documents=[each.id for each in issued]))
            _record(
                connection,
                self.door,
                self.officer,
                issued=issued,
                route=route.partition(" ")[0] + " documents",
            )
        return issued

    def pdf(self, issued: Issued, status: int = 201) -> Response:
        """The document itself."""
        return pdf_answer(self.press, issued, status=status)


Desk = Annotated[Counter, Depends(Counter)]


@router.post(
    "/acts/{act_id}/documents",
    status_code=201,
    response_class=Pdf,
    responses=PRINTED,
    summary="Délivrer un extrait ou une copie intégrale",
)
def issue_document(act_id: ActId, body: DocumentIn, desk: Desk) -> Response:
    """Numérote, signe, imprime ; chaque délivrance est inscrite. La même Idempotency-Key rend le même PDF.

    404 `act_unknown`, 403 `other_commune`, 409 `annulled_act_extract` : d'un acte annulé, seule la copie intégrale.
    """
    if not is_uuid4(act_id):
        raise ACT_UNKNOWN()
    issued = desk.issue(
        body.type,
        body.purpose,
        route=f"POST /v1/acts/{act_id}/documents",
        body=body.model_dump_json(exclude_unset=True).encode(),
        write=lambda connection, order: issuing.issue_of_acts(
            connection, desk.door, desk.officer, acts=[act_id], order=order, press=desk.press
        ),
    )
    return desk.pdf(issued[0])


@router.post(
    "/acts/documents",
    status_code=201,
    response_class=Response,
    responses=PRINTED_MANY,
    summary="Délivrer le même document pour beaucoup d'actes",
)
def issue_documents(body: DocumentsIn, desk: Desk) -> Response:
    """Jusqu'à 500 actes : une archive zip d'un PDF par acte, ou un seul PDF à imprimer. Tout est délivré, ou rien."""
    issued = desk.issue(
        body.type,
        body.purpose,
        route="POST /v1/acts/documents",
        body=body.model_dump_json(exclude_unset=True).encode(),
        write=lambda connection, order: issuing.issue_of_acts(
            connection, desk.door, desk.officer, acts=body.acts, order=order, press=desk.press
        ),
    )
    headers = {"Documents": str(len(issued))}
    if body.format == "pdf":
        one = desk.press.pdf([each.to_print() for each in issued], issued[0].template)
        return Response(one, 201, headers=headers, media_type="application/pdf")
    pages = desk.press.pdfs([(each.to_print(), each.template) for each in issued])
    return Response(archive(issued, pages), 201, headers=headers, media_type="application/zip")


@router.post(
    "/births/{birth_id}/receipt",
    status_code=201,
    response_class=Pdf,
    responses=PRINTED,
    summary="Imprimer le récépissé d'une déclaration",
)
def issue_receipt(birth_id: BirthId, body: ReceiptIn, desk: Desk) -> Response:
    """Le récépissé porte « ne tient pas lieu d'acte de naissance ». 404 `birth_unknown`, 403 `other_commune`."""
    return _of_birth(desk, birth_id, "receipt", body=body)


@router.post(
    "/births/{birth_id}/court-request",
    status_code=201,
    response_class=Pdf,
    responses=PRINTED,
    summary="Imprimer la requête au tribunal",
)
def issue_court_request(birth_id: BirthId, body: CourtRequestIn, desk: Desk) -> Response:
    """Pour une naissance hors délai sans acte. 409 `no_judgment_needed` dans les délais, 409 `already_registered`."""
    return _of_birth(desk, birth_id, "court_request", body=body)


@router.get(
    "/acts/undelivered",
    response_model=Page[UndeliveredOut],
    summary="Les actes que personne n'est venu chercher",
)
def list_undelivered(
    officer: Reader,
    store: Store,
    *,
    door: TheDoor,
    commune: CommuneFilter = None,
    days: Annotated[
        int, Query(ge=0, le=36500, description="Jours écoulés depuis l'acte, au moins.", examples=[30])
    ] = 0,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Les plus anciens d'abord, avec le nom du déclarant à prévenir. La lecture est inscrite au journal."""
    communes = communes_asked(officer, door, commune=commune)
    with store.write() as connection:
        items, following = delivery.undelivered(
            connection,
            door,
            communes=communes,
            days=days,
            today=door.clock.clock.today(),
            after=_position(cursor),
            limit=limit,
        )
        births = [item["birth"] for item in items if item["birth"] is not None]
        route = "GET /v1/acts/undelivered"
        journal(
            connection,
            door,
            officer,
            births=births,
            persons=[],
            commune=commune or officer.commune,
            route=route,
        )
    return JSONResponse({"items": items, "next": following and encode_cursor(*following)})


@router.get("/acts/{act_id}/documents", summary="Les documents délivrés d'un acte")
def list_documents(act_id: ActId, officer: Reader, store: Store, *, door: TheDoor) -> list[DocumentOut]:
    """Toutes les délivrances, la première d'abord. La lecture est inscrite au journal."""
    if not is_uuid4(act_id):
        raise ACT_UNKNOWN()
    with store.write() as connection:
        act = acts_to_print(connection, door, [act_id])[0]
        require(officer, act.commune, node_kind=door.standing.kind)
        found = issuing.documents_of(connection, act)
        _record(connection, door, officer, issued=found, route="GET /v1/acts/{id}/documents")
    return [document_out(each.values) for each in found]


@router.get("/documents/{document_id}", summary="Un document délivré")
def read_document(document_id: DocumentId, officer: Reader, store: Store, *, door: TheDoor) -> DocumentOut:
    """Ce qui est inscrit de sa délivrance. La lecture est inscrite au journal."""
    return document_out(
        _found(store, door, officer, document_id=document_id, route="GET /v1/documents/{id}").values
    )


@router.get(
    "/documents/{document_id}/pdf",
    response_class=Pdf,
    responses=PRINTED_AGAIN,
    summary="Imprimer à nouveau un document délivré",
)
def print_again(
    document_id: DocumentId, officer: Reader, store: Store, *, door: TheDoor, press: ThePress
) -> Response:
    """Le même PDF, sous le même numéro : rien n'est délivré à nouveau. La lecture est inscrite au journal."""
    found = _found(store, door, officer, document_id=document_id, route="GET /v1/documents/{id}/pdf")
    return pdf_answer(press, found, status=200)


@router.post("/documents/{document_id}/delivery", status_code=201, summary="Remettre un document")
def deliver_document(
    document_id: DocumentId,
    body: DeliveryIn,
    officer: Deliverer,
    store: Store,
    *,
    door: TheDoor,
    config: Config,
    key: IdempotencyKey = None,
) -> DeliveryOut:
    """À qui, quand, à quel prix : la première remise d'un acte déclaré dans les délais est gratuite (à confirmer).

    404 `document_unknown`, 409 `already_delivered`, 409 `no_act_to_deliver`.
    """
    if not is_uuid4(document_id):
        raise DOCUMENT_UNKNOWN()
    route = f"POST /v1/documents/{document_id}/delivery"
    once = Once(officer, key, route=route, body=body.model_dump_json(exclude_unset=True).encode())
    with store.write() as connection:
        if again := once.before(connection):
            return DeliveryOut.model_validate_json(bytes(again.body))
        today = day_of_registration(connection, door, ahead_hours=config.clock_ahead_hours)
        done = delivery.deliver(
            connection,
            door,
            officer,
            document=document_id,
            to_name=body.to_name,
            to_relation=body.to_relation,
            identity=body.identity,
            today=today,
        )
        answer = DeliveryOut.model_validate(
            done.values | {"fee_status": "verified" if done.verified else "unverified"}
        )
        once.keep(connection, door, answer)
    return answer


def pdf_answer(press: Press, issued: Issued, *, status: int) -> Response:
    """The PDF of a document with the headers that name it."""
    headers = {
        "Location": f"/v1/documents/{issued.id}",
        "Document-Number": issued.reference,
        "Document-Template": issued.template,
        "Content-Disposition": f'inline; filename="{issued.file_name}"',
        "Cache-Control": "no-store",
    }
    return Pdf(press.pdf([issued.to_print()], issued.template), status, headers=headers)


def verify_address(config: Settings) -> str:
    """Where the public page of this server is reached; empty where it has no public address."""
    return f"{config.public_url.rstrip('/')}/verify" if config.public_url else ""


def _of_birth(desk: Counter, birth: str, kind: str, *, body: ReceiptIn | CourtRequestIn) -> Response:
    if not is_uuid4(birth):
        raise BIRTH_UNKNOWN()
    named = body.model_dump(include={"court", "requester"})
    issued = desk.issue(
        kind,
        body.purpose,
        route=f"POST /v1/births/{birth}/{kind}",
        body=body.model_dump_json(exclude_unset=True).encode(),
        write=lambda connection, order: [
            issuing.issue_of_birth(
                connection, desk.door, desk.officer, birth=birth, order=order, press=desk.press, **named
            )
        ],
    )
    return desk.pdf(issued[0])


def _found(store: Store, door: Door, officer: Officer, *, document_id: str, route: str) -> Issued:
    if not is_uuid4(document_id):
        raise DOCUMENT_UNKNOWN()
    with store.write() as connection:
        found = issuing.find_document(connection, door, officer=officer, document=document_id)
        _record(connection, door, officer, issued=[found], route=route)
    return found


def _record(
    connection: sa.Connection, door: Door, officer: Officer, *, issued: Sequence[Issued], route: str
) -> None:
    births = [each.values["birth"] for each in issued if each.values["birth"] is not None]
    commune = issued[0].values["commune"] if issued else officer.commune
    journal(connection, door, officer, births=births, persons=[], commune=commune, route=route)


def _position(cursor: str | None) -> delivery.Position | None:
    if cursor is None:
        return None
    day, identity = decode_cursor(cursor, str, str)
    if not is_uuid4(identity) or not is_date(day):
        raise BAD_CURSOR()
    return day, identity
