"""create_app(): the one place that wires a node together. Opens nothing by itself: it is given an opened Node."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette_compress import CompressMiddleware

import app.access.endpoints
import app.civil.books.endpoints
import app.civil.drafting.endpoints
import app.civil.endpoints
import app.civil.late.endpoints
import app.civil.margins.endpoints
import app.civil.publication
import app.civil.readers.endpoints
import app.civil.takeover.endpoints
import app.documents.endpoints
import app.documents.open
import app.ledger.endpoints
import app.ledger.exchange
import app.population.duplicates.endpoints
import app.population.endpoints
import app.reports.endpoints
import app.statistics.endpoints
import app.territory.endpoints
from app.access.guards import allow, public
from app.access.pace import Pace
from app.access.permissions import Permission
from app.access.sessions import Login
from app.civil.same_child import BIRTHS
from app.documents.printing import Press
from app.documents.visitors import Visitors
from app.ledger.packs import Packs
from app.ledger.relay import Relay
from app.ledger.turnstile import Turnstile
from app.node import Node
from app.population.duplicates.sweeper import Sweeper
from app.web import problems
from app.web.bodies import DEFAULT, Bound, BoundedBodies, bounds_within

# The registers looked through for one person recorded twice, by the name the calls give them.
MATCHED = {BIRTHS.of: BIRTHS}
DESCRIPTION = (
    "Registre de la population et état civil des communes de Kinshasa. "
    "Erreurs : RFC 9457, champ `code` stable."
)
DEMO = "DONNÉES FICTIVES : serveur de démonstration."


def create_app(node: Node, *, secure: bool = False, relay: bool = False) -> FastAPI:
    """The ASGI application of a node; `secure`: passwords may come from other machines (TLS, or a proxy)."""
    standing, settings = node.door.standing, node.settings

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        thread = Relay(node.door, pause=settings.relay_seconds, most_bytes=settings.relay_bytes)
        sweeper = Sweeper(node.door, MATCHED.values(), pause=settings.match_seconds)
        if relay and not standing.is_province:
            thread.start()
        if relay:
            sweeper.start()
        yield
        for each in (thread, sweeper):
            if each.is_alive():
                each.stop()
        state.turnstile.close()
        state.reading.close()

    application = FastAPI(
        title="Mboka" + (" — DONNÉES FICTIVES" if standing.demo else ""),
        version="1",
        description=DESCRIPTION + (f"\n\n**{DEMO}**" if standing.demo else ""),
        routes=[*ROUTES],
        redirect_slashes=False,
        lifespan=life,
    )
    state = application.state
    state.database, state.clock, state.settings = node.database, node.clock, settings
    state.kind, state.commune, state.standing = standing.kind, standing.commune, standing
    state.matched = MATCHED
    state.door, state.territory, state.secure = node.door, node.territory, secure
    state.turnstile = Turnstile(working=settings.accepting, waiting=settings.waiting)
    state.reading = Turnstile(working=settings.accepting, waiting=settings.waiting)
    state.press = Press(Path(settings.data) / "templates")
    state.visitors = Visitors(settings.visits)
    packs = Path(settings.data) / "packs"
    state.packs = Packs(node.door, packs, clock=node.clock, least_rows=settings.pack_rows)
    state.login = Login(
        node.database,
        node.clock,
        hours=settings.session_hours,
        tries=settings.login_tries,
        idle_minutes=settings.idle_minutes,
    )
    state.pace = Pace(settings.requests_per_minute)
    state.device_pace = Pace(settings.device_requests_per_minute)
    problems.install(application)
    _describe_in_french(application)
    application.add_middleware(CompressMiddleware, minimum_size=1000)
    application.add_middleware(
        BoundedBodies,
        bounds=bounds_within(settings.request_seconds),
        default=Bound(DEFAULT.bytes, settings.request_seconds),
    )
    return application


def _describe_in_french(application: FastAPI) -> None:
    """FastAPI's own word for an answer nobody described is English."""
    describe = application.openapi

    def openapi() -> dict[str, Any]:
        document = describe()
        for calls in document["paths"].values():
            for answer in (each for call in calls.values() for each in call["responses"].values()):
                if answer["description"] == "Successful Response":
                    answer["description"] = "Réponse."
        return document

    application.openapi = openapi  # type: ignore[method-assign]


def _routes() -> list[BaseRoute]:
    """Every call of the API, each with the refusals any call may meet.

    They stand in the application themselves: a router included is matched twice at every request, and built anew for
    every application (a third of a second).
    """
    whole = APIRouter()

    @whole.get("/health", tags=["Suivi"], summary="Le serveur répond-il ?", dependencies=[Depends(public())])
    def health() -> dict[str, str]:
        """Pour la surveillance : ne lit aucune donnée."""
        return {"status": "ok"}

    found = [route for router in (*ROUTERS, whole) for route in router.routes]
    for route in found:
        if isinstance(route, APIRoute):
            route.responses = problems.RESPONSES | route.responses
    return found


ROUTERS = (
    app.access.endpoints.router,
    app.territory.endpoints.router(Depends(allow(Permission.TERRITORY))),
    app.ledger.exchange.router,
    app.ledger.endpoints.router,
    app.population.endpoints.router,
    app.population.duplicates.endpoints.router,
    app.civil.endpoints.router,
    app.civil.readers.endpoints.router,
    app.civil.publication.router,
    app.civil.books.endpoints.router,
    app.civil.drafting.endpoints.router,
    app.civil.late.endpoints.router,
    # Before the margins: /v1/acts/undelivered is no act called "undelivered".
    app.documents.endpoints.router,
    app.civil.margins.endpoints.router,
    app.civil.takeover.endpoints.router,
    app.documents.open.router,
    app.statistics.endpoints.router,
    app.reports.endpoints.router,
)
ROUTES = _routes()
