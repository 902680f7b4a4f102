"""The markers by which every route says who may call it, and what a route is given of the node that answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.access.headers import Purpose
from app.access.office import require_in_office
from app.access.officers import Officer
from app.access.permissions import ROLE_FORBIDDEN, Permission, permissions_of
from app.access.purpose import require_purpose, with_purpose
from app.access.sessions import session_officer
from app.clock import Clock
from app.database import Database
from app.errors import problem
from app.settings import Settings

LOGIN_REQUIRED = problem(
    "login_required",
    401,
    "Connexion nécessaire",
    "Ouvrez une session (POST /v1/sessions) et envoyez son jeton.",
)
P = Permission


def database(request: Request) -> Database:
    """The node's database (a FastAPI dependency)."""
    found: Database = request.app.state.database
    return found


def clock(request: Request) -> Clock:
    """The node's clock (a FastAPI dependency)."""
    found: Clock = request.app.state.clock
    return found


def settings(request: Request) -> Settings:
    """The node's settings (a FastAPI dependency)."""
    found: Settings = request.app.state.settings
    return found


def node_kind(request: Request) -> str:
    """ "commune", "province" or "both" (a FastAPI dependency)."""
    found: str = request.app.state.kind
    return found


# Where an act is signed, the officer must be in office; where one reads about reading, or where the setting asks it, he
# must have said why.
_SIGNING = frozenset({P.REGISTER, P.ANNOTATE, P.VOLUMES})
_SENSITIVE = frozenset({P.READERS})
_PERSONAL = frozenset({P.READ_PERSONS, P.READ_CIVIL})

BEARER = HTTPBearer(auto_error=False, description="Jeton d'une session d'officier (POST /v1/sessions).")


class OfficerGuard:
    """A dependency that gives the officer behind the bearer token if he holds one of the permissions."""

    def __init__(self, permissions: frozenset[Permission]) -> None:
        self.permissions = permissions
        self.label = "|".join(sorted(permissions))

    def __call__(
        self,
        request: Request,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
        *,
        purpose: Purpose = None,
    ) -> Officer:
        """Raises `login_required` (401), `too_many_requests` (429), `role_forbidden`, `not_in_office` (403) or
        `purpose_required` (428)."""
        officer = _behind(request, bearer)
        request.app.state.pace.take(officer.id, clock(request).now())
        if not self.permissions & permissions_of(officer, node_kind(request)):
            raise ROLE_FORBIDDEN(f"Le rôle « {officer.role} » ne donne pas accès à cette opération.")
        if self.permissions <= _SIGNING and request.method != "GET":
            require_in_office(officer, clock(request).today())
        officer = with_purpose(officer, purpose)
        asked = (
            self.permissions & _PERSONAL and request.method == "GET" and settings(request).purpose_required
        )
        if asked or self.permissions <= _SENSITIVE:
            require_purpose(officer)
        return officer


def _behind(request: Request, bearer: HTTPAuthorizationCredentials | None) -> Officer:
    """The officer behind the token of a session that is open and not left alone; raises `login_required` (401)."""
    officer = None
    if bearer is not None:
        now, minutes = clock(request).now(), settings(request).signing_minutes
        with database(request).read() as connection:
            officer = session_officer(connection, bearer.credentials, at=now, signing_minutes=minutes)
    if officer is None or officer.session is None or not request.app.state.login.is_awake(officer.session):
        raise LOGIN_REQUIRED(headers={"WWW-Authenticate": "Bearer"})
    return officer


class OpenMarker:
    """A dependency that does nothing but say that no officer has to be logged in."""

    def __init__(self, label: str) -> None:
        self.label = label

    async def __call__(self) -> None:
        """Lets everybody through, on no thread of its own."""


def allow(permission: Permission, *others: Permission) -> OfficerGuard:
    """Dependency of a route for officers holding any of these permissions: `Annotated[Officer, Depends(allow(…))]`."""
    return OfficerGuard(frozenset({permission, *others}))


def public() -> OpenMarker:
    """Marks a route that anybody may call."""
    return OpenMarker("public")


def device() -> OpenMarker:
    """Marks a route for devices; the ledger proves them by session, signature or invitation."""
    return OpenMarker("device")


class Unclassified(RuntimeError):
    """A route does not say, or says twice, who may call it."""


def classification(app: FastAPI) -> dict[tuple[str, str], str]:
    """(method, path) → "public", "device" or the permissions joined by "|"; raises Unclassified for any other route."""
    documentation = {app.openapi_url, app.docs_url, app.redoc_url, app.swagger_ui_oauth2_redirect_url}
    found: dict[tuple[str, str], str] = {}
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        labels = set(_labels(dependant)) if dependant is not None else set()
        if dependant is None and route.path in documentation:
            labels = {"public"}
        if len(labels) != 1:
            raise Unclassified(
                f"{sorted(route.methods or ())} {route.path}: {sorted(labels) or 'no permission'}"
            )
        for method in (route.methods or set()) - {"HEAD"}:
            found[method, str(route.path)] = next(iter(labels))
    return found


def _labels(dependant: Dependant) -> Iterator[str]:
    call: Any = dependant.call
    if isinstance(call, OfficerGuard | OpenMarker):
        yield call.label
    for inner in dependant.dependencies:
        yield from _labels(inner)
