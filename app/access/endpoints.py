"""REST calls of officers: sessions, their own second factor, and an admin's care of the accounts."""

from __future__ import annotations

from dataclasses import asdict
from ipaddress import ip_address
from typing import Annotated
from uuid import UUID

import segno
import sqlalchemy as sa
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.security import HTTPAuthorizationCredentials

from app.access import factors, officers
from app.access.guards import BEARER, allow, clock, database, node_kind, public
from app.access.office import Office, set_office
from app.access.officers import Officer, OfficerRow
from app.access.paging import Cursor, Limit, Page, decode_cursor, encode_cursor
from app.access.permissions import Permission
from app.access.schemas import (
    FactorIn,
    FactorOut,
    OfficerIn,
    OfficerOut,
    OfficerPatch,
    OtpIn,
    OwnSession,
    PasswordIn,
    RecoveryOut,
    SessionIn,
    SessionOut,
)
from app.access.sessions import Login, close_own_session, close_session, own_sessions
from app.clock import Clock
from app.database import Database
from app.errors import problem
from app.territory.places import COMMUNE_UNKNOWN
from app.territory.tables import commune

HTTPS_REQUIRED = problem(
    "https_required", 403, "Connexion non protégée", "Un mot de passe ne s'envoie qu'en HTTPS."
)

router = APIRouter(prefix="/v1", tags=["Accès"])
Me = Annotated[Officer, Depends(allow(Permission.OWN_SESSION))]
OfficerId = Annotated[UUID, Path(description="Identifiant de l'officier.")]
Admin = Annotated[Officer, Depends(allow(Permission.MANAGE_OFFICERS))]
Store = Annotated[Database, Depends(database)]
Now = Annotated[Clock, Depends(clock)]
Kind = Annotated[str, Depends(node_kind)]


OFFICE = {"office_from", "office_to", "appointed_by"}


def login(request: Request) -> Login:
    """The node's login, which counts the tries of everybody."""
    found: Login = request.app.state.login
    return found


def protected_channel(request: Request) -> None:
    """Raise `https_required` when a password came over plain HTTP from another machine."""
    if getattr(request.app.state, "secure", False) or request.url.scheme == "https":
        return
    host = request.client.host if request.client else ""
    try:
        loopback = ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise HTTPS_REQUIRED()


@router.post(
    "/sessions",
    status_code=201,
    summary="Ouvrir une session",
    dependencies=[Depends(public()), Depends(protected_channel)],
)
def open_session(body: SessionIn, door: Annotated[Login, Depends(login)], response: Response) -> SessionOut:
    """Identifiant et mot de passe contre un jeton ; le code `otp` aussi, si l'officier a un second facteur.

    401 `wrong_login`, 401 `second_factor_required`, 429 `too_many_tries`, 403 `https_required`.
    """
    opened = door.open_session(body.username, body.password, purpose=body.purpose, otp=body.otp)
    response.headers["Cache-Control"] = "no-store"
    who = opened.officer
    return SessionOut.model_validate(
        {"token": opened.token, "expires_at": opened.expires_at, "role": who.role, "commune": who.commune}
    )


@router.delete(
    "/sessions/current",
    status_code=204,
    response_class=Response,
    summary="Fermer la session",
    dependencies=[Depends(allow(Permission.OWN_SESSION))],
)
def end_session(bearer: Annotated[HTTPAuthorizationCredentials, Depends(BEARER)], store: Store) -> Response:
    """Le jeton ne vaut plus rien ensuite."""
    with store.write() as connection:
        close_session(connection, bearer.credentials)
    return Response(status_code=204)


@router.get("/sessions", summary="Ses sessions ouvertes")
def read_own_sessions(me: Me, store: Store, *, now: Now) -> list[OwnSession]:
    """Où l'officier est connecté : une session inconnue se ferme, puis le mot de passe se change."""
    with store.read() as connection:
        rows = own_sessions(connection, me, at=now.now())
    return [
        OwnSession(
            **asdict(row),
            current=row.id == me.session,
            signs_until=me.signs_until if row.id == me.session else None,
        )
        for row in rows
    ]


@router.delete(
    "/sessions/{session_id}",
    status_code=204,
    response_class=Response,
    summary="Fermer une de ses sessions",
)
def end_own_session(
    session_id: Annotated[UUID, Path(description="Identifiant de la session.")], me: Me, store: Store
) -> Response:
    """Son jeton ne vaut plus rien ensuite. 404 `session_unknown`."""
    with store.write() as connection:
        close_own_session(connection, me, str(session_id))
    return Response(status_code=204)


@router.post(
    "/officers/me/password",
    status_code=204,
    response_class=Response,
    summary="Changer son mot de passe",
    dependencies=[Depends(protected_channel)],
)
def change_own_password(body: PasswordIn, me: Me, door: Annotated[Login, Depends(login)]) -> Response:
    """Au moins douze caractères, pas un mot connu ; rien n'oblige à en changer souvent. Les autres sessions finissent.

    403 `wrong_password`, 422 `weak_password`, 429 `too_many_tries`.
    """
    door.change_own_password(me, old=body.old, new=body.new)
    return Response(status_code=204)


@router.post(
    "/officers/me/factor",
    status_code=201,
    summary="Préparer son second facteur",
    dependencies=[Depends(protected_channel)],
)
def start_factor(
    body: FactorIn,
    me: Me,
    *,
    door: Annotated[Login, Depends(login)],
    store: Store,
    now: Now,
    response: Response,
) -> FactorOut:
    """Donne un secret à photographier avec une application de codes (TOTP). Il ne vaut qu'une fois confirmé.

    Le mot de passe est demandé encore : un poste laissé ouvert n'inscrit le téléphone de personne d'autre.
    403 `wrong_password`, 409 `second_factor_enrolled` si un téléphone est déjà inscrit, 429 `too_many_tries`.
    """
    door.require_password(me, body.password)
    with store.write() as connection:
        started = factors.start(connection, me, at=now.now())
    response.headers["Cache-Control"] = "no-store"
    qr = segno.make_qr(started.address, error="m").svg_inline(scale=4)
    return FactorOut(secret=started.secret, otpauth=started.address, qr=qr)


