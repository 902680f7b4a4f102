"""Sessions of devices: the nonce of `hello`, the signed assertion, the bearer token. Officers' are in app.access."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from app.clock import moment, stamp
from app.errors import problem
from app.ledger.door import Door
from app.ledger.history import current_dots, registers_of
from app.ledger.keeping import note_contact
from app.ledger.senders import Sender, sender_of
from app.ledger.tables import device, device_session, used_nonce
from sync.seal import BadSignature, make_grant, peek, verify_compact

BAD_ASSERTION = problem(
    "bad_assertion",
    401,
    "Session refusée",
    "Demandez un nouveau nonce (GET /sync/v1/hello) et signez-le avec la clé de l'appareil.",
)
SESSION_REQUIRED = problem(
    "session_required", 401, "Session d'appareil nécessaire", "Ouvrez une session (POST /sync/v1/sessions)."
)
GRANT_EXPIRED = problem(
    "grant_expired",
    403,
    "Autorisation expirée",
    "L'appareil peut encore envoyer ses lots ; pour recevoir, faites-le enrôler à nouveau.",
)
REVOKED = problem(
    "revoked",
    403,
    "Appareil révoqué",
    "Effacez les fiches reçues, gardez les lots non envoyés et rapportez l'appareil.",
)
NONCE_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Opened:
    """A device's session: the token is given once, only its hash is stored."""

    token: str
    expires_in: int
    grant: str | None


def _secret(door: Door) -> bytes:
    return hashlib.sha256(b"nonce" + door.identity.key.pem()).digest()


def make_nonce(door: Door, at: datetime) -> str:
    """A nonce only this node can have made; nothing is stored until it is used."""
    body = int(at.timestamp()).to_bytes(6, "big") + secrets.token_bytes(10)
    seal = hmac.new(_secret(door), body, hashlib.sha256).digest()[:16]
    return base64.urlsafe_b64encode(body + seal).rstrip(b"=").decode()


def _check_nonce(connection: sa.Connection, door: Door, nonce: object, at: datetime) -> None:
    try:
        raw = base64.b64decode(str(nonce) + "=" * (-len(str(nonce)) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise BAD_ASSERTION() from error
    body, seal = raw[:16], raw[16:]
    if not hmac.compare_digest(hmac.new(_secret(door), body, hashlib.sha256).digest()[:16], seal):
        raise BAD_ASSERTION()
    made = int.from_bytes(body[:6], "big")
    if abs(at.timestamp() - made) > NONCE_MINUTES * 60:
        raise BAD_ASSERTION("Le nonce a plus de cinq minutes.")
    now = stamp(at)
    connection.execute(used_nonce.delete().where(used_nonce.c.expires_at < now))
    # By its bytes, since base64 can spell them in several ways; two calls may bring it at the same moment.
    values = {"nonce": raw.hex(), "until": stamp(at + timedelta(minutes=2 * NONCE_MINUTES))}
    if connection.execute(_USE_NONCE, values).one_or_none() is None:
        raise BAD_ASSERTION("Ce nonce a déjà servi.")


_USE_NONCE = sa.text(
    "INSERT INTO used_nonce (nonce, expires_at) VALUES (:nonce, :until) ON CONFLICT (nonce) DO NOTHING RETURNING nonce"
)


def open_session(
    connection: sa.Connection, door: Door, assertion: str, *, at: datetime, minutes: float, grant_days: int
) -> Opened:
    """A session for the device that signed {dev, aud, nonce}. Raises `bad_assertion`, `grant_expired`, `revoked`."""
    try:
        claimed = peek(assertion)[1]
        sender = sender_of(connection, str(claimed.get("dev")), standing=door.standing)
        if sender is None:
            raise BAD_ASSERTION("Appareil inconnu de ce serveur.")
        claims = verify_compact(sender.public, assertion, kid=sender.dev, typ="session")
    except BadSignature as error:
        raise BAD_ASSERTION() from error
    if claims.get("dev") != sender.dev or claims.get("aud") != door.identity.dev:
        raise BAD_ASSERTION("L'assertion est faite pour un autre nœud.")
    _check_nonce(connection, door, claims.get("nonce"), at)
    row = connection.execute(sa.select(device).where(device.c.id == sender.dev)).mappings().one_or_none()
    if row is not None and _is_revoked(row["revoked"]):
        raise REVOKED()
    if sender.expires and moment(sender.expires) < at:
        raise GRANT_EXPIRED()
    note_contact(connection, sender.dev, at=stamp(at), ahead=_ahead(claims.get("time"), at))
    token = secrets.token_urlsafe(32)
    expires = at + timedelta(minutes=minutes)
    connection.execute(device_session.delete().where(device_session.c.expires_at < stamp(at)))
    connection.execute(
        device_session.insert().values(
            token_hash=hashlib.sha256(token.encode()).hexdigest(), dev=sender.dev, expires_at=stamp(expires)
        )
    )
    return Opened(
        token, int(minutes * 60), _renewed(connection, door, sender, row, at=at, grant_days=grant_days)
    )


def _ahead(told: object, at: datetime) -> float | None:
    """By how many seconds a device's clock is ahead of ours: the nonce is minutes old, so what it says was said now."""
    try:
        return round((moment(str(told)) - at).total_seconds(), 3)
    except (ValueError, OverflowError):
        return None


def _renewed(
    connection: sa.Connection, door: Door, sender: Sender, row: Any, *, at: datetime, grant_days: int
) -> str | None:
    """The device's grant; past half its life a new one, written as an operation of this node."""
    if row is None or row["granted_by"] != door.identity.dev:
        return sender.grant
    if moment(sender.expires) - at > timedelta(days=grant_days / 2):
        return sender.grant
    expires = stamp(at + timedelta(days=grant_days))
    grant = make_grant(
        door.identity.key,
        node=door.identity.dev,
        dev=sender.dev,
        key=sender.public.jwk(),
        agent=sender.agent,
        role=sender.role,
        areas=list(sender.areas),
        expires=expires,
        node_cert=door.standing.node_cert,
    )
    registers = registers_of(connection, "device", row)
    par = {name: current_dots(registers, "device", register=name) for name in ("grant", "expires")}
    renewal = {"kind": "device", "id": sender.dev, "set": {"grant": grant, "expires": expires}, "par": par}
    door.write(connection, [renewal], by=sender.agent)
    return grant


def session_device(connection: sa.Connection, door: Door, token: str, *, at: datetime) -> Sender | None:
    """The device behind a bearer token; None for an unknown or ended one. Raises `revoked`."""
    query = (
        sa.select(device_session.c.dev, device.c.revoked)
        .outerjoin(device, device.c.id == device_session.c.dev)
        .where(
            device_session.c.token_hash == hashlib.sha256(token.encode()).hexdigest(),
            device_session.c.expires_at > stamp(at),
        )
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    if _is_revoked(row.revoked):
        raise REVOKED()
    return sender_of(connection, row.dev, standing=door.standing)


def _is_revoked(stored: str | None) -> bool:
    return stored is not None and bool(orjson.loads(stored))
