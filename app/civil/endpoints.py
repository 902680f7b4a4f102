"""REST calls of civil registration: declarations, acts, reprise, the clerk's tasks and the confirmation of the date."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import JSONResponse

from app.access.factors import require_signature
from app.access.guards import allow
from app.access.headers import IdempotencyKey, IfMatch
from app.access.jurisdiction import require
from app.access.officers import Officer
from app.access.paging import Cursor, Limit, Page, encode_cursor
from app.access.permissions import Permission
from app.civil import consultation
from app.civil.correcting import correct
from app.civil.declaration import answered, declare, refuse
from app.civil.desk import (
    IDEMPOTENCY_KEY_REQUIRED,
    BirthId,
    CommuneFilter,
    Config,
    Once,
    Raw,
    Store,
    TheDoor,
    communes_asked,
    journal,
    position,
    require_birth_id,
)
from app.civil.drafting.signing import sign
from app.civil.registration import Entry
from app.civil.reprise import TakenOver, read_paper_acts, take_over
from app.civil.same_child import declared_twice
from app.civil.schemas import (
    BirthIn,
    BirthItem,
    BirthOut,
    ClockConfirmed,
    ClockIn,
    Corrected,
    CorrectionIn,
    Declared,
    Delay,
    Imported,
    Registered,
    RegistrationIn,
    TaskDone,
    TaskDoneIn,
    TaskOut,
    paper_act_schema,
)
from app.civil.tasks import TASK_UNKNOWN, close_task
from app.civil.today import confirm_day, day_of_registration
from app.ledger.desk import Desk
from sync.catalogue import is_uuid4

router = APIRouter(prefix="/v1", tags=["État civil"])


@router.post("/births", status_code=201, response_model=Declared, summary="Déclarer une naissance")
def declare_birth(
    body: BirthIn,
    officer: Annotated[Officer, Depends(allow(Permission.DECLARE))],
    store: Store,
    *,
    door: TheDoor,
    key: IdempotencyKey = None,
) -> Response:
    """Reçoit la déclaration et répond si elle est dans les délais ; l'enregistrement vient ensuite.

    Un père inconnu ou une personne absente du registre ne bloque jamais ; `possible_duplicate` dans `warnings` signale
    un enfant peut-être déjà déclaré, sans rien retarder (GET /v1/duplicates). 422 `invalid_input` pour ce qui est
    impossible (30 février, avenir, avant 1850, déclarée avant la naissance), 403 `other_commune`.
    """
    values = body.model_dump(exclude_none=True)
    once = Once(officer, key, route="POST /v1/births", body=body.model_dump_json(exclude_unset=True).encode())
    today = door.clock.clock.today()
    values.setdefault("declared_on", today.isoformat())
    values.setdefault("commune", officer.commune)
    if values["commune"] not in door.territory.communes:
        raise refuse([{"field": "commune", "message": "Indiquez le code d'une commune de la province."}])
    require(officer, values["commune"], node_kind=door.standing.kind)
    with store.write() as connection:
        if again := once.before(connection):
            return again
        received = declare(connection, door, officer, values=values, today=today)
        warnings = [*received.warnings, *declared_twice(connection, door, officer, birth=received.id)]
        shown = {"id": received.id, **answered(received.answer), "warnings": warnings}
        return once.keep(connection, door, Declared.model_validate(shown))


@router.get("/births", response_model=Page[BirthItem], summary="Les naissances déclarées")
def list_births(
    officer: Annotated[Officer, Depends(allow(Permission.READ_CIVIL))],
    store: Store,
    *,
    door: TheDoor,
    commune: CommuneFilter = None,
    year: Annotated[
        int | None,
        Query(
            ge=1850,
            le=9999,
            description="Année du registre ; sans acte, année de la déclaration.",
            examples=[2011],
        ),
    ] = None,
    delay: Annotated[Delay | None, Query(description="Délai.", examples=["out_of_delay"])] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Les naissances des communes de l'officier, les dernières écrites d'abord. La lecture est inscrite au journal."""
    communes = communes_asked(officer, door, commune=commune)
    with store.write() as connection:
        page = consultation.births(
            connection,
            door,
            communes=communes,
            year=year,
            delay_is=delay,
            after=position(cursor),
            limit=limit,
        )
        journal(
            connection,
            door,
            officer,
            births=page.births,
            persons=page.persons,
            commune=commune or officer.commune,
            route="GET /v1/births",
        )
    return JSONResponse({"items": page.items, "next": page.next and encode_cursor(*page.next)})


