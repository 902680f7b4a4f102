"""REST calls of the margin: notes, the act as it reads on a day, and annulments that two officers record."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import JSONResponse

from app.access.factors import require_signature
from app.access.guards import allow
from app.access.headers import IdempotencyKey
from app.access.jurisdiction import require
from app.access.officers import Officer
from app.access.paging import Cursor, Limit, Page, encode_cursor
from app.access.permissions import Permission
from app.civil.declaration import refuse
from app.civil.desk import (
    CommuneFilter,
    Config,
    Once,
    Store,
    TheDoor,
    communes_asked,
    journal,
    position,
)
from app.civil.finding import ACT_UNKNOWN
from app.civil.margins import annulling
from app.civil.margins.annulling import ANNULMENT_UNKNOWN, Decision, confirm, propose, withdraw
from app.civil.margins.noting import Note, annotate, open_file
from app.civil.margins.schemas import (
    ActFile,
    AnnotationIn,
    AnnulmentIn,
    AnnulmentOut,
    ConfirmationIn,
    NoteWritten,
    WithdrawalIn,
)
from app.civil.margins.showing import shown_act, shown_note
from app.civil.today import day_of_registration
from sync.catalogue import is_date, is_uuid4

router = APIRouter(prefix="/v1", tags=["État civil"])
ActId = Annotated[str, Path(max_length=100, description="Identifiant de l'acte.")]
AnnulmentId = Annotated[str, Path(max_length=100, description="Identifiant de l'annulation.")]
Registrar = Annotated[Officer, Depends(allow(Permission.ANNOTATE))]


@router.get("/acts/{act_id}", response_model=ActFile, summary="Un acte, tel qu'il se lit à un jour donné")
def read_act(
    act_id: ActId,
    officer: Annotated[Officer, Depends(allow(Permission.READ_CIVIL))],
    store: Store,
    *,
    door: TheDoor,
    on: Annotated[
        str | None,
        Query(
            max_length=40, description="Jour de lecture ; aujourd'hui par défaut.", examples=["2026-06-30"]
        ),
    ] = None,
) -> Response:
    """L'acte d'origine reste toujours visible à côté ; les mentions comptent à partir du jour de leur décision.

    404 `act_unknown`, 403 `other_commune`. La lecture est inscrite au journal.
    """
    _require_id(act_id)
    if on is not None and not (len(on) == 10 and is_date(on)):
        raise refuse([{"field": "on", "message": "Une date complète de la forme AAAA-MM-JJ est attendue."}])
    day = date.fromisoformat(on) if on is not None else door.clock.clock.today()
    with store.write() as connection:
        file = open_file(connection, door, act_id)
        require(officer, file.commune, node_kind=door.standing.kind)
        shown, persons = shown_act(connection, file, on=day)
        journal(
            connection,
            door,
            officer,
            births=[shown["birth"]] if shown["birth"] is not None else [],
            persons=persons,
            commune=file.commune,
            route="GET /v1/acts/{id}",
        )
    return JSONResponse(ActFile.model_validate(shown).model_dump())


@router.post(
    "/acts/{act_id}/annotations",
    status_code=201,
    response_model=NoteWritten,
    summary="Inscrire une mention marginale",
)
def annotate_act(
    act_id: ActId,
    body: AnnotationIn,
    officer: Registrar,
    *,
    store: Store,
    door: TheDoor,
    config: Config,
    key: IdempotencyKey = None,
) -> Response:
    """La mention ne se modifie plus. Ce qu'elle change entre aussi dans la fiche de l'enfant, comme fait d'un acte.

    Selon le type : une rectification, un changement ordonné, une reconnaissance ou une adoption changent des champs,
    les autres rien. 404 `act_unknown`, 409 `act_annulled`, `clock_unsure`, 422 `invalid_input`.
    La signature veut un second facteur : 401 `second_factor_required`, 403 `second_factor_not_enrolled`.
    """
    _require_id(act_id)
    route = f"POST /v1/acts/{act_id}/annotations"
    once = Once(officer, key, route=route, body=_signed(body))
    changes = body.changes.model_dump(exclude_unset=True) if body.changes is not None else {}
    note = Note(body.type, body.authority, body.court, body.reference, body.date, body.text, changes)
    with store.write() as connection:
        if again := once.before(connection):
            return again
        at = door.clock.clock.now()
        require_signature(connection, officer, body.otp, at=at, demo=door.standing.demo)
        today = day_of_registration(connection, door, ahead_hours=config.clock_ahead_hours)
        identity, warnings = annotate(connection, door, officer, act=act_id, note=note, today=today)
        file = open_file(connection, door, act_id)
        written = next(each for each in file.notes if each["id"] == identity)
        answer = shown_note(written, today) | {"act": act_id, "warnings": warnings}
        return once.keep(connection, door, NoteWritten.model_validate(answer))


@router.post(
    "/acts/{act_id}/annulment",
    status_code=201,
    response_model=AnnulmentOut,
    summary="Inscrire le jugement qui annule un acte",
)
def propose_annulment(
    act_id: ActId,
    body: AnnulmentIn,
    officer: Registrar,
    *,
    store: Store,
    door: TheDoor,
    config: Config,
    key: IdempotencyKey = None,
) -> Response:
    """Rien ne change avant qu'un **autre** officier confirme. 409 `annulment_proposed`, `act_annulled`."""
    _require_id(act_id)
    once = Once(officer, key, route=f"POST /v1/acts/{act_id}/annulment", body=_signed(body))
    decision = Decision(body.court, body.reference, body.date, body.text)
    with store.write() as connection:
        if again := once.before(connection):
            return again
        today = day_of_registration(connection, door, ahead_hours=config.clock_ahead_hours)
        found = propose(connection, door, officer, act=act_id, decision=decision, today=today)
        return once.keep(connection, door, AnnulmentOut.model_validate(found))


