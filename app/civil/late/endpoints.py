"""REST calls of the late procedure: files with their dated steps, the tray, the transcription, and campaigns."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import JSONResponse

from app.access.factors import require_signature
from app.access.guards import allow
from app.access.headers import IdempotencyKey
from app.access.officers import Officer
from app.access.paging import BAD_CURSOR, Cursor, Limit, Page, decode_cursor, encode_cursor
from app.access.permissions import Permission
from app.civil.desk import CommuneFilter, Config, Once, Store, TheDoor, communes_asked, journal, position
from app.civil.finding import BIRTH_UNKNOWN
from app.civil.late import tray
from app.civil.late.campaigns import campaigns, open_campaign
from app.civil.late.files import CAMPAIGN_UNKNOWN, PROCEDURE_UNKNOWN, File, open_file
from app.civil.late.opening import Opening, open_procedure
from app.civil.late.schemas import (
    CampaignIn,
    CampaignOut,
    ProcedureFile,
    ProcedureIn,
    ProcedureOut,
    Stage,
    StepIn,
    Transcribed,
    TranscriptionIn,
    Tray,
)
from app.civil.late.steps import record_step
from app.civil.late.transcription import transcribe
from app.civil.late.tray import Wanted
from app.civil.today import day_of_registration
from sync.catalogue import is_uuid4

router = APIRouter(prefix="/v1", tags=["État civil"])
BirthId = Annotated[str, Path(max_length=100, description="Identifiant de la déclaration.")]
ProcedureId = Annotated[str, Path(max_length=100, description="Identifiant du dossier.")]
Clerk = Annotated[Officer, Depends(allow(Permission.DECLARE))]
Reader = Annotated[Officer, Depends(allow(Permission.READ_CIVIL))]


@router.post(
    "/births/{birth_id}/procedure",
    status_code=201,
    response_model=ProcedureOut,
    summary="Ouvrir le dossier d'une naissance hors délai",
)
def open_late_procedure(
    birth_id: BirthId,
    body: ProcedureIn,
    officer: Clerk,
    *,
    store: Store,
    door: TheDoor,
    key: IdempotencyKey = None,
) -> Response:
    """Dit le tribunal compétent selon l'âge et, pour une campagne, si la demande est gratuite.

    409 `procedure_open`, `already_registered`, `procedure_not_needed` (dans les délais) ; 422 `invalid_input`.
    """
    if not is_uuid4(birth_id):
        raise BIRTH_UNKNOWN()
    route = f"POST /v1/births/{birth_id}/procedure"
    once = Once(officer, key, route=route, body=body.model_dump_json(exclude_unset=True).encode())
    today = door.clock.clock.today()
    said = Opening(body.path, body.court, body.requester, body.campaign, body.note)
    with store.write() as connection:
        if again := once.before(connection):
            return again
        file = open_procedure(connection, door, officer, birth=birth_id, said=said, today=today)
        return once.keep(connection, door, ProcedureOut.model_validate(tray.shown_file(file, today=today)))


@router.get("/procedures", response_model=Tray, summary="Les dossiers hors délai qui attendent")
def list_procedures(
    officer: Reader,
    store: Store,
    *,
    door: TheDoor,
    commune: CommuneFilter = None,
    stage: Annotated[
        Stage | None,
        Query(description="Étape ; par défaut tous les dossiers qui ne sont pas clos.", examples=["judged"]),
    ] = None,
    campaign: Annotated[str | None, Query(max_length=100, description="Campagne (identifiant).")] = None,
    older_than: Annotated[
        int | None, Query(ge=0, le=36_500, description="Plus de tant de jours à cette étape.", examples=[30])
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Ceux qui attendent depuis le plus longtemps d'abord ; `counts` compte les dossiers par étape.

    La lecture est inscrite au journal.
    """
    if campaign is not None and not is_uuid4(campaign):
        raise CAMPAIGN_UNKNOWN()
    wanted = Wanted(communes_asked(officer, door, commune=commune), stage, campaign, older_than)
    today = door.clock.clock.today()
    with store.write() as connection:
        files, following = tray.waiting(
            connection, door, wanted, after=_position(cursor), limit=limit, today=today
        )
        counts = tray.counts(connection, wanted)
        journal(
            connection,
            door,
            officer,
            births=[file.birth.id for file in files],
            persons=[],
            commune=commune or officer.commune,
            route="GET /v1/procedures",
        )
    items = [ProcedureOut.model_validate(tray.shown_file(file, today=today)).model_dump() for file in files]
    return JSONResponse({"items": items, "next": following and encode_cursor(*following), "counts": counts})


@router.get(
    "/procedures/{procedure_id}",
    response_model=ProcedureFile,
    summary="Un dossier hors délai, étape par étape",
)
def read_procedure(procedure_id: ProcedureId, officer: Reader, store: Store, *, door: TheDoor) -> Response:
    """Toutes les étapes et les jours passés à chacune, la suivante, ce qui bloque, et tout ce qui a été écrit.

    404 `procedure_unknown`, 403 `other_commune`. La lecture est inscrite au journal.
    """
    _require_id(procedure_id)
    today = door.clock.clock.today()
    with store.write() as connection:
        file = open_file(connection, door, officer, procedure=procedure_id)
        journal(
            connection,
            door,
            officer,
            births=[file.birth.id],
            persons=[],
            commune=file.commune,
            route="GET /v1/procedures/{id}",
        )
        shown = tray.shown_file(file, today=today) | {"history": tray.written(connection, file)}
    return JSONResponse(ProcedureFile.model_validate(shown).model_dump())