@router.get("/births/{birth_id}", response_model=BirthOut, summary="Une naissance et son acte")
def read_birth(
    birth_id: BirthId,
    officer: Annotated[Officer, Depends(allow(Permission.READ_CIVIL))],
    store: Store,
    *,
    door: TheDoor,
) -> Response:
    """La déclaration entière, le délai, le projet d'acte et l'acte ; l'ETag change avec eux. Inscrit au journal."""
    require_birth_id(birth_id)
    with store.write() as connection:
        found = consultation.birth_file(connection, door, birth=birth_id)
        require(officer, found.commune, node_kind=door.standing.kind)
        journal(
            connection,
            door,
            officer,
            births=[birth_id],
            persons=found.persons,
            commune=found.commune,
            route="GET /v1/births/{id}",
        )
    return JSONResponse(found.shown, headers={"ETag": found.etag})


@router.patch("/births/{birth_id}", response_model=Corrected, summary="Corriger une déclaration")
def correct_birth(
    birth_id: BirthId,
    body: CorrectionIn,
    officer: Annotated[Officer, Depends(allow(Permission.DECLARE))],
    *,
    store: Store,
    door: TheDoor,
    if_match: IfMatch = None,
) -> Response:
    """Seulement les champs changés, tant qu'aucun acte n'est dressé ; le projet d'acte est à refaire et à relire.

    Ce qui est écrit règle le conflit du champ. 409 `already_registered` (la réponse nomme la mention marginale à
    demander), `declaration_void` ; 412 `precondition_failed` ; 422 `invalid_input` comme à la déclaration.
    """
    require_birth_id(birth_id)
    at = door.clock.clock.now()
    desk = Desk(door, officer, door.standing.kind, at, "PATCH /v1/births/{id}")
    given = body.model_dump(exclude_unset=True)
    with store.write() as connection:
        found, warnings = correct(connection, desk, birth=birth_id, given=given, if_match=if_match)
    return JSONResponse(found.shown | {"warnings": warnings}, headers={"ETag": found.etag})


@router.post(
    "/births/{birth_id}/registration",
    status_code=201,
    response_model=Registered,
    summary="Enregistrer une naissance",
)
def register_birth(
    birth_id: BirthId,
    body: RegistrationIn,
    officer: Annotated[Officer, Depends(allow(Permission.REGISTER))],
    *,
    store: Store,
    door: TheDoor,
    config: Config,
    key: IdempotencyKey = None,
) -> Response:
    """Dresse l'acte à la date du jour avec le numéro suivant du bureau ; rien ne le modifie ensuite.

    L'enfant devient une personne du ménage de sa mère si elle est une résidente connue ; sinon une tâche est ouverte.
    La signature veut un second facteur : 401 `second_factor_required`, 403 `second_factor_not_enrolled`.
    409 `already_registered`, `clock_unsure`, `declaration_contested` ; 422 `judgment_required` hors délai, sur
    jugement, ou tant que le délai est indéterminé ; 422 `declaration_doubtful`. Avec `draft`, l'acte est ce qui a été
    lu : 404 `draft_unknown`, 409 `draft_stale`, `draft_not_read`.
    """
    require_birth_id(birth_id)
    route = f"POST /v1/births/{birth_id}/registration"
    signed = body.model_dump_json(exclude_unset=True, exclude={"otp"})
    once = Once(officer, key, route=route, body=signed.encode())
    judgment = body.judgment.model_dump() if body.judgment is not None else None
    entry = Entry(body.office, body.volume, body.folio, judgment)
    with store.write() as connection:
        if again := once.before(connection):
            return again
        at = door.clock.clock.now()
        require_signature(connection, officer, body.otp, at=at, demo=door.standing.demo)
        today = day_of_registration(connection, door, ahead_hours=config.clock_ahead_hours)
        act = sign(connection, door, officer, birth=birth_id, entry=entry, draft=body.draft, today=today)
        return once.keep(connection, door, Registered.model_validate(act.shown()))


