"""Why an officer reads: told once for a session, or with one request in its header. Kept in the journal of reads."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote

from app.access.officers import Officer
from app.errors import INVALID_INPUT, problem

PURPOSE_REQUIRED = problem(
    "purpose_required",
    428,
    "Motif de consultation manquant",
    "Dites pourquoi vous lisez : `purpose` en ouvrant la session, ou l'en-tête Purpose de la demande.",
)
MOST = 200


def with_purpose(officer: Officer, header: str | None) -> Officer:
    """The officer with the purpose of this request, where its header gives one; raises `invalid_input` (422)."""
    if header is None:
        return officer
    try:
        purpose = unquote(header, errors="strict").strip()
    except UnicodeDecodeError:
        purpose = ""
    if not 1 <= len(purpose) <= MOST or not purpose.isprintable():
        message = f"Un motif de 1 à {MOST} caractères en UTF-8, encodé pour cent, est attendu."
        raise INVALID_INPUT(errors=[{"field": "Purpose", "message": message}])
    return replace(officer, purpose=purpose)


def require_purpose(officer: Officer) -> None:
    """Raise `purpose_required` (428) unless session or request say why the officer reads."""
    if officer.purpose is None or not officer.purpose.strip():
        raise PURPOSE_REQUIRED()
