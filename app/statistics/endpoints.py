"""GET /v1/statistics/…: births, population, census and delivery, as JSON or CSV, for those who may see figures.
Opens one snapshot per answer, so that the figures and their cut-off belong together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response

from app.access.guards import allow, clock, database, node_kind, settings
from app.access.officers import Officer
from app.access.permissions import Permission
from app.clock import Clock
from app.database import Database
from app.reports.forms import FICTITIOUS
from app.settings import Settings
from app.statistics import births, census, delivery, exports, population
from app.statistics.disclosure import disclose, visible_communes
from app.statistics.figures import Figures, dimensions, read_cutoff, reference_year
from app.statistics.schemas import BirthsOut, CensusOut, DeliveryOut, FiguresOut, PopulationOut
from app.territory.places import Territory

router = APIRouter(prefix="/v1/statistics", tags=["Statistiques"])

Reader = Annotated[Officer, Depends(allow(Permission.STATISTICS))]
# The census under way is what a supervisor follows.
Follower = Annotated[Officer, Depends(allow(Permission.STATISTICS, Permission.PROGRESS))]
Code = Annotated[
    str | None, Query(max_length=16, description="Une seule commune, par son code.", examples=["CD-KN-008"])
]
Form = Annotated[
    Literal["json", "csv"] | None,
    Query(alias="format", description="Forme de la réponse ; à défaut, l'en-tête Accept décide (text/csv)."),
]
By = Annotated[
    str,
    Query(max_length=200, description="Ventilations séparées par des virgules ; vide : le total."),
]
Basis = Annotated[
    births.Basis,
    Query(description="Année du registre (registration) ou année de naissance (birth)."),
]
Year = Annotated[
    int | None,
    Query(
        ge=1850, le=9999, examples=[2026],
        description="Année au 31 décembre de laquelle l'âge est atteint ; à défaut, celle des dernières données.",
    ),
]  # fmt: skip
First = Annotated[
    int | None, Query(alias="from", ge=1850, le=9999, description="Première année.", examples=[2011])
]
Last = Annotated[
    int | None, Query(alias="to", ge=1850, le=9999, description="Dernière année.", examples=[2017])
]


class Desk:
    """What every table of one request needs: what is asked in which form, and the node's state."""

    def __init__(
        self,
        request: Request,
        *,
        store: Annotated[Database, Depends(database)],
        now: Annotated[Clock, Depends(clock)],
        limits: Annotated[Settings, Depends(settings)],
        kind: Annotated[str, Depends(node_kind)],
        commune: Code = None,
        form: Form = None,
    ) -> None:
        self.store = store
        self.clock = now
        self.limits = limits
        self.kind = kind
        self.commune = commune
        self.territory: Territory = request.app.state.territory
        self.fictitious: bool = request.app.state.standing.demo
        self.csv = exports.csv_wanted(request.headers.get("accept", ""), form)

    def answer(
        self,
        officer: Officer,
        count: Callable[[sa.Connection, frozenset[str] | None], Figures],
    ) -> Response:
        """Count in one snapshot, withhold what this officer may not see, and write it down."""
        communes = visible_communes(officer, self.commune, node_kind=self.kind, territory=self.territory)
        with self.store.read() as connection:
            figures = count(connection, communes)
        figures = disclose(figures, officer, node_kind=self.kind, settings=self.limits)
        if communes is not None:
            figures = replace(figures, filters={"commune": ",".join(sorted(communes)), **figures.filters})
        return self._csv(figures) if self.csv else self._json(figures)

    def year(self, connection: sa.Connection, asked: int | None) -> int:
        """The year whose 31 December ages are reached on."""
        return reference_year(read_cutoff(connection), self.clock.today()) if asked is None else asked

    def _json(self, figures: Figures) -> Response:
        content: dict[str, Any] = {
            "rows": figures.rows,
            **figures.members,
            "by": list(figures.by),
            "filters": dict(figures.filters),
            "cutoff": figures.cutoff,
            "definition": figures.definition,
            "territory": self.territory.version,
            "notice": FICTITIOUS if self.fictitious else None,
        }
        return JSONResponse(content, headers=HEADERS)

    def _csv(self, figures: Figures) -> Response:
        text = exports.write_csv(figures, self.territory, fictitious=self.fictitious)
        name = exports.csv_name(figures, fictitious=self.fictitious)
        return Response(
            text,
            media_type="text/csv; charset=utf-8; header=present",
            headers={**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'},
        )


HEADERS = {"Vary": "Accept, Authorization", "Cache-Control": "private, no-store"}
AtDesk = Annotated[Desk, Depends()]


def described(model: type[FiguresOut], sample: str) -> dict[int | str, dict[str, Any]]:
    """The 200 answer in both forms, for the API's description."""
    text = {"schema": {"type": "string"}, "example": sample}
    return {200: {"model": model, "content": {"text/csv": text}, "description": "Le tableau."}}


@router.get(
    "/births",
    summary="Naissances inscrites",
    responses=described(
        BirthsOut,
        "Commune (code);Commune (nom);Année;Délai;Naissances;Effectif masqué\r\n"
        "CD-KN-008;Kimbanseke;2011;dans le délai;1957;\r\n",
    ),
)
def read_births(
    desk: AtDesk,
    officer: Reader,
    *,
    by: By = "commune,year,delay",
    basis: Basis = "registration",
    first: First = None,
    last: Last = None,
) -> Response:
    """Ventilations admises : commune, year, delay, quartier (de la mère), sex, mode, month.

    422 `dimension_unknown`, `years_reversed` ; 403 `other_commune` ; 404 `commune_unknown`.
    Un planificateur ne voit pas les effectifs de 1 à 4 : `null` avec `suppressed`."""
    wanted = dimensions(by, births.DIMENSIONS)
    return desk.answer(
        officer,
        lambda connection, communes: births.births(
            connection,
            by=wanted,
            basis=basis,
            communes=communes,
            years=(first, last),
            territory=desk.territory,
        ),
    )


@router.get(
    "/population",
    summary="Population résidente",
    responses=described(
        PopulationOut,
        "Commune (code);Commune (nom);Groupe d'âges;Personnes;Effectif masqué\r\n"
        "CD-KN-017;Kintambo;0 à 4 ans;7804;\r\n",
    ),
)
def read_population(desk: AtDesk, officer: Reader, *, by: By = "commune", year: Year = None) -> Response:
    """Ventilations admises : commune, quartier, sex, age_group ; nationality_group avec commune seulement.

    422 `dimension_unknown`, `combination_refused` ; 403 `other_commune` ; 404 `commune_unknown`.
    Un planificateur ne voit pas les effectifs de 1 à 4 (1 à 9 par nationalité) : `null` avec `suppressed`."""
    wanted = dimensions(by, population.DIMENSIONS)
    return desk.answer(
        officer,
        lambda connection, communes: population.population(
            connection,
            by=wanted,
            communes=communes,
            year=desk.year(connection, year),
            territory=desk.territory,
        ),
    )


@router.get(
    "/census",
    summary="Résultats du recensement",
    responses=described(
        CensusOut,
        "Commune (code);Commune (nom);Ménages;Personnes;…\r\nCD-KN-017;Kintambo;9361;52907;…\r\n",
    ),
)
def read_census(desk: AtDesk, officer: Follower, *, by: By = "commune", year: Year = None) -> Response:
    """Ventilations admises : commune, quartier. Ménages, personnes, chefs contactés, refus, mineurs sans acte, et leurs
    rapports dont les termes sont dans la même ligne.

    422 `dimension_unknown` ; 403 `other_commune` ; 404 `commune_unknown`.
    Un planificateur ne voit pas les effectifs de 1 à 4, ni les rapports qui en dépendent : `null` avec `suppressed`.
    Un superviseur suit ici l'avancement de sa commune (de toutes à la province), en effectifs exacts."""
    wanted = dimensions(by, census.DIMENSIONS)
    return desk.answer(
        officer,
        lambda connection, communes: census.census(
            connection,
            by=wanted,
            communes=communes,
            year=desk.year(connection, year),
            territory=desk.territory,
        ),
    )


@router.get(
    "/delivery",
    summary="Actes remis",
    responses=described(
        DeliveryOut,
        "Commune (code);Commune (nom);Actes dressés;Actes remis;Part remise (remis ÷ dressés);Effectif masqué\r\n"
        "CD-KN-017;Kintambo;40;30;0,75;\r\n",
    ),
)
def read_delivery(desk: AtDesk, officer: Reader, *, by: By = "commune") -> Response:
    """Ventilations admises : commune. Actes dressés ici, ceux dont un document a été remis, et leur rapport.

    422 `dimension_unknown` ; 403 `other_commune` ; 404 `commune_unknown`.
    Un planificateur ne voit pas les effectifs de 1 à 4, ni le rapport qui en dépend : `null` avec `suppressed`."""
    wanted = dimensions(by, delivery.DIMENSIONS)
    return desk.answer(
        officer,
        lambda connection, communes: delivery.delivery(connection, by=wanted, communes=communes),
    )