@router.post(
    "/imports/acts",
    status_code=201,
    response_model=Imported,
    summary="Reprendre des actes du papier",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/x-ndjson": {"schema": paper_act_schema()}},
        }
    },
)
def import_acts(
    body: Raw,
    officer: Annotated[Officer, Depends(allow(Permission.REPRISE))],
    store: Store,
    *,
    door: TheDoor,
    key: IdempotencyKey = None,
) -> Response:
    """Un acte par ligne (NDJSON, 1 000 au plus) : tout le fichier est repris, ou rien.

    422 `import_refused` nomme chaque ligne fautive (50 au plus, `total` les compte). L'Idempotency-Key est
    obligatoire : le même fichier renvoyé avec elle reçoit la même réponse. Aucune tâche n'est ouverte.
    """
    if key is None:
        raise IDEMPOTENCY_KEY_REQUIRED()
    once = Once(officer, key, route="POST /v1/imports/acts", body=body)
    with store.read() as connection:
        if again := once.before(connection):
            return again
        # Checked outside the transaction that writes: reading a thousand lines must not hold up other writers.
        today = door.clock.clock.today()
        lines = read_paper_acts(connection, body, door, officer=officer, today=today)
    with store.write() as connection:
        if again := once.before(connection):
            return again
        return once.keep(connection, door, _imported(take_over(connection, door, officer, lines=lines)))


@router.get("/tasks", response_model=Page[TaskOut], summary="Les tâches du préposé")
def list_tasks(
    officer: Annotated[Officer, Depends(allow(Permission.READ_CIVIL))],
    store: Store,
    *,
    door: TheDoor,
    commune: CommuneFilter = None,
    stage: Annotated[Literal["open", "done"] | None, Query(description="État.", examples=["open"])] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Ce qui attend quelqu'un, le plus récent d'abord : par exemple l'enfant dont la mère n'est pas au registre."""
    communes = communes_asked(officer, door, commune=commune)
    with store.read() as connection:
        items, following = consultation.tasks(
            connection, door, communes=communes, stage=stage, after=position(cursor), limit=limit
        )
    return JSONResponse({"items": items, "next": following and encode_cursor(*following)})


@router.post("/tasks/{task_id}/done", summary="Clore une tâche")
def finish_task(
    task_id: Annotated[str, Path(max_length=100, description="Identifiant de la tâche.")],
    body: TaskDoneIn,
    officer: Annotated[Officer, Depends(allow(Permission.DECLARE))],
    store: Store,
    *,
    door: TheDoor,
) -> TaskDone:
    """La tâche sort de la liste des tâches à faire ; déjà faite, elle est rendue telle quelle.

    Avec `person`, l'enfant retrouvé reçoit les données de l'acte et le lien est gardé dans les deux sens.
    404 `task_unknown`, 403 `other_commune`, 409 `person_has_act`, 422 `invalid_input`.
    """
    if not is_uuid4(task_id):
        raise TASK_UNKNOWN()
    with store.write() as connection:
        found = close_task(connection, door, officer, task=task_id, person=body.person, note=body.note)
        journal(
            connection,
            door,
            officer,
            births=[found["birth"]] if found["birth"] is not None else [],
            persons=[found["person"]] if found["person"] is not None else [],
            commune=found["commune"],
            route="POST /v1/tasks/{id}/done",
        )
    return TaskDone.model_validate(found)


@router.post(
    "/clock/confirmation",
    status_code=201,
    response_model=ClockConfirmed,
    summary="Confirmer la date du serveur",
)
def confirm_clock(
    body: ClockIn,
    officer: Annotated[Officer, Depends(allow(Permission.SETTINGS))],
    *,
    store: Store,
    door: TheDoor,
    config: Config,
) -> ClockConfirmed:
    """Un administrateur lit la date sur un calendrier et la confirme ; l'enregistrement reprend. Inscrit au registre.

    Elle vaut `MBOKA_CLOCK_AHEAD_HOURS` heures d'horloge. 422 `clock_date_differs` si le serveur a une autre date.
    """
    day = date.fromisoformat(body.date)
    with store.write() as connection:
        at, until = confirm_day(connection, door, officer, day=day, ahead_hours=config.clock_ahead_hours)
    door.refresh()
    return ClockConfirmed(date=body.date, confirmed_at=at, holds_until=until)


def _imported(taken: TakenOver) -> Imported:
    def place(act: str, at: Any) -> dict[str, Any]:
        return {"id": act, "office": at.office, "year": at.year, "volume": at.volume, "number": at.number}

    return Imported.model_validate(
        {"acts": taken.acts, "delays": taken.delays, "first": place(*taken.first), "last": place(*taken.last)}
    )
