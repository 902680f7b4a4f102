"""REST calls of the books: offices, volumes and their irregularities, volets, provisional declarations."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel

from app.access.factors import require_signature
from app.access.guards import allow
from app.access.headers import IdempotencyKey
from app.access.jurisdiction import require
from app.access.officers import Officer
from app.access.paging import BAD_CURSOR, Cursor, Limit, Page, decode_cursor, encode_cursor
from app.access.permissions import Permission
from app.civil.books import schemas as say
from app.civil.books.gaps import gaps_of
from app.civil.books.listing import list_volumes
from app.civil.books.offices import OFFICE_UNKNOWN, close_office, office_commune, offices_of, open_office
from app.civil.books.provisionals import declare_provisionally, provisionals
from app.civil.books.volets import VOLETS, send_volet, send_volume, slips_of, standing_of, volets_of
from app.civil.books.volumes import (
    REGISTER_UNKNOWN,
    Volume,
    book_row,
    close_volume,
    initial_volume,
    is_initialled,
    open_volume,
    volume_of,
)
from app.civil.desk import CommuneFilter, Config, Once, Store, TheDoor, communes_asked, journal
from app.civil.finding import ACT_UNKNOWN, BIRTH_UNKNOWN, act_row
from app.civil.today import day_of_registration
from app.errors import ProblemType
from app.territory.places import COMMUNE_UNKNOWN
from sync.catalogue import is_uuid4

router = APIRouter(prefix="/v1", tags=["Registres"])
Keeper = Annotated[Officer, Depends(allow(Permission.VOLUMES))]
Sender = Annotated[Officer, Depends(allow(Permission.DELIVER))]
Reader = Annotated[Officer, Depends(allow(Permission.READ_CIVIL))]
CommuneCode = Annotated[str, Path(max_length=40, description="Code de la commune.", examples=["CD-KN-017"])]
OfficeCode = Annotated[str, Path(max_length=40, description="Code du bureau.", examples=["CD-KN-017-02"])]
RegisterId = Annotated[
    str, Path(max_length=100, description="Identifiant du volume.", examples=[say.VOLUME_ID])
]
ActId = Annotated[str, Path(max_length=100, description="Identifiant de l'acte.", examples=[say.ACT_ID])]
BirthId = Annotated[
    str, Path(max_length=100, description="Identifiant de la déclaration.", examples=[say.BIRTH_ID])
]
OfficeFilter = Annotated[str | None, Query(max_length=40, description="Bureau.", examples=["CD-KN-017-01"])]
YearFilter = Annotated[int | None, Query(ge=1850, le=9999, description="Année.", examples=[2026])]


@router.get(
    "/communes/{code}/offices",
    tags=["Territoire"],
    summary="Les bureaux d'une commune",
    dependencies=[Depends(allow(Permission.TERRITORY))],
)
def read_offices(code: CommuneCode, store: Store, *, door: TheDoor) -> say.OfficesOut:
    """Le bureau principal et les bureaux secondaires, anciens compris ; 404 `commune_unknown`."""
    if code not in door.territory.communes:
        raise COMMUNE_UNKNOWN(f"Aucune commune ne porte le code « {code} ».")
    with store.read() as connection:
        found = offices_of(connection, code)
    items = [say.OfficeOut.model_validate(each, from_attributes=True) for each in found]
    return say.OfficesOut(commune=code, items=items)


@router.post("/offices", status_code=201, response_model=say.OfficeOut, summary="Ouvrir un bureau")
def add_office(
    body: say.OfficeIn, officer: Keeper, store: Store, *, door: TheDoor, key: IdempotencyKey = None
) -> Response:
    """Ouvre un bureau sous le code libre suivant de la commune. 404 `commune_unknown`, 403 `other_commune`."""
    once = _once(officer, key, route="POST /v1/offices", body=body)
    with store.write() as connection:
        if again := once.before(connection):
            return again
        values, today = body.model_dump(exclude_none=True), door.clock.clock.today()
        made = open_office(connection, door, officer, values=values, today=today)
        return once.keep(connection, door, say.OfficeOut.model_validate(made, from_attributes=True))


@router.post("/offices/{code}/closing", summary="Fermer un bureau")
def end_office(
    code: OfficeCode, body: say.OfficeClosingIn, officer: Keeper, *, store: Store, door: TheDoor
) -> say.OfficeOut:
    """Le bureau ne dresse plus d'actes après ce jour ; les siens restent où ils sont.

    404 `office_unknown`, 403 `other_commune`, 409 `office_closed`.
    """
    with store.write() as connection:
        made = close_office(connection, door, officer, code=code, valid_to=body.valid_to)
    return say.OfficeOut.model_validate(made, from_attributes=True)


@router.post("/registers", status_code=201, response_model=say.VolumeOut, summary="Ouvrir un volume")
def add_volume(
    body: say.VolumeIn, officer: Keeper, store: Store, *, door: TheDoor, key: IdempotencyKey = None
) -> Response:
    """Ouvre un volume du registre des naissances, avec la cote et le paraphe s'ils sont connus.

    404 `office_unknown`, 403 `other_commune`, 409 `volume_opened`, 422 `invalid_input`.
    """
    once = _once(officer, key, route="POST /v1/registers", body=body)
    with store.write() as connection:
        if again := once.before(connection):
            return again
        values, today = body.model_dump(exclude_none=True), door.clock.clock.today()
        made = open_volume(connection, door, officer, values=values, today=today)
        return once.keep(connection, door, _volume(made))


@router.get("/registers", summary="Les volumes")
def read_volumes(
    officer: Reader,
    store: Store,
    *,
    door: TheDoor,
    commune: CommuneFilter = None,
    office: OfficeFilter = None,
    year: YearFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[say.VolumeOut]:
    """Par bureau, année et volume : l'état, les actes écrits, le dernier numéro, les feuillets qui restent."""
    communes = communes_asked(officer, door, commune=commune)
    after = None
    if cursor is not None:
        after = decode_cursor(cursor, str, int, str, str)
        if not is_uuid4(after[3]):
            raise BAD_CURSOR()
    with store.read() as connection:
        found, following = list_volumes(
            connection, communes=communes, office=office, year=year, after=after, limit=limit
        )
    return Page(items=[_volume(each) for each in found], next=following and encode_cursor(*following))


