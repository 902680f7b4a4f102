"""Officers of a node: adding, changing, disabling, listing, and the rules of their names.

Whether a commune exists is checked by the caller, who holds the territory."""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from app.access import tables
from app.access.passwords import hash_password, require_strong
from app.access.tables import ROLES
from app.clock import stamp
from app.errors import problem
from sync.catalogue import is_uuid4

USERNAME_TAKEN = problem("username_taken", 409, "Identifiant déjà pris", "Choisissez un autre identifiant.")
USERNAME_INVALID = problem(
    "username_invalid", 422, "Identifiant non valable",
    "De 2 à 64 lettres minuscules sans accent, chiffres, points ou tirets ; d'abord une lettre ou un chiffre.",
)  # fmt: skip
NAME_INVALID = problem(
    "name_invalid", 422, "Nom non valable", "Le nom compte de 1 à 200 caractères, sans caractère de contrôle."
)
ROLE_UNKNOWN = problem("role_unknown", 422, "Rôle inconnu", f"Les rôles sont : {', '.join(ROLES)}.")
COMMUNE_REQUIRED = problem(
    "commune_required", 422, "Commune manquante", "Indiquez la commune de cet officier."
)
LAST_ADMIN = problem(
    "last_admin",
    409,
    "Dernier administrateur",
    "Ajoutez ou rouvrez d'abord le compte d'un autre administrateur.",
)
OFFICER_UNKNOWN = problem("officer_unknown", 404, "Officier inconnu", "Vérifiez l'identifiant.")

# Roles that may be held for the whole province (commune NULL); all others but admin belong to one commune.
PROVINCIAL = frozenset({"registrar", "supervisor", "planner"})

_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")


@dataclass(frozen=True, slots=True)
class Officer:
    """Someone who logged in; `commune` None = the whole province (or no commune at all for an admin).

    `session` is the id of his session, `signs_until` (RFC 3339, UTC) the end of its signing window;
    `office_from` and `office_to` are his first and last day of office (AAAA-MM-JJ).
    """

    id: str
    username: str
    name: str
    role: str
    commune: str | None
    purpose: str | None = None
    session: str | None = None
    office_from: str | None = None
    office_to: str | None = None
    signs_until: str | None = None


@dataclass(frozen=True, slots=True)
class OfficerRow:
    """An officer as the list shows him: `created_at` and `disabled_at` are RFC 3339 texts in UTC."""

    id: str
    username: str
    name: str
    role: str
    commune: str | None
    created_at: str
    disabled_at: str | None
    office_from: str | None = None
    office_to: str | None = None
    appointed_by: str | None = None


_LISTED = [tables.officer.c[each.name] for each in fields(OfficerRow)]


def normal_username(username: str) -> str:
    """The stored form of a user name: NFKC, lower case, no blanks around it."""
    return unicodedata.normalize("NFKC", username).strip().lower()


def default_commune(role: str, kind: str, *, node_commune: str | None) -> str | None:
    """The commune of a new officer for whom none was named, on a node of this kind ("commune", "province", "both")."""
    if role == "admin" or (kind == "both" and role in {"supervisor", "planner"}):
        return None
    return node_commune


def add_officer(
    connection: sa.Connection,
    *,
    username: str,
    name: str,
    role: str,
    commune: str | None,
    password: str,
    at: datetime,
    whole_province: bool = False,
) -> OfficerRow:
    """Store a new officer and return his row.

    `whole_province`: the node serves the province, so that some roles need no commune. Raises `username_invalid`,
    `username_taken`, `name_invalid`, `role_unknown`, `commune_required`, `weak_password`.
    """
    username = normal_username(username)
    if not _USERNAME.fullmatch(username):
        raise USERNAME_INVALID()
    name = _checked_name(name)
    commune = _checked_commune(role, commune, whole_province=whole_province)
    require_strong(password, username)
    row = OfficerRow(str(uuid.uuid4()), username, name, role, commune, stamp(at), None)
    values = {column.name: getattr(row, column.name) for column in _LISTED}
    if connection.scalar(sa.select(tables.officer.c.id).where(tables.officer.c.username == username)):
        raise USERNAME_TAKEN(f"L'identifiant « {username} » existe déjà.")
    try:
        connection.execute(tables.officer.insert().values(**values, password_hash=hash_password(password)))
    except sa.exc.IntegrityError as error:
        raise USERNAME_TAKEN(f"L'identifiant « {username} » existe déjà.") from error
    return row


