"""What each role may do. Where an officer may do it (which communes) is jurisdiction's question; guards.py asks
at every route."""

from __future__ import annotations

from enum import StrEnum

from app.access.officers import Officer
from app.errors import problem

ROLE_FORBIDDEN = problem(
    "role_forbidden", 403, "Votre rôle ne le permet pas", "Adressez-vous à votre superviseur."
)


class Permission(StrEnum):
    """One thing an officer may do."""

    OWN_SESSION = "own_session"
    TERRITORY = "territory"
    OWN_DEVICES = "own_devices"
    READ_PERSONS = "read_persons"
    WRITE_PERSONS = "write_persons"
    READ_CIVIL = "read_civil"
    DECLARE = "declare"
    REGISTER = "register"
    VOLUMES = "volumes"
    REPRISE = "reprise"
    ANNOTATE = "annotate"
    DELIVER = "deliver"
    MATCH = "match"
    REPORTS = "reports"
    READERS = "readers"
    READ_CONFLICTS = "read_conflicts"
    WRITE_CONFLICTS = "write_conflicts"
    READ_DEVICES = "read_devices"
    READ_QUARANTINE = "read_quarantine"
    PROGRESS = "progress"
    STATISTICS = "statistics"
    TRUE_STATISTICS = "true_statistics"
    MANAGE_OFFICERS = "manage_officers"
    INVITE = "invite"
    SETTINGS = "settings"
    STATUS = "status"


P = Permission
_EVERYONE = frozenset({P.OWN_SESSION, P.TERRITORY})
_CLERK = _EVERYONE | {
    P.READ_PERSONS, P.WRITE_PERSONS, P.READ_CIVIL, P.DECLARE, P.READ_CONFLICTS, P.WRITE_CONFLICTS,
    P.STATISTICS, P.TRUE_STATISTICS, P.DELIVER, P.MATCH, P.REPORTS,
}  # fmt: skip
_REGISTRAR = _CLERK | {P.REGISTER, P.VOLUMES, P.REPRISE, P.ANNOTATE, P.READERS}
# What a delegation cannot give, by law: nothing found (art. 73 and 76 of the Family Code, unverified).
_TITULAR_ONLY: frozenset[Permission] = frozenset()
ROLE_PERMISSIONS: dict[str, frozenset[Permission]] = {
    "agent": _EVERYONE | {P.OWN_DEVICES},
    "clerk": _CLERK,
    "registrar": _REGISTRAR,
    "delegate": _REGISTRAR - _TITULAR_ONLY,
    "supervisor": _EVERYONE
    | {P.READ_CONFLICTS, P.WRITE_CONFLICTS, P.READ_DEVICES, P.READ_QUARANTINE, P.PROGRESS},
    "planner": _EVERYONE | {P.STATISTICS},
    "admin": _EVERYONE | {P.MANAGE_OFFICERS, P.INVITE, P.SETTINGS, P.STATUS},
}
# The province's own registrar or supervisor (no commune) reads every commune's persons; writing stays in the communes.
# An act or a document is numbered where its book is kept: two nodes numbering for one office would give a number twice.
_BOOKS = frozenset({P.REGISTER, P.VOLUMES, P.REPRISE, P.ANNOTATE, P.DELIVER})
_WRITES = _BOOKS | {P.WRITE_PERSONS, P.WRITE_CONFLICTS, P.DECLARE}
PROVINCE_PERMISSIONS: dict[str, frozenset[Permission]] = {
    **ROLE_PERMISSIONS,
    "registrar": ROLE_PERMISSIONS["registrar"] - _WRITES,
    "supervisor": ROLE_PERMISSIONS["supervisor"] - _WRITES | {P.READ_PERSONS},
}


def permissions_of(officer: Officer, node_kind: str) -> frozenset[Permission]:
    """Everything this officer may do on a node of this kind ("commune", "province", "both")."""
    whole_province = officer.commune is None and node_kind in {"province", "both"}
    found = (PROVINCE_PERMISSIONS if whole_province else ROLE_PERMISSIONS)[officer.role]
    return found - _BOOKS if node_kind == "province" else found
