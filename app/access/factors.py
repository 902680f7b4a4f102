"""The second factor of an officer: enrolling a TOTP secret (RFC 6238), accepting each code once, recovery codes, and
the signing window a code opens for one session. What is signed is the business of the act that asks for it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyotp
import sqlalchemy as sa

from app.access import tables
from app.access.events import record_event
from app.access.officers import Officer, end_sessions
from app.access.tries import Tries
from app.clock import KINSHASA, stamp
from app.errors import problem

SECOND_FACTOR_REQUIRED = problem(
    "second_factor_required",
    401,
    "Code à usage unique nécessaire",
    "Envoyez `otp` : le code de six chiffres de votre téléphone, ou un code de secours.",
)
SECOND_FACTOR_NOT_ENROLLED = problem(
    "second_factor_not_enrolled",
    403,
    "Second facteur non inscrit",
    "Inscrivez votre téléphone (POST /v1/officers/me/factor) avant de signer.",
)
SECOND_FACTOR_ENROLLED = problem(
    "second_factor_enrolled",
    409,
    "Second facteur déjà inscrit",
    "Retirez d'abord l'ancien (DELETE /v1/officers/me/factor).",
)
NO_SECOND_FACTOR = problem("no_second_factor", 404, "Aucun second facteur", "Inscrivez d'abord un téléphone.")

STEP_SECONDS = 30
STEPS_AROUND = (-1, 0, 1)
RECOVERY_CODES = 10
WRONG_CODES = 5
ISSUER = "Mboka"

_TOTP = re.compile(r"[0-9]{6}")
_TRIES = Tries(WRONG_CODES)


@dataclass(frozen=True, slots=True)
class Started:
    """A secret shown once: base32 text and the otpauth:// address of the QR code."""

    secret: str
    address: str


def is_enrolled(connection: sa.Connection, officer: str) -> bool:
    """True when this officer (id) has confirmed a second factor."""
    return _factor(connection, officer, confirmed=True) is not None


def start(connection: sa.Connection, officer: Officer, *, at: datetime) -> Started:
    """A new secret, worth nothing until a code of it is confirmed; replaces one that never was.

    Raises `second_factor_enrolled` (409) where one is in use.
    """
    if is_enrolled(connection, officer.id):
        raise SECOND_FACTOR_ENROLLED()
    _forget(connection, officer.id)
    secret = pyotp.random_base32()
    connection.execute(
        tables.officer_factor.insert().values(
            officer=officer.id, secret=secret, started_at=stamp(at), confirmed_at=None, last_step=0
        )
    )
    return Started(secret, pyotp.TOTP(secret).provisioning_uri(name=officer.username, issuer_name=ISSUER))


def confirm(connection: sa.Connection, officer: Officer, otp: str, *, at: datetime) -> list[str]:
    """Take the secret into use after a right code: gives the recovery codes, shown once and stored as hashes.

    The officer's other sessions end and this one may sign. Raises `no_second_factor` (404),
    `second_factor_enrolled` (409), `second_factor_required` (401), `too_many_tries` (429).
    """
    if is_enrolled(connection, officer.id):
        raise SECOND_FACTOR_ENROLLED()
    if _factor(connection, officer.id, confirmed=False) is None:
        raise NO_SECOND_FACTOR()
    accept(connection, officer.id, otp, at=at, confirmed=False)
    codes = [_spoken(secrets.token_bytes(15)) for _ in range(RECOVERY_CODES)]
    connection.execute(
        tables.officer_recovery.insert(),
        [{"officer": officer.id, "code_hash": _hash(officer.id, code), "used_at": None} for code in codes],
    )
    mine = tables.officer_factor.c.officer == officer.id
    connection.execute(tables.officer_factor.update().where(mine).values(confirmed_at=stamp(at)))
    end_sessions(connection, officer.id, but=officer.session)
    open_window(connection, officer, at=at)
    record_event(connection, officer.id, event="factor_enrolled", by=officer.id, at=at)
    return codes


def remove(connection: sa.Connection, officer: Officer, otp: str, *, at: datetime) -> None:
    """Give up one's own factor with a last code of it. Raises `no_second_factor` (404) and as `accept`."""
    if not is_enrolled(connection, officer.id):
        raise NO_SECOND_FACTOR()
    accept(connection, officer.id, otp, at=at)
    _forget(connection, officer.id)
    record_event(connection, officer.id, event="factor_removed", by=officer.id, at=at)


def reset(connection: sa.Connection, officer: str, *, by: str | None, at: datetime) -> None:
    """Take away an officer's (id) factor when his phone is lost; `by` None = the command line. His sessions end.

    Raises `no_second_factor` (404).
    """
    if not is_enrolled(connection, officer):
        raise NO_SECOND_FACTOR()
    _forget(connection, officer)
    end_sessions(connection, officer)
    record_event(connection, officer, event="factor_reset", by=by, at=at)


