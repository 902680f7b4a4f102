"""GET /v1/reports/…: the monthly report, the year's index and a volume's closing record, as JSON, CSV, XLSX or PDF."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response

from app.access.guards import allow
from app.access.journal import record_read
from app.access.jurisdiction import require
from app.access.officers import Officer
from app.access.paging import BAD_CURSOR, Cursor, Limit, decode_cursor, encode_cursor
from app.access.permissions import Permission
from app.civil.books.offices import OFFICE_UNKNOWN, office_commune
from app.civil.books.volumes import REGISTER_UNKNOWN
from app.civil.desk import Store, TheDoor
from app.ledger.door import Door
from app.reports.alphabet import index_report, year_index
from app.reports.closing import closing_record, closing_report
from app.reports.forms import FICTITIOUS, form_wanted
from app.reports.monthly import monthly, monthly_report
from app.reports.schemas import ClosingOut, IndexOut, MonthlyOut
from app.reports.sheets import MEDIA, Report, write
from app.territory.places import COMMUNE_UNKNOWN
from sync.catalogue import is_uuid4

HEADERS = {"Vary": "Accept, Authorization", "Cache-Control": "private, no-store"}
router = APIRouter(prefix="/v1/reports", tags=["Rapports"])
Reader = Annotated[Officer, Depends(allow(Permission.REPORTS))]
Form = Annotated[
    Literal["json", "csv", "xlsx", "pdf"] | None,
    Query(
        alias="format",
        description="Forme ; à défaut, l'en-tête Accept décide (text/csv, …, application/pdf).",
    ),
]


def _described(model: type[Any], what: str) -> dict[int | str, dict[str, Any]]:
    """The 200 answer in every form, for the API's description."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    content = {
        media: binary if form != "csv" else {"schema": {"type": "string"}} for form, media in MEDIA.items()
    }
    return {200: {"model": model, "content": content, "description": what}}


class Desk:
    """What every report of one request needs: the node's state and the form asked for."""

    def __init__(self, request: Request, *, store: Store, door: TheDoor, form: Form = None) -> None:
        self.store = store
        self.door: Door = door
        self.form = form_wanted(request.headers.get("accept", ""), form, offered=MEDIA)
        self.fictitious: bool = door.standing.demo

    def named(self, commune: str | None) -> str:
        """ "Kimbanseke (CD-KN-008)"."""
        name = self.door.territory.commune_names.get(commune or "", "")
        return f"{name} ({commune})" if commune else ""

    def answer(self, content: dict[str, Any], report: Callable[[], Report]) -> Response:
        """The content as JSON, or its report in the form asked for."""
        if self.form == "json":
            notice = FICTITIOUS if self.fictitious else None
            return JSONResponse({**content, "notice": notice}, headers=HEADERS)
        made = report()
        name = f'attachment; filename="{made.name}.{self.form}"'
        media = MEDIA[self.form] + ("; charset=utf-8; header=present" if self.form == "csv" else "")
        body = write(made, self.form, at=self.door.clock.clock.now())
        return Response(body, media_type=media, headers={**HEADERS, "Content-Disposition": name})


AtDesk = Annotated[Desk, Depends()]


@router.get(
    "/monthly",
    summary="Le rapport mensuel d'une commune",
    responses=_described(MonthlyOut, "Le rapport du mois."),
)
def read_monthly(
    officer: Reader,
    desk: AtDesk,
    *,
    commune: Annotated[str, Query(max_length=40, description="Code de la commune.", examples=["CD-KN-017"])],
    month: Annotated[
        str,
        Query(
            pattern=r"^(18[5-9]\d|19\d\d|[2-9]\d\d\d)-(0[1-9]|1[0-2])$",
            description="Mois.",
            examples=["2026-01"],
        ),
    ],
) -> Response:
    """Hommes, femmes, garçons et filles inscrits dans le mois, par origine des parents et mode de déclaration.

    Un acte annulé n'est pas compté mais indiqué. 404 `commune_unknown`, 403 `other_commune`.
    """
    if commune not in desk.door.territory.communes:
        raise COMMUNE_UNKNOWN(f"Aucune commune ne porte le code « {commune} ».")
    require(officer, commune, node_kind=desk.door.standing.kind)
    with desk.store.read() as connection:
        found = monthly(connection, commune, month=month, names=desk.door.territory.commune_names)
    return desk.answer(found, lambda: monthly_report(found, fictitious=desk.fictitious))


@router.get(
    "/index", summary="La table alphabétique d'une année", responses=_described(IndexOut, "La table.")
)
def read_index(
    officer: Reader,
    desk: AtDesk,
    *,
    office: Annotated[str, Query(max_length=40, description="Code du bureau.", examples=["CD-KN-017-01"])],
    year: Annotated[int, Query(ge=1850, le=9999, description="Année du registre.", examples=[2026])],
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Par nom, post-nom et prénom : numéro, volume, folio et date. JSON par pages ; un fichier contient toute l'année.

    La lecture est inscrite au journal de chaque personne montrée. 404 `office_unknown`, 403 `other_commune`.
    """
    with desk.store.read() as connection:
        commune = office_commune(connection, desk.door, office)
    if commune is None:
        raise OFFICE_UNKNOWN(f"Aucun bureau ne porte le code « {office} ».")
    require(officer, commune, node_kind=desk.door.standing.kind)
    start = decode_cursor(cursor, int)[0] if cursor is not None else 0
    if start < 0:
        raise BAD_CURSOR()
    with desk.store.write() as connection:
        found = year_index(connection, office, year=year)
        shown = found[start : start + limit] if desk.form == "json" else found
        subjects = [row["birth"] for row in shown if row["birth"] is not None]
        record_read(
            connection,
            officer,
            kind="birth",
            subjects=subjects,
            commune=commune,
            route="GET /v1/reports/index",
            at=desk.door.clock.clock.now(),
        )
    content = {
        "office": office,
        "year": year,
        "acts": len(found),
        "items": [{name: value for name, value in row.items() if name != "birth"} for row in shown],
        "next": encode_cursor(start + limit) if len(found) > start + limit else None,
    }
    return desk.answer(
        content,
        lambda: index_report(
            found, office=office, year=year, commune=desk.named(commune), fictitious=desk.fictitious
        ),
    )


@router.get(
    "/closing",
    summary="Le procès-verbal de clôture d'un volume",
    responses=_described(ClosingOut, "Le procès-verbal."),
)
def read_closing(
    officer: Reader,
    desk: AtDesk,
    *,
    book: Annotated[str, Query(max_length=100, description="Identifiant du volume (GET /v1/registers).")],
) -> Response:
    """Actes inscrits, premier et dernier numéro, numéros manquants ; provisoire tant que le volume est ouvert.

    404 `register_unknown`, 403 `other_commune`.
    """
    if not is_uuid4(book):
        raise REGISTER_UNKNOWN()
    with desk.store.read() as connection:
        found = closing_record(connection, book)
    require(officer, found["commune"], node_kind=desk.door.standing.kind)
    return desk.answer(
        found,
        lambda: closing_report(found, commune=desk.named(found["commune"]), fictitious=desk.fictitious),
    )
