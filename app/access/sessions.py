"""Sessions of officers: logging in, the officer behind a token, logging out.

Tokens are opaque and stored as SHA-256 only. Sessions of devices belong to the ledger."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.access import factors, tables
from app.access.events import record_event
from app.access.idempotency import forget_before
from app.access.officers import Officer, end_sessions, normal_username
from app.access.passwords import hash_password, require_strong, verify_password
from app.access.tries import Tries
from app.clock import Clock, stamp
from app.database import Database
from app.errors import problem

SESSION_UNKNOWN = problem("session_unknown", 404, "Session inconnue", "Relisez la liste de vos sessions.")
WRONG_PASSWORD = problem(
    "wrong_password", 403, "Mot de passe faux", "Retapez le mot de passe que vous avez aujourd'hui."
)
WRONG_LOGIN = problem("wrong_login", 401, "Connexion refusée", "Identifiant ou mot de passe incorrect.")

KEPT_ANSWERS = timedelta(days=30)
SIGNING_MINUTES = 10.0


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session: `token` is shown once and never stored, `expires_at` is RFC 3339 text in UTC."""

    token: str
    expires_at: str
    officer: Officer


class Login:
    """The door of officers of one node; `hours` is the life of a session, `tries` the wrong passwords in 15 minutes.

    `idle_minutes` without a request end a session, 0 = never.
    """

    def __init__(
        self, database: Database, clock: Clock, *, hours: float, tries: int, idle_minutes: float = 0
    ) -> None:
        self._database = database
        self._clock = clock
        self._life = timedelta(hours=hours)
        self._tries = Tries(tries)
        self._idle = timedelta(minutes=idle_minutes)
        # In memory: a write at each read would cost more than the pause it measures. A restart begins it anew.
        self._seen: dict[str, datetime] = {}
        # Unknown names are checked against this hash, so that they take the time of a known one.
        self._nobody = hash_password(secrets.token_urlsafe(24))

    def open_session(
        self, username: str, password: str, *, purpose: str | None = None, otp: str | None = None
    ) -> OpenedSession:
        """Log in; a code of an enrolled factor opens the session's signing window too.

        Raises `wrong_login` (the same for unknown, disabled and mistaken), `second_factor_required` after a right
        password, or `too_many_tries`.
        """
        now = self._clock.now()
        username = normal_username(username)
        self._tries.take(username, now)
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(tables.officer).where(tables.officer.c.username == username)
            ).one_or_none()
        right = verify_password(password, row.password_hash if row else self._nobody)
        if row is None or not right or row.disabled_at is not None:
            raise WRONG_LOGIN()
        token, session = secrets.token_urlsafe(32), str(uuid.uuid4())
        expires_at = stamp(now + self._life)
        with self._database.write() as connection:
            # The account may have been closed or re-keyed while the password was checked.
            same = sa.select(tables.officer.c.id).where(
                tables.officer.c.id == row.id,
                tables.officer.c.disabled_at.is_(None),
                tables.officer.c.password_hash == row.password_hash,
            )
            if connection.scalar(same.with_for_update()) is None:
                raise WRONG_LOGIN()
            enrolled = factors.is_enrolled(connection, row.id)
            if enrolled:
                factors.accept(connection, row.id, otp, at=now)
            _sweep(connection, row.id, now=now)
            connection.execute(
                tables.officer_session.insert().values(
                    id=session,
                    second_factor_at=stamp(now) if enrolled else None,
                    token_hash=_hash(token),
                    officer=row.id,
                    purpose=purpose,
                    created_at=stamp(now),
                    expires_at=expires_at,
                )
            )
        self._tries.forget(username)
        self._seen = {one: at for one, at in self._seen.items() if now - at < self._life} | {session: now}
        who = Officer(row.id, row.username, row.name, row.role, row.commune, purpose, session)
        return OpenedSession(token, expires_at, who)

    def is_awake(self, session: str) -> bool:
        """True, and noted as seen now, unless the session (id) was left alone too long: then it ends."""
        now = self._clock.now()
        if self._idle and now - self._seen.get(session, now) >= self._idle:
            with self._database.write() as connection:
                connection.execute(
                    tables.officer_session.delete().where(tables.officer_session.c.id == session)
                )
            return False
        self._seen[session] = now
        return True

    def require_password(self, officer: Officer, password: str) -> str:
        """Prove once more who sits there; gives the stored hash. Raises `wrong_password` (403), `too_many_tries`."""
        mine = tables.officer.c.id == officer.id
        self._tries.take(officer.username, self._clock.now())
        with self._database.read() as connection:
            stored = connection.scalar(sa.select(tables.officer.c.password_hash).where(mine)) or self._nobody
        if not verify_password(password, stored):
            raise WRONG_PASSWORD()
        self._tries.forget(officer.username)
        return stored

    def change_own_password(self, officer: Officer, *, old: str, new: str) -> None:
        """An officer's new password for his old one; his other sessions end.

        Raises `wrong_password` (403), `too_many_tries` (429) or `weak_password` (422).
        """
        stored = self.require_password(officer, old)
        require_strong(new, officer.username)
        hashed = hash_password(new)
        with self._database.write() as connection:
            same = tables.officer.c.id == officer.id, tables.officer.c.password_hash == stored
            changed = connection.execute(tables.officer.update().where(*same).values(password_hash=hashed))
            if changed.rowcount != 1:
                raise WRONG_PASSWORD()
            end_sessions(connection, officer.id, but=officer.session)
            record_event(
                connection, officer.id, event="password_changed", by=officer.id, at=self._clock.now()
            )