@router.post(
    "/officers/me/factor/confirmation",
    status_code=201,
    summary="Confirmer son second facteur",
    dependencies=[Depends(protected_channel)],
)
def confirm_factor(body: OtpIn, me: Me, *, store: Store, now: Now, response: Response) -> RecoveryOut:
    """Un premier code juste inscrit le téléphone et donne dix codes de secours, montrés cette seule fois.

    401 `second_factor_required`, 404 `no_second_factor`, 409 `second_factor_enrolled`, 429 `too_many_tries`.
    """
    with store.write() as connection:
        codes = factors.confirm(connection, me, body.otp, at=now.now())
    response.headers["Cache-Control"] = "no-store"
    return RecoveryOut(recovery=codes)


@router.delete(
    "/officers/me/factor",
    status_code=204,
    response_class=Response,
    summary="Retirer son second facteur",
    dependencies=[Depends(protected_channel)],
)
def remove_factor(body: OtpIn, me: Me, *, store: Store, now: Now) -> Response:
    """Avec un dernier code, ou un code de secours. 401 `second_factor_required`, 404 `no_second_factor`."""
    with store.write() as connection:
        factors.remove(connection, me, body.otp, at=now.now())
    return Response(status_code=204)


@router.delete(
    "/officers/{officer_id}/factor",
    status_code=204,
    response_class=Response,
    summary="Retirer le second facteur d'un officier",
)
def reset_factor(officer_id: OfficerId, admin: Admin, *, store: Store, now: Now) -> Response:
    """Téléphone perdu : l'officier doit en inscrire un autre avant de signer. Inscrit au journal des comptes.

    404 `officer_unknown`, `no_second_factor`.
    """
    with store.write() as connection:
        officers.find_officer(connection, str(officer_id))
        factors.reset(connection, str(officer_id), by=admin.id, at=now.now())
    return Response(status_code=204)


@router.get("/officers", summary="Les officiers")
def read_officers(_admin: Admin, store: Store, cursor: Cursor = None, limit: Limit = 100) -> Page[OfficerOut]:
    """Tous les comptes dans l'ordre des identifiants, fermés compris."""
    after = decode_cursor(cursor, str)[0] if cursor else ""
    with store.read() as connection:
        rows = officers.list_officers(connection, after=after, limit=limit + 1)
    more = encode_cursor(rows[limit - 1].username) if len(rows) > limit else None
    return Page[OfficerOut](items=[_out(row) for row in rows[:limit]], next=more)


@router.post(
    "/officers", status_code=201, summary="Ajouter un officier", dependencies=[Depends(protected_channel)]
)
def create_officer(
    body: OfficerIn, admin: Admin, store: Store, *, now: Now, kind: Kind, request: Request
) -> OfficerOut:
    """Sans commune, l'officier d'un nœud communal reçoit la commune du nœud."""
    home = body.commune or officers.default_commune(body.role, kind, node_commune=request.app.state.commune)
    with store.write() as connection:
        _require_commune(connection, home)
        row = officers.add_officer(
            connection,
            username=body.username,
            name=body.name,
            role=body.role,
            commune=home,
            password=body.password,
            at=now.now(),
            whole_province=kind != "commune",
        )
        office = Office(body.office_from, body.office_to, body.appointed_by)
        set_office(connection, row.id, office, by=admin.id, at=now.now())
        row = officers.find_officer(connection, row.id)
    return _out(row)


@router.patch(
    "/officers/{officer_id}", summary="Modifier un officier", dependencies=[Depends(protected_channel)]
)
def patch_officer(
    officer_id: OfficerId,
    body: OfficerPatch,
    admin: Admin,
    *,
    store: Store,
    now: Now,
    kind: Kind,
) -> OfficerOut:
    """Nom, rôle, commune, dates de fonction, mot de passe, fermeture du compte ; changer ses droits ferme ses sessions.

    409 `last_admin` : le dernier compte d'administrateur ouvert ne se ferme pas et ne change pas de rôle.
    """
    given, officer = body.model_fields_set, str(officer_id)
    with store.write() as connection:
        before = officers.find_officer(connection, officer)
        if given & {"name", "role", "commune"}:
            home = body.commune if "commune" in given else before.commune
            _require_commune(connection, home)
            officers.change_officer(
                connection,
                officer,
                name=body.name if "name" in given else before.name,
                role=body.role if "role" in given else before.role,
                commune=home,
                whole_province=kind != "commune",
            )
        if given & OFFICE:
            was = {name: getattr(before, name) for name in OFFICE}
            office = Office(**was | body.model_dump(include=OFFICE & given))
            set_office(connection, officer, office, by=admin.id, at=now.now())
        if "password" in given:
            officers.change_password(connection, officer, password=body.password)
        if "disabled" in given:
            if body.disabled:
                officers.disable(connection, officer, at=now.now())
            else:
                officers.enable(connection, officer)
        after = officers.find_officer(connection, officer)
    return _out(after)


def _require_commune(connection: sa.Connection, code: str | None) -> None:
    if (
        code is not None
        and connection.scalar(sa.select(commune.c.code).where(commune.c.code == code)) is None
    ):
        raise COMMUNE_UNKNOWN(f"Aucune commune ne porte le code « {code} ».")


def _out(row: OfficerRow) -> OfficerOut:
    return OfficerOut.model_validate(row)