def accept(
    connection: sa.Connection, officer: str, otp: str | None, *, at: datetime, confirmed: bool = True
) -> None:
    """Use up one code of this officer (id): TOTP of 30 s ± 1 step, or a recovery code of a factor in use.

    Raises `second_factor_required` (401) without a code or for one that is wrong or used, `too_many_tries` (429).
    """
    factor = _factor(connection, officer, confirmed=confirmed)
    code = re.sub(r"[\s-]", "", otp or "").upper()
    if factor is None or not code:
        raise _refused("")
    _TRIES.take(officer, at)
    right = (
        _use_step(connection, factor, code, at=at)
        if _TOTP.fullmatch(code)
        else _use_recovery(connection, officer, code, at=at)
    )
    if not right:
        hour = f"{at.astimezone(KINSHASA):%H:%M:%S}"
        raise _refused(
            f"Ce code ne vaut pas ou a déjà servi. Il est {hour} au serveur : comparez au téléphone."
        )
    _TRIES.forget(officer)


def require_signature(
    connection: sa.Connection, officer: Officer, otp: str | None, *, at: datetime, demo: bool
) -> None:
    """Let an officer sign: within his session's signing window, else with a code, which opens it.

    Raises `second_factor_required` (401: enrolled, and no code or a wrong one), `too_many_tries` (429) or
    `second_factor_not_enrolled` (403), the last but on a demonstration's node. Call it in the transaction of the act.
    """
    if not is_enrolled(connection, officer.id):
        if demo:
            return
        raise SECOND_FACTOR_NOT_ENROLLED()
    if officer.signs_until is not None and stamp(at) < officer.signs_until:
        return
    accept(connection, officer.id, otp, at=at)
    open_window(connection, officer, at=at)


def open_window(connection: sa.Connection, officer: Officer, *, at: datetime) -> None:
    """Note on the officer's session that a code was right just now."""
    mine = tables.officer_session.c.id == officer.session
    connection.execute(tables.officer_session.update().where(mine).values(second_factor_at=stamp(at)))


def window_end(second_factor_at: str | None, *, minutes: float) -> str | None:
    """Until when (RFC 3339, UTC) a session signs whose code was right at that moment; None = not at all."""
    if second_factor_at is None:
        return None
    return stamp(datetime.fromisoformat(second_factor_at) + timedelta(minutes=minutes))


def _factor(connection: sa.Connection, officer: str, *, confirmed: bool) -> sa.Row[tuple[str, ...]] | None:
    factor = tables.officer_factor
    in_use = factor.c.confirmed_at.is_not(None) if confirmed else factor.c.confirmed_at.is_(None)
    return connection.execute(sa.select(factor).where(factor.c.officer == officer, in_use)).one_or_none()


def _use_step(connection: sa.Connection, factor: sa.Row[tuple[str, ...]], code: str, *, at: datetime) -> bool:
    totp, now = pyotp.TOTP(factor.secret), int(at.timestamp()) // STEP_SECONDS
    steps = [
        now + around for around in STEPS_AROUND if hmac.compare_digest(totp.generate_otp(now + around), code)
    ]
    if not steps:
        return False
    column = tables.officer_factor.c
    # The condition is in the statement: of two requests with the same code one wins.
    fresh = column.officer == factor.officer, column.last_step < max(steps)
    used = connection.execute(tables.officer_factor.update().where(*fresh).values(last_step=max(steps)))
    return used.rowcount == 1


def _use_recovery(connection: sa.Connection, officer: str, code: str, *, at: datetime) -> bool:
    column = tables.officer_recovery.c
    unused = column.officer == officer, column.code_hash == _hash(officer, code), column.used_at.is_(None)
    used = connection.execute(tables.officer_recovery.update().where(*unused).values(used_at=stamp(at)))
    return used.rowcount == 1


def _forget(connection: sa.Connection, officer: str) -> None:
    for table in (tables.officer_recovery, tables.officer_factor):
        connection.execute(table.delete().where(table.c.officer == officer))


def _refused(detail: str) -> Exception:
    # RFC 9470: the token is good, the authentication behind it is not enough.
    return SECOND_FACTOR_REQUIRED(
        detail, headers={"WWW-Authenticate": 'Bearer error="insufficient_user_authentication"'}
    )


def _spoken(code: bytes) -> str:
    text = base64.b32encode(code).decode()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _hash(officer: str, code: str) -> str:
    # 120 random bits need no slow hash (NIST SP 800-63B 3.1.2.2); the officer's id is the salt.
    return hashlib.sha256(f"{officer} {code.replace('-', '')}".encode()).hexdigest()