def session_officer(
    connection: sa.Connection, token: str, *, at: datetime, signing_minutes: float = SIGNING_MINUTES
) -> Officer | None:
    """The officer behind a token at that moment, or None when it is unknown, expired or its officer disabled.

    `signing_minutes`: how long a right code lets this session sign.
    """
    query = (
        sa.select(
            tables.officer.c.id,
            tables.officer.c.username,
            tables.officer.c.name,
            tables.officer.c.role,
            tables.officer.c.commune,
            tables.officer_session.c.purpose,
            tables.officer_session.c.id.label("session"),
            tables.officer.c.office_from,
            tables.officer.c.office_to,
            tables.officer_session.c.second_factor_at,
        )
        .join(tables.officer_session, tables.officer_session.c.officer == tables.officer.c.id)
        .where(
            tables.officer_session.c.token_hash == _hash(token),
            tables.officer_session.c.expires_at > stamp(at),
            tables.officer.c.disabled_at.is_(None),
        )
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    values = dict(row._mapping)
    until = factors.window_end(values.pop("second_factor_at"), minutes=signing_minutes)
    return Officer(**values, signs_until=until)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session as its officer sees it, without the token; times are RFC 3339 texts in UTC."""

    id: str
    purpose: str | None
    created_at: str
    expires_at: str


def own_sessions(connection: sa.Connection, officer: Officer, *, at: datetime) -> list[SessionRow]:
    """The officer's open sessions, the oldest first."""
    session = tables.officer_session.c
    query = (
        sa.select(session.id, session.purpose, session.created_at, session.expires_at)
        .where(session.officer == officer.id, session.expires_at > stamp(at))
        .order_by(session.created_at, session.id)
    )
    return [SessionRow(*row) for row in connection.execute(query)]


def close_own_session(connection: sa.Connection, officer: Officer, session: str) -> None:
    """End one of the officer's sessions (id); raises `session_unknown` (404) for one that is not his."""
    his = tables.officer_session.c.officer == officer.id, tables.officer_session.c.id == session
    if connection.execute(tables.officer_session.delete().where(*his)).rowcount == 0:
        raise SESSION_UNKNOWN()


def close_session(connection: sa.Connection, token: str) -> None:
    """Log out: the token is worth nothing any more."""
    connection.execute(
        tables.officer_session.delete().where(tables.officer_session.c.token_hash == _hash(token))
    )


def _sweep(connection: sa.Connection, officer: str, *, now: datetime) -> None:
    expired = sa.and_(
        tables.officer_session.c.officer == officer, tables.officer_session.c.expires_at <= stamp(now)
    )
    connection.execute(tables.officer_session.delete().where(expired))
    forget_before(connection, officer, moment=now - KEPT_ANSWERS)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
