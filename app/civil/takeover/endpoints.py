"""REST calls of the takeover: a file is brought and read through, run, keyed twice and arbitrated. The work of a long
file is done in portions of some seconds; the caller asks again until nothing waits."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import JSONResponse

from app.access.guards import allow
from app.access.journal import record_read
from app.access.officers import Officer
from app.access.paging import BAD_CURSOR, Cursor, Limit, Page, decode_cursor, encode_cursor
from app.access.permissions import Permission
from app.civil.desk import CommuneFilter, Raw, Store, TheDoor, communes_asked
from app.civil.takeover import arbitration, entering, keying, receiving
from app.civil.takeover.keying import KEYING_UNKNOWN
from app.civil.takeover.receiving import IMPORT_UNKNOWN
from app.civil.takeover.schemas import (
    ArbitrationIn,
    DifferenceOut,
    ImportFileOut,
    ImportOut,
    KeyingIn,
    KeyingItem,
    KeyingOut,
    RuledOut,
    RunIn,
)
from app.errors import ProblemType
from app.ledger.door import Door
from sync.catalogue import is_uuid4

# A slow line's patience is not worth a portion longer than this.
PORTION_SECONDS = 15.0
SHOWN = 50

router = APIRouter(prefix="/v1", tags=["Reprise"])
Keyer = Annotated[Officer, Depends(allow(Permission.DECLARE))]
Registrar = Annotated[Officer, Depends(allow(Permission.REPRISE))]
ImportId = Annotated[str, Path(max_length=100, description="Identifiant de l'import.")]
KeyingId = Annotated[str, Path(max_length=100, description="Identifiant de la double saisie.")]
_SAMPLE = (
    "Bureau;Année;Volume;N° acte;Date de l'acte;Nom;Sexe\nCD-KN-017-01;2013;III;1;05/03/2013;ILUNGA;garçon\n"
)
_FILES = {
    kind: {"schema": {"type": "string", "format": "binary"}, "example": _SAMPLE}
    for kind in ("text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
}


@router.post(
    "/imports",
    status_code=201,
    response_model=ImportFileOut,
    summary="Apporter un fichier d'actes et le faire lire",
    openapi_extra={"requestBody": {"required": True, "content": _FILES}},
)
def bring_file(
    body: Raw,
    officer: Keyer,
    store: Store,
    *,
    door: TheDoor,
    name: Annotated[
        str,
        Query(min_length=1, max_length=200, description="Nom du fichier.", examples=["registre-2011.csv"]),
    ] = "fichier",
    sheet: Annotated[str | None, Query(max_length=100, description="Feuille ; la première à défaut.")] = None,
    mapping: Annotated[
        str | None,
        Query(
            max_length=20_000,
            description="Correspondance {columns, constants} en JSON ; à défaut, celle que disent les en-têtes.",
            examples=['{"columns": {"Sexe": "sex"}, "constants": {"office": "CD-KN-017-01"}}'],
        ),
    ] = None,
) -> Response:
    """Lit tout le fichier (CSV ou XLSX, 8 Mio au plus) et dit ligne par ligne ce qui ne va pas ; rien n'est inscrit.

    Le même fichier renvoyé est le même import. 422 `file_unreadable`, `mapping_invalid` (avec une proposition),
    `sheet_unknown` ; 413 `too_large`.
    """
    plan = receiving.plan_for(body, mapping, sheet=sheet)
    identity = receiving.receive(
        store, door, officer=officer, content=body, name=name, plan=plan, sheet=sheet
    )
    with store.read() as connection:
        return JSONResponse(_file(connection, door, officer, file=identity, after=(0, -1), limit=SHOWN), 201)


@router.get("/imports", response_model=Page[ImportOut], summary="Les fichiers d'actes")
def list_files(
    officer: Keyer,
    store: Store,
    *,
    door: TheDoor,
    commune: CommuneFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Les fichiers des communes de l'officier, les derniers d'abord."""
    communes = communes_asked(officer, door, commune=commune)
    after = decode_cursor(cursor, str, str) if cursor is not None else None
    with store.read() as connection:
        found = receiving.files(connection, communes=communes, after=_newest(after), limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    following = encode_cursor(last["at"], last["id"]) if last is not None else None
    return JSONResponse({"items": found[:limit], "next": following})


@router.get("/imports/{import_id}", response_model=ImportFileOut, summary="Un fichier d'actes et ses erreurs")
def read_file(
    import_id: ImportId,
    officer: Keyer,
    *,
    store: Store,
    door: TheDoor,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Où en est le fichier, et une page de ses erreurs. La lecture est inscrite au journal."""
    _require(import_id, IMPORT_UNKNOWN)
    after = decode_cursor(cursor, int, int) if cursor is not None else (0, -1)
    with store.write() as connection:
        shown = _file(connection, door, officer, file=import_id, after=(after[0], after[1]), limit=limit)
        _journal(connection, door, officer, kind="import", subject=import_id, route="GET /v1/imports/{id}")
    return JSONResponse(shown)


@router.post(
    "/imports/{import_id}/run", response_model=ImportFileOut, summary="Inscrire les actes d'un fichier"
)
def run_file(
    import_id: ImportId, body: RunIn, officer: Registrar, *, store: Store, door: TheDoor
) -> Response:
    """Inscrit les actes par mille, une quinzaine de secondes ; redemander tant que l'état est `entering`.

    Une ligne déjà au registre n'est pas comptée deux fois ; un numéro pris par un autre acte est une erreur. 409
    `import_wrong` tant qu'il y a des lignes à corriger, sauf `skip_wrong` ; 409 `import_in_keying`, `import_busy`.
    """
    _require(import_id, IMPORT_UNKNOWN)
    entering.enter(
        store, door, officer=officer, file=import_id, skip_wrong=body.skip_wrong, seconds=PORTION_SECONDS
    )
    with store.read() as connection:
        return JSONResponse(_file(connection, door, officer, file=import_id, after=(0, -1), limit=SHOWN))


@router.post("/keyings", status_code=201, response_model=KeyingOut, summary="Comparer deux saisies")
def compare(body: KeyingIn, officer: Keyer, store: Store, *, door: TheDoor) -> Response:
    """Compare ligne par ligne deux fichiers lus des mêmes pages ; leurs actes n'entrent plus que par ici.

    409 `keyed_by_one` si la même personne a saisi les deux, `not_two_keyings` ; 404 `import_unknown`.
    """
    _require(body.first, IMPORT_UNKNOWN)
    _require(body.second, IMPORT_UNKNOWN)
    with store.write() as connection:
        identity = keying.compare_keyings(
            connection, door, officer, name=body.name, first=body.first, second=body.second
        )
        return JSONResponse(_keying(connection, door, officer, identity), 201)


@router.get("/keyings", response_model=Page[KeyingItem], summary="Les doubles saisies")
def list_keyings(
    officer: Keyer,
    store: Store,
    *,
    door: TheDoor,
    commune: CommuneFilter = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Les doubles saisies des communes de l'officier, les dernières d'abord."""
    communes = communes_asked(officer, door, commune=commune)
    after = decode_cursor(cursor, str, str) if cursor is not None else None
    with store.read() as connection:
        found = keying.keyings(connection, communes=communes, after=_newest(after), limit=limit + 1)
    last = found[limit - 1] if len(found) > limit else None
    following = encode_cursor(last["at"], last["id"]) if last is not None else None
    return JSONResponse({"items": found[:limit], "next": following})


@router.get("/keyings/{keying_id}", response_model=KeyingOut, summary="Une double saisie")
def read_keying(keying_id: KeyingId, officer: Keyer, *, store: Store, door: TheDoor) -> Response:
    """Lignes égales, différentes, manquantes, entrées ; taux d'erreur de chaque officier."""
    _require(keying_id, KEYING_UNKNOWN)
    with store.read() as connection:
        return JSONResponse(_keying(connection, door, officer, keying_id))


@router.get(
    "/keyings/{keying_id}/differences",
    response_model=Page[DifferenceOut],
    summary="Ce qui diffère entre deux saisies",
)
def list_differences(
    keying_id: KeyingId,
    officer: Keyer,
    *,
    store: Store,
    door: TheDoor,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Les lignes qui attendent quelqu'un, dans l'ordre des pages. La lecture est inscrite au journal."""
    _require(keying_id, KEYING_UNKNOWN)
    after = decode_cursor(cursor, int)[0] if cursor is not None else -1
    with store.write() as connection:
        row = keying.keying_row(connection, officer, keying=keying_id, kind=door.standing.kind)
        found = keying.differing_lines(connection, row, door, after=after, limit=limit + 1)
        route = "GET /v1/keyings/{id}/differences"
        _journal(connection, door, officer, kind="keying", subject=keying_id, route=route)
    following = encode_cursor(found[limit - 1][0]) if len(found) > limit else None
    return JSONResponse({"items": [shown for _, shown in found[:limit]], "next": following})


@router.post("/keyings/{keying_id}/arbitration", response_model=RuledOut, summary="Arbitrer une ligne")
def arbitrate(
    keying_id: KeyingId, body: ArbitrationIn, officer: Keyer, *, store: Store, door: TheDoor
) -> Response:
    """Un troisième officier dit ce que porte le papier ; une ligne saisie une seule fois se confirme de même.

    409 `keyed_by_one` pour qui a saisi l'une des versions ; 404 `keyed_line_unknown` ; 422 `arbitration_incomplete`,
    `invalid_input`.
    """
    _require(keying_id, KEYING_UNKNOWN)
    number = {name: getattr(body, name) for name in keying.NUMBER}
    with store.write() as connection:
        ruled = arbitration.rule(
            connection, door, officer, keying=keying_id, number=number, values=body.values
        )
    return JSONResponse(ruled)


@router.post("/keyings/{keying_id}/run", response_model=KeyingOut, summary="Inscrire les lignes concordantes")
def run_keying(keying_id: KeyingId, officer: Registrar, *, store: Store, door: TheDoor) -> Response:
    """Inscrit les lignes égales et les lignes arbitrées ; redemander tant que `states` compte `equal` ou `ruled`."""
    _require(keying_id, KEYING_UNKNOWN)
    arbitration.enter_agreed(store, door, officer=officer, keying=keying_id, seconds=PORTION_SECONDS)
    with store.read() as connection:
        return JSONResponse(_keying(connection, door, officer, keying_id))


def _file(
    connection: sa.Connection, door: Door, officer: Officer, *, file: str, after: tuple[int, int], limit: int
) -> dict[str, object]:
    row = receiving.file_row(connection, officer, file=file, kind=door.standing.kind)
    found = receiving.faults_of(connection, row, after=after, limit=limit + 1)
    following = encode_cursor(*found[limit - 1][0]) if len(found) > limit else None
    return {**receiving.report(row), "errors": [shown for _, shown in found[:limit]], "next": following}


def _keying(connection: sa.Connection, door: Door, officer: Officer, identity: str) -> dict[str, object]:
    row = keying.keying_row(connection, officer, keying=identity, kind=door.standing.kind)
    return keying.keying_report(connection, row)


def _journal(
    connection: sa.Connection, door: Door, officer: Officer, *, kind: str, subject: str, route: str
) -> None:
    at = door.clock.clock.now()
    record_read(
        connection, officer, kind=kind, subjects=[subject], commune=officer.commune, route=route, at=at
    )


def _require(identity: str, unknown: ProblemType) -> None:
    if not is_uuid4(identity):
        raise unknown()


def _newest(after: tuple[str, ...] | None) -> tuple[str, str] | None:
    if after is None:
        return None
    if not is_uuid4(after[1]):
        raise BAD_CURSOR()
    return (after[0], after[1])
