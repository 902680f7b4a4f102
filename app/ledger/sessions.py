"""Sessions of devices: the nonce of `hello`, the signed assertion, the bearer token. Officers' are in app.access."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.clock import moment, stamp
from app.errors import problem
from app.ledger.door import Door
from app.ledger.granting import regrant
from app.ledger.keeping import note_contact
from app.ledger.node import read_standing
from app.ledger.revocation import SERVERS
from app.ledger.senders import GRANT_REQUIRED, Sender, admit, sender_of
from app.ledger.tables import device, device_session, node, used_nonce
from sync.catalogue import is_uuid4
from sync.seal import BadSignature, peek, verify_compact

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
    connection: sa.Connection,
    door: Door,
    assertion: str,
    *,
    grant: str | None,
    at: datetime,
    minutes: float,
    grant_days: int,
) -> Opened:
    """A session for the device that signed {dev, aud, nonce}; one unknown here brings its `grant`.

    Raises `grant_required`, `unknown_device`, `bad_assertion`, `grant_expired`, `revoked`.
    """
    try:
        sender = _introduced(connection, door, str(peek(assertion)[1].get("dev")), grant=grant)
        claims = verify_compact(sender.public, assertion, kid=sender.dev, typ="session")
    except BadSignature as error:
        raise BAD_ASSERTION() from error
    if claims.get("dev") != sender.dev or claims.get("aud") != door.identity.dev:
        raise BAD_ASSERTION("L'assertion est faite pour un autre nœud.")
    _check_nonce(connection, door, claims.get("nonce"), at)
    row = connection.execute(sa.select(device).where(device.c.id == sender.dev)).mappings().one_or_none()
    if door.verdict(connection, sender.dev).revoked:
        raise REVOKED()
    unsure = clock_is_unsure(connection, door)
    if sender.expires and moment(sender.expires) < at and not unsure:
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
    # A date that may be wrong makes no new dates.
    grant = sender.grant if unsure else _renewed(connection, door, sender, row, at=at, grant_days=grant_days)
    return Opened(token, int(minutes * 60), grant)


def _ahead(told: object, at: datetime) -> float | None:
    """By how many seconds a device's clock is ahead of ours: the nonce is minutes old, so what it says was said now."""
    try:
        return round((moment(str(told)) - at).total_seconds(), 3)
    except (ValueError, OverflowError):
        return None


def clock_is_unsure(connection: sa.Connection, door: Door) -> bool:
    """Whether this server's clock jumped by more than a day and neither the province nor an admin has confirmed it:
    then grants count as valid (protocol section 2). Writes the jump down, for a server started anew."""
    standing, jump = read_standing(connection), door.clock.jump()
    jumped, confirmed = standing.clock_jumped_at, standing.clock_confirmed_at
    if jump is not None and stamp(jump) > (jumped or ""):
        jumped = stamp(jump)
        connection.execute(node.update().values(clock_jumped_at=jumped))
    return jumped is not None and jumped > (confirmed or "")


def _introduced(connection: sa.Connection, door: Door, dev: str, *, grant: str | None) -> Sender:
    sender = sender_of(connection, dev, standing=door.standing)
    if sender is not None:
        return sender
    if not is_uuid4(dev):
        raise BAD_ASSERTION("Appareil inconnu de ce serveur.")
    if not grant:
        raise GRANT_REQUIRED()
    return admit(connection, door.standing, grant, dev=dev)


def _renewed(
    connection: sa.Connection, door: Door, sender: Sender, row: Any, *, at: datetime, grant_days: int
) -> str | None:
    """The device's grant; past half its life a new one, written as an operation of this node.

    This node renews what it granted itself, and whatever lies in its own commune: the server that granted it may be
    gone, or have been rebuilt under another name.
    """
    if not _is_ours(door, sender, row):
        return sender.grant
    if moment(sender.expires) - at > timedelta(days=grant_days / 2):
        return sender.grant
    expires = stamp(at + timedelta(days=grant_days))
    return regrant(connection, door, sender, areas=sender.areas, expires=expires, by=sender.agent)


def _is_ours(door: Door, sender: Sender, row: Any) -> bool:
    standing = door.standing
    if standing.node_cert is None:
        return False
    if standing.is_province and row is not None and row["granted_by"] == standing.dev:
        return True
    if standing.commune is None or sender.role in SERVERS:
        return False
    return all(standing.commune in (each, door.territory.commune_of(each)) for each in sender.areas)


def session_device(connection: sa.Connection, door: Door, token: str, *, at: datetime) -> Sender | None:
    """The device behind a bearer token; None for an unknown or ended one. Raises `revoked`."""
    query = sa.select(device_session.c.dev).where(
        device_session.c.token_hash == hashlib.sha256(token.encode()).hexdigest(),
        device_session.c.expires_at > stamp(at),
    )
    dev = connection.execute(query).scalar()
    if dev is None:
        return None
    if door.verdict(connection, dev).revoked:
        raise REVOKED()
    return sender_of(connection, dev, standing=door.standing)