@router.post(
    "/procedures/{procedure_id}/steps",
    status_code=201,
    response_model=ProcedureOut,
    summary="Noter ou corriger une étape",
)
def record_procedure_step(
    procedure_id: ProcedureId,
    body: StepIn,
    officer: Clerk,
    *,
    store: Store,
    door: TheDoor,
    key: IdempotencyKey = None,
) -> Response:
    """Chaque étape a son jour. Une étape qui manque ne refuse rien : elle est dite dans `blocked`.

    422 `invalid_input` pour un jour à venir ou dans le désordre, 409 `procedure_closed`.
    """
    _require_id(procedure_id)
    route = f"POST /v1/procedures/{procedure_id}/steps"
    once = Once(officer, key, route=route, body=body.model_dump_json(exclude_unset=True).encode())
    today = door.clock.clock.today()
    said = body.model_dump(exclude_none=True, exclude={"step"})
    with store.write() as connection:
        if again := once.before(connection):
            return again
        file = record_step(
            connection, door, officer, procedure=procedure_id, step=body.step, said=said, today=today
        )
        return once.keep(connection, door, _shown(file, door))


@router.post(
    "/procedures/{procedure_id}/transcription",
    status_code=201,
    response_model=Transcribed,
    summary="Transcrire le jugement au registre de l'année",
)
def transcribe_judgment(
    procedure_id: ProcedureId,
    body: TranscriptionIn,
    officer: Annotated[Officer, Depends(allow(Permission.REGISTER))],
    *,
    store: Store,
    door: TheDoor,
    config: Config,
    key: IdempotencyKey = None,
) -> Response:
    """Dresse l'acte sur le jugement du dossier, inscrit la mention de transcription et clôt le dossier, d'un seul coup.

    409 `procedure_blocked` (avec ses raisons), `procedure_closed`, et les refus de l'enregistrement.
    La signature veut un second facteur : 401 `second_factor_required`, 403 `second_factor_not_enrolled`.
    """
    _require_id(procedure_id)
    route = f"POST /v1/procedures/{procedure_id}/transcription"
    signed = body.model_dump_json(exclude_unset=True, exclude={"otp"}).encode()
    once = Once(officer, key, route=route, body=signed)
    with store.write() as connection:
        if again := once.before(connection):
            return again
        at = door.clock.clock.now()
        require_signature(connection, officer, body.otp, at=at, demo=door.standing.demo)
        today = day_of_registration(connection, door, ahead_hours=config.clock_ahead_hours)
        act, note = transcribe(
            connection,
            door,
            officer,
            procedure=procedure_id,
            office=body.office,
            volume=body.volume,
            folio=body.folio,
            today=today,
        )
        shown = act.shown() | {"procedure": procedure_id, "annotation": note}
        return once.keep(connection, door, Transcribed.model_validate(shown))


@router.post("/campaigns", status_code=201, response_model=CampaignOut, summary="Ouvrir une campagne")
def create_campaign(
    body: CampaignIn, officer: Clerk, *, store: Store, door: TheDoor, key: IdempotencyKey = None
) -> Response:
    """Une audience foraine : ses dates, les âges et la gratuité. 422 `invalid_input`, 403 `other_commune`."""
    once = Once(
        officer, key, route="POST /v1/campaigns", body=body.model_dump_json(exclude_unset=True).encode()
    )
    values = body.model_dump(exclude_none=True)
    values.setdefault("commune", officer.commune)
    with store.write() as connection:
        if again := once.before(connection):
            return again
        made = open_campaign(connection, door, officer, values=values)
        return once.keep(connection, door, CampaignOut.model_validate(made))


@router.get("/campaigns", response_model=Page[CampaignOut], summary="Les campagnes")
def list_campaigns(
    officer: Reader,
    store: Store,
    *,
    door: TheDoor,
    commune: CommuneFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Avec le nombre de dossiers joints, de ceux qui attendent et des actes dressés ; la dernière écrite d'abord."""
    communes = communes_asked(officer, door, commune=commune)
    with store.read() as connection:
        items, following = campaigns(connection, communes=communes, after=position(cursor), limit=limit)
    return JSONResponse({"items": items, "next": following and encode_cursor(*following)})


def _shown(file: File, door: TheDoor) -> ProcedureOut:
    return ProcedureOut.model_validate(tray.shown_file(file, today=door.clock.clock.today()))


def _position(cursor: str | None) -> tray.Position | None:
    if cursor is None:
        return None
    since, identity = decode_cursor(cursor, str, str)
    if not is_uuid4(identity):
        raise BAD_CURSOR()
    return (since, identity)


def _require_id(procedure: str) -> None:
    if not is_uuid4(procedure):
        raise PROCEDURE_UNKNOWN()
