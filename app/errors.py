"""Problems a person or a program can meet: the catalogue and its RFC 9457 form. Each package defines its own
problems beside the rule that raises them; nothing here knows a rule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PROBLEM_JSON = "application/problem+json"
CATALOGUE: dict[str, ProblemType] = {}


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One row of the problem catalogue: stable `code`, HTTP `status`, French `title` and `advice` on what to do."""

    code: str
    status: int
    title: str
    advice: str = ""

    def __post_init__(self) -> None:
        if self.code in CATALOGUE:
            raise ValueError(f"problem code defined twice: {self.code}")
        CATALOGUE[self.code] = self

    def __call__(self, detail: str = "", *, headers: dict[str, str] | None = None, **members: Any) -> Problem:
        """An exception to raise; `detail` (French) says what happened here, `members` are extra JSON members."""
        return Problem(self, detail, headers=headers or {}, members=members)


@dataclass
class Problem(Exception):
    """Raised anywhere below the endpoints; the application renders it as problem+json."""

    type: ProblemType
    detail: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    members: dict[str, Any] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The RFC 9457 object: type, title, status, code, detail, and the members of this occurrence."""
        return {
            "type": f"urn:mboka:problem:{self.type.code}",
            "title": self.type.title,
            "status": self.type.status,
            "code": self.type.code,
            "detail": self.detail or self.type.advice or self.type.title,
            **self.members,
        }

    def __str__(self) -> str:
        return f"{self.type.code}: {self.detail or self.type.title}"


def problem(code: str, status: int, title: str, advice: str = "") -> ProblemType:
    """Define a problem of the catalogue (once, at import)."""
    return ProblemType(code, status, title, advice)


INVALID_INPUT = problem(
    "invalid_input", 422, "Donnée non valable", "Corrigez les champs indiqués et renvoyez."
)
UNREADABLE_BODY = problem(
    "unreadable_body", 400, "Corps de requête illisible", "Envoyez du JSON valable en UTF-8."
)
TOO_LARGE = problem("too_large", 413, "Envoi trop volumineux", "Envoyez moins de données à la fois.")
NOT_FOUND = problem("not_found", 404, "Introuvable", "Vérifiez l'adresse ou l'identifiant.")
METHOD_NOT_ALLOWED = problem("method_not_allowed", 405, "Opération non prévue à cette adresse")
INTERNAL = problem(
    "internal",
    500,
    "Erreur du serveur",
    "Rien n'a été enregistré. Réessayez ; si l'erreur revient, prévenez l'administrateur.",
)
BUSY = problem("busy", 503, "Serveur occupé", "Réessayez dans quelques secondes.")
DISK_FULL = problem(
    "disk_full",
    507,
    "Disque plein",
    "Rien n'a été enregistré. Prévenez l'administrateur ; gardez vos données.",
)