@router.get("/annulments", response_model=Page[AnnulmentOut], summary="Les annulations")
def list_annulments(
    officer: Annotated[Officer, Depends(allow(Permission.READ_CIVIL))],
    store: Store,
    *,
    door: TheDoor,
    commune: CommuneFilter = None,
    stage: Annotated[
        Literal["proposed", "confirmed", "withdrawn"] | None,
        Query(description="État.", examples=["proposed"]),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Proposées, confirmées et retirées, la dernière écrite d'abord."""
    communes = communes_asked(officer, door, commune=commune)
    with store.read() as connection:
        items, following = annulling.annulments(
            connection, door, communes=communes, stage=stage, after=position(cursor), limit=limit
        )
    return JSONResponse({"items": items, "next": following and encode_cursor(*following)})


@router.post("/annulments/{annulment_id}/confirmation", summary="Confirmer une annulation")
def confirm_annulment(
    annulment_id: AnnulmentId,
    body: ConfirmationIn,
    officer: Registrar,
    store: Store,
    *,
    door: TheDoor,
    config: Config,
) -> AnnulmentOut:
    """L'acte est annulé : il reste visible, son numéro n'est jamais repris, il ne compte plus dans les statistiques.

    La naissance peut être enregistrée à nouveau, par un nouvel acte. 409 `same_officer`, `annulment_settled`.
    La signature veut un second facteur : 401 `second_factor_required`, 403 `second_factor_not_enrolled`.
    """
    _require_annulment(annulment_id)
    with store.write() as connection:
        at = door.clock.clock.now()
        require_signature(connection, officer, body.otp, at=at, demo=door.standing.demo)
        today = day_of_registration(connection, door, ahead_hours=config.clock_ahead_hours)
        found = confirm(connection, door, officer, proposal=annulment_id, today=today)
    return AnnulmentOut.model_validate(found)


@router.post("/annulments/{annulment_id}/withdrawal", summary="Retirer une annulation proposée")
def withdraw_annulment(
    annulment_id: AnnulmentId, body: WithdrawalIn, officer: Registrar, store: Store, *, door: TheDoor
) -> AnnulmentOut:
    """Ce qui n'était que proposé est retiré ; une annulation confirmée ne se retire pas (409 `annulment_settled`)."""
    _require_annulment(annulment_id)
    with store.write() as connection:
        found = withdraw(connection, door, officer, proposal=annulment_id, note=body.note)
    return AnnulmentOut.model_validate(found)


def _signed(body: AnnotationIn | AnnulmentIn) -> bytes:
    """What makes a repeat the same call: all but the code of the moment."""
    return body.model_dump_json(exclude_unset=True, exclude={"otp"}).encode()


def _require_id(act: str) -> None:
    if not is_uuid4(act):
        raise ACT_UNKNOWN()


def _require_annulment(annulment: str) -> None:
    if not is_uuid4(annulment):
        raise ANNULMENT_UNKNOWN()