def change_officer(
    connection: sa.Connection,
    officer: str,
    *,
    name: str,
    role: str,
    commune: str | None,
    whole_province: bool = False,
) -> None:
    """Give an officer (by id) this name, role and commune; his sessions end when his rights change.

    Raises `last_admin` (409) where nobody would be left to care for the accounts.
    """
    commune = _checked_commune(role, commune, whole_province=whole_province)
    before = find_officer(connection, officer)
    if role != "admin":
        _require_another_admin(connection, officer)
    new = {"name": _checked_name(name), "role": role, "commune": commune}
    connection.execute(tables.officer.update().where(tables.officer.c.id == officer).values(**new))
    if (before.role, before.commune) != (role, commune):
        end_sessions(connection, officer)


def disable(connection: sa.Connection, officer: str, *, at: datetime) -> None:
    """Close an officer's account (by id) and end his sessions; disabling twice keeps the first moment.

    Raises `last_admin` (409) where nobody would be left to care for the accounts.
    """
    find_officer(connection, officer)
    _require_another_admin(connection, officer)
    open_account = sa.and_(tables.officer.c.id == officer, tables.officer.c.disabled_at.is_(None))
    connection.execute(tables.officer.update().where(open_account).values(disabled_at=stamp(at)))
    end_sessions(connection, officer)


def enable(connection: sa.Connection, officer: str) -> None:
    """Open a closed account (by id) again."""
    find_officer(connection, officer)
    connection.execute(tables.officer.update().where(tables.officer.c.id == officer).values(disabled_at=None))


def change_password(connection: sa.Connection, officer: str, *, password: str) -> None:
    """Replace an officer's password (by id) and end his sessions; raises `officer_unknown`, `weak_password`."""
    row = find_officer(connection, officer)
    require_strong(password, row.username)
    connection.execute(
        tables.officer.update()
        .where(tables.officer.c.id == officer)
        .values(password_hash=hash_password(password))
    )
    end_sessions(connection, officer)


def end_sessions(connection: sa.Connection, officer: str, *, but: str | None = None) -> None:
    """Log an officer (by id) out everywhere, but for one session (id)."""
    session = tables.officer_session
    kept = session.c.id == but if but is not None else sa.false()
    connection.execute(session.delete().where(session.c.officer == officer, ~kept))


def find_officer(connection: sa.Connection, officer: str) -> OfficerRow:
    """The row of an officer by id; raises `officer_unknown`."""
    row = connection.execute(sa.select(*_LISTED).where(tables.officer.c.id == officer)).one_or_none()
    if row is None:
        raise OFFICER_UNKNOWN()
    return OfficerRow(*row)


def find_username(connection: sa.Connection, username: str) -> OfficerRow:
    """The row of an officer by user name (the command line's way); raises `officer_unknown`."""
    wanted = tables.officer.c.username == normal_username(username)
    row = connection.execute(sa.select(*_LISTED).where(wanted)).one_or_none()
    if row is None:
        raise OFFICER_UNKNOWN(f"Aucun officier ne porte l'identifiant « {username} ».")
    return OfficerRow(*row)


def names_of(connection: sa.Connection, ids: Iterable[object]) -> dict[str, str]:
    """Officer id → name, of those among these authors who have (or had) an account here."""
    wanted = {each for each in ids if is_uuid4(each)}
    if not wanted:
        return {}
    query = sa.select(tables.officer.c.id, tables.officer.c.name).where(tables.officer.c.id.in_(wanted))
    return {row.id: row.name for row in connection.execute(query)}


def list_officers(connection: sa.Connection, *, after: str = "", limit: int = 1000) -> list[OfficerRow]:
    """Officers in the order of their user names, from the first name greater than `after`."""
    query = (
        sa.select(*_LISTED)
        .where(tables.officer.c.username > after)
        .order_by(tables.officer.c.username)
        .limit(limit)
    )
    return [OfficerRow(*row) for row in connection.execute(query)]


def _require_another_admin(connection: sa.Connection, officer: str) -> None:
    """Raise `last_admin` where this officer's is the only open account of an admin."""
    open_admins = tables.officer.c.role == "admin", tables.officer.c.disabled_at.is_(None)
    # Locked: two admins closing each other's account at the same time would leave nobody.
    query = sa.select(tables.officer.c.id).where(*open_admins).order_by(tables.officer.c.id).with_for_update()
    if connection.execute(query).scalars().all() == [officer]:
        raise LAST_ADMIN(
            "C'est le seul compte d'administrateur ouvert : personne ne pourrait plus gérer les comptes."
        )


def _checked_name(name: str) -> str:
    name = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(name) <= 200 or any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in name):
        raise NAME_INVALID()
    return name


def _checked_commune(role: str, commune: str | None, *, whole_province: bool) -> str | None:
    if role not in ROLES:
        raise ROLE_UNKNOWN(f"Le rôle « {role[:40]} » n'existe pas ; les rôles sont : {', '.join(ROLES)}.")
    if role == "admin":
        return None
    if commune is None and not (whole_province and role in PROVINCIAL):
        raise COMMUNE_REQUIRED(f"Un officier de rôle « {role} » appartient à une commune.")
    return commune