@router.get("/registers/gaps", summary="Les irrégularités des numéros")
def read_gaps(
    officer: Reader,
    store: Store,
    *,
    door: TheDoor,
    office: Annotated[str, Query(max_length=40, description="Bureau.", examples=["CD-KN-017-01"])],
    year: Annotated[int, Query(ge=1850, le=9999, description="Année.", examples=[2026])],
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[say.FindingOut]:
    """Numéros manquants ou doublés, actes hors de l'ordre des dates, hors feuillets ou dans un volume non ouvert.

    Ce sont des constats : rien n'est comblé ni corrigé. 404 `office_unknown`, 403 `other_commune`.
    """
    (start,) = decode_cursor(cursor, int) if cursor is not None else (0,)
    if start < 0:
        raise BAD_CURSOR()
    with store.read() as connection:
        home = office_commune(connection, door, office)
        if home is None:
            raise OFFICE_UNKNOWN(f"Aucun bureau ne porte le code « {office} ».")
        require(officer, home, node_kind=door.standing.kind)
        found = gaps_of(connection, office=office, year=year)
    shown = found[start : start + limit]
    items = [say.FindingOut.model_validate(each, from_attributes=True) for each in shown]
    return Page(items=items, next=encode_cursor(start + limit) if len(found) > start + limit else None)


@router.get("/registers/{register_id}", summary="Un volume")
def read_volume(register_id: RegisterId, officer: Reader, store: Store, *, door: TheDoor) -> say.VolumeOut:
    """L'état du volume, ce qui y est écrit et, s'il est clos, la formule de clôture. 404 `register_unknown`."""
    _require_id(register_id, REGISTER_UNKNOWN)
    with store.read() as connection:
        row = book_row(connection, register_id)
        require(officer, row["commune"], node_kind=door.standing.kind)
        return _volume(volume_of(connection, row))


@router.post("/registers/{register_id}/initials", summary="Inscrire la cote et le paraphe")
def initial(
    register_id: RegisterId, body: say.InitialsIn, officer: Keeper, *, store: Store, door: TheDoor
) -> say.VolumeOut:
    """Pour un volume ouvert avant d'être coté et paraphé. 404 `register_unknown`, 409 `volume_initialled`."""
    _require_id(register_id, REGISTER_UNKNOWN)
    with store.write() as connection:
        values, today = body.model_dump(), door.clock.clock.today()
        made = initial_volume(connection, door, officer, register=register_id, values=values, today=today)
    return _volume(made)


@router.post("/registers/{register_id}/closing", summary="Clore un volume")
def end_volume(
    register_id: RegisterId,
    body: say.VolumeClosingIn,
    officer: Keeper,
    *,
    store: Store,
    door: TheDoor,
    config: Config,
) -> say.VolumeOut:
    """Compte les actes et inscrit la formule de clôture à la date du jour ; le volume ne reçoit plus d'actes.

    404 `register_unknown`, 409 `volume_closed`, `clock_unsure` ; 401 `second_factor_required`, 403
    `second_factor_not_enrolled`.
    """
    _require_id(register_id, REGISTER_UNKNOWN)
    with store.write() as connection:
        require_signature(connection, officer, body.otp, at=door.clock.clock.now(), demo=door.standing.demo)
        today = day_of_registration(connection, door, ahead_hours=config.clock_ahead_hours)
        made = close_volume(connection, door, officer, register=register_id, today=today)
    return _volume(made)


@router.post(
    "/registers/{register_id}/volets",
    status_code=201,
    response_model=say.VoletsSent,
    summary="Envoyer un volet de tout un volume",
)
def post_volets(
    register_id: RegisterId,
    body: say.VoletsIn,
    officer: Sender,
    *,
    store: Store,
    door: TheDoor,
    key: IdempotencyKey = None,
) -> Response:
    """Un volet de chaque acte du volume, ou d'une suite de numéros, part avec un seul bordereau.

    Les volets déjà partis ne sont pas renvoyés. 404 `register_unknown`, 409 `no_act_to_send`.
    """
    _require_id(register_id, REGISTER_UNKNOWN)
    once = _once(officer, key, route=f"POST /v1/registers/{register_id}/volets", body=body)
    values = body.model_dump(exclude_none=True, exclude={"from_number", "to_number"})
    with store.write() as connection:
        if again := once.before(connection):
            return again
        made = send_volume(
            connection,
            door,
            officer,
            register=register_id,
            values=values,
            numbers=(body.from_number, body.to_number),
            today=door.clock.clock.today(),
        )
        return once.keep(connection, door, say.VoletsSent.model_validate(made, from_attributes=True))


@router.get("/registers/{register_id}/volets", summary="Les volets d'un volume")
def read_volume_volets(
    register_id: RegisterId, officer: Reader, store: Store, *, door: TheDoor
) -> say.VolumeVolets:
    """Pour chacun des quatre volets, les numéros des actes dont il n'est allé nulle part, et les bordereaux."""
    _require_id(register_id, REGISTER_UNKNOWN)
    with store.read() as connection:
        row = book_row(connection, register_id)
        require(officer, row["commune"], node_kind=door.standing.kind)
        found = {"items": standing_of(connection, row), "slips": slips_of(connection, row)}
    return say.VolumeVolets.model_validate(found)


@router.post(
    "/acts/{act_id}/volets",
    status_code=201,
    response_model=say.VoletOut,
    summary="Envoyer un volet d'un acte",
)
def post_volet(
    act_id: ActId,
    body: say.VoletIn,
    officer: Sender,
    *,
    store: Store,
    door: TheDoor,
    key: IdempotencyKey = None,
) -> Response:
    """Note où est allé un des quatre volets ; envoyé de nouveau, il est noté de nouveau. 404 `act_unknown`."""
    _require_id(act_id, ACT_UNKNOWN)
    once = _once(officer, key, route=f"POST /v1/acts/{act_id}/volets", body=body)
    with store.write() as connection:
        if again := once.before(connection):
            return again
        values, today = body.model_dump(exclude_none=True), door.clock.clock.today()
        made = send_volet(connection, door, officer, act=act_id, values=values, today=today)
        return once.keep(connection, door, say.VoletOut.model_validate(made))


@router.get("/acts/{act_id}/volets", summary="Les volets d'un acte")
def read_volets(act_id: ActId, officer: Reader, store: Store, *, door: TheDoor) -> say.ActVolets:
    """Où sont allés les volets, et lesquels ne sont allés nulle part. La lecture est inscrite au journal."""
    _require_id(act_id, ACT_UNKNOWN)
    with store.write() as connection:
        row = act_row(connection, act_id)
        require(officer, row["commune"], node_kind=door.standing.kind)
        births = [row["birth"]] if row["birth"] is not None else []
        route = "GET /v1/acts/{id}/volets"
        journal(connection, door, officer, births=births, persons=[], commune=row["commune"], route=route)
        found = volets_of(connection, act_id)
    sent = {each["volet"] for each in found}
    return say.ActVolets.model_validate({"items": found, "not_sent": [v for v in VOLETS if v not in sent]})


@router.post(
    "/births/{birth_id}/provisional",
    status_code=201,
    response_model=say.ProvisionalOut,
    summary="Donner un numéro provisoire",
)
def declare_without_register(
    birth_id: BirthId,
    body: say.ProvisionalIn,
    officer: Sender,
    *,
    store: Store,
    door: TheDoor,
    config: Config,
    key: IdempotencyKey = None,
) -> Response:
    """Quand aucun registre papier n'est disponible ; le délai reste celui de la déclaration.

    404 `birth_unknown` ; 409 `already_registered`, `already_provisional`, `office_closed`, `clock_unsure`.
    """
    _require_id(birth_id, BIRTH_UNKNOWN)
    once = _once(officer, key, route=f"POST /v1/births/{birth_id}/provisional", body=body)
    with store.write() as connection:
        if again := once.before(connection):
            return again
        today = day_of_registration(connection, door, ahead_hours=config.clock_ahead_hours)
        made = declare_provisionally(
            connection, door, officer, birth=birth_id, office=body.office, reason=body.reason, today=today
        )
        return once.keep(connection, door, say.ProvisionalOut.model_validate(made))


@router.get("/provisionals", summary="Les déclarations provisoires")
def read_provisionals(
    officer: Reader,
    store: Store,
    *,
    door: TheDoor,
    commune: CommuneFilter = None,
    stage: Annotated[
        Literal["waiting", "numbered"] | None, Query(description="État.", examples=["waiting"])
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[say.ProvisionalItem]:
    """Qui attend un registre, et depuis combien de jours ; le plus ancien d'abord. Inscrit au journal."""
    communes = communes_asked(officer, door, commune=commune)
    after = None
    if cursor is not None:
        after = decode_cursor(cursor, str, str)
        if not is_uuid4(after[1]):
            raise BAD_CURSOR()
    with store.write() as connection:
        today = door.clock.clock.today()
        found = provisionals(
            connection, communes=communes, stage=stage, after=after, limit=limit, today=today
        )
        home = commune or officer.commune
        route = "GET /v1/provisionals"
        journal(connection, door, officer, births=found.births, persons=[], commune=home, route=route)
    items = [say.ProvisionalItem.model_validate(each) for each in found.items]
    return Page(items=items, next=found.next and encode_cursor(*found.next))


def _once(officer: Officer, key: str | None, *, route: str, body: BaseModel) -> Once:
    return Once(officer, key, route=route, body=body.model_dump_json(exclude_unset=True).encode())


def _require_id(identity: str, unknown: ProblemType) -> None:
    if not is_uuid4(identity):
        raise unknown()


def _volume(volume: Volume) -> say.VolumeOut:
    row, written = volume.row, volume.written
    shown: dict[str, Any] = {name: row.get(name) for name in say.VolumeOut.model_fields}
    shown |= {"register": row["register"], "state": volume.state, "sheets_left": volume.sheets_left}
    shown |= {"acts": written.acts, "last_number": written.last_number, "closed_acts": row["acts"]}
    return say.VolumeOut.model_validate(shown | {"initialled": is_initialled(row)})
