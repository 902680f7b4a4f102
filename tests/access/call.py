"""What one line of the matrix is made of: roles and their rights, the outcomes, and the call with the answer each seat
must get. Written by hand from the description of the roles: nothing here is taken from the program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

OWN, OTHER = "CD-KN-017", "CD-KN-008"
QUARTIER = "1017010"
NOBODY = "5b0f3a3c-6f0e-4f7e-8f63-2a9d5a2b7c11"

# "agent: logs in, sees only his own devices and counts … planner: statistics only, never a person …"
EVERYBODY = {"own session", "territory"}
CLERK = {
    *("read persons", "write persons", "read declarations", "declare", "conflicts", "decide", "statistics"),
    *("deliver", "match", "reports"),
}
ROLES: dict[str, set[str]] = {
    "agent": EVERYBODY | {"own devices"},
    "clerk": EVERYBODY | CLERK,
    "registrar": EVERYBODY | CLERK | {"register", "reprise", "annotate", "readers"},
    "supervisor": EVERYBODY | {"conflicts", "decide", "devices", "quarantine", "progress"},
    "planner": EVERYBODY | {"statistics"},
    "admin": EVERYBODY | {"officers", "invitations", "settings", "status"},
}
# "A supervisor or registrar of the province may read persons": theirs is every commune, but registers are kept there.
OF_THE_PROVINCE: dict[str, set[str]] = {
    "registrar": EVERYBODY
    | {"read persons", "read declarations", "conflicts", "statistics", "match", "reports", "readers"},
    "supervisor": EVERYBODY | {"conflicts", "devices", "quarantine", "progress", "read persons"},
    "planner": ROLES["planner"],
    "admin": ROLES["admin"],
}

LOGIN, FORBIDDEN, ELSEWHERE = "401 login_required", "403 role_forbidden", "403 other_commune"
NO_DEVICE, NOTHING = "401 session_required", "200 nothing"
# Calls for everybody; calls of a device's session; calls proven by a signature or a code in the call itself.
PUBLIC, DEVICE, PROOF = "public", "device", "proof"

STALE = {"If-Match": '"perimee"'}
BOOK = {"office": "CD-KN-017-01", "volume": "1"}

Ids = Mapping[str, str]
Body = Callable[[Ids, int], Any]


@dataclass(frozen=True)
class Call:
    """One call of a route: `right` (any of them) it needs, what it answers who may, and him of another commune.

    `path` names planted entities in braces; `body` is JSON, bytes, or made from the planted ids and a number never
    used before; `elsewhere` None = the call is about no commune.
    """

    method: str
    route: str
    right: str
    good: str = "200"
    elsewhere: str | None = None
    path: str = ""
    body: Body | Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """ "GET /v1/persons?commune=…": how differences name it."""
        return f"{self.method} {self.path or self.route}"

    def address(self, ids: Ids) -> str:
        """The path with the planted ids in it."""
        return (self.path or self.route).format(**ids)

    def expected(self, role: str | None, home: str | None, *, kind: str) -> str:
        """The outcome for an officer of this role and home (None = whole province), "device", or None = nobody, on a
        node of this kind: the books of acts are kept where the commune numbers them, never at the province."""
        good = self.good
        if self.right in (PUBLIC, PROOF):
            return good
        if self.right == DEVICE:
            return good if role == "device" else NO_DEVICE
        if role is None or role == "device":
            return LOGIN
        rights = OF_THE_PROVINCE[role] if home is None else ROLES[role]
        if kind == "province":
            rights = rights - {"register", "reprise", "annotate", "deliver"}
        if not rights & set(self.right.split("|")):
            return FORBIDDEN
        return self.elsewhere if self.elsewhere is not None and home not in (OWN, None) else good
