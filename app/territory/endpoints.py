"""GET /v1/communes and the quartiers of one of them. `router()` names no permission: access stands above the
territory in the layers, so the application gives it the guard."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Request, params

from app.database import Database
from app.territory.places import COMMUNE_UNKNOWN
from app.territory.schemas import CommuneOut, CommunesOut, QuartierOut, QuartiersOut
from app.territory.tables import commune, office, quartier, quartier_alias, territory_version


def database(request: Request) -> Database:
    """The node's database."""
    found: Database = request.app.state.database
    return found


def router(guard: params.Depends) -> APIRouter:
    """The two routes of the territory behind a guard: `Depends(allow(Permission.TERRITORY))`."""
    routes = APIRouter(prefix="/v1/communes", tags=["Territoire"], dependencies=[guard])
    routes.add_api_route("", communes, methods=["GET"], summary="Les communes de la province")
    routes.add_api_route(
        "/{code}/quartiers", quartiers, methods=["GET"], summary="Les quartiers d'une commune"
    )
    return routes


def communes(store: Annotated[Database, Depends(database)]) -> CommunesOut:
    """Toutes les communes, leur district et leurs bureaux de l'état civil."""
    with store.read() as connection:
        version = connection.scalar(sa.select(territory_version.c.version))
        rows = connection.execute(sa.select(commune).order_by(commune.c.code)).all()
        in_service = connection.execute(
            sa.select(office).where(office.c.valid_to.is_(None)).order_by(office.c.code)
        ).all()
    offices: dict[str, list[str]] = defaultdict(list)
    for row in in_service:
        offices[row.commune].append(row.code)
    items = [
        CommuneOut(
            code=row.code,
            name=row.name,
            district=row.district,
            province=row.province,
            offices=offices[row.code],
        )
        for row in rows
    ]
    return CommunesOut(version=version, items=items)


def quartiers(
    code: Annotated[str, Path(description="Code de la commune.", examples=["CD-KN-017"])],
    store: Annotated[Database, Depends(database)],
) -> QuartiersOut:
    """Les quartiers d'une commune avec leurs autres graphies ; 404 `commune_unknown` pour un code inconnu."""
    with store.read() as connection:
        if connection.scalar(sa.select(commune.c.code).where(commune.c.code == code)) is None:
            raise COMMUNE_UNKNOWN(f"Aucune commune ne porte le code « {code[:40]} ».")
        rows = connection.execute(
            sa.select(quartier).where(quartier.c.commune == code).order_by(quartier.c.rank)
        ).all()
        known = connection.execute(
            sa.select(quartier_alias).where(quartier_alias.c.commune == code).order_by(quartier_alias.c.alias)
        ).all()
    aliases: dict[str | None, list[str]] = defaultdict(list)
    for row in known:
        aliases[row.quartier].append(row.alias)
    items = [
        QuartierOut(
            code=row.code,
            name=row.name,
            rank=row.rank,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            aliases=aliases[row.code],
        )
        for row in rows
    ]
    return QuartiersOut(commune=code, items=items)
