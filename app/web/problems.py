"""Every error as application/problem+json (RFC 9457) in French with a stable code. The rules that raise problems
and their texts stand in their own packages."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.errors import (
    BUSY,
    DISK_FULL,
    INTERNAL,
    INVALID_INPUT,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    PROBLEM_JSON,
    TOO_LARGE,
    UNREADABLE_BODY,
    Problem,
    ProblemType,
    problem,
)

REFUSED = problem("request_refused", 400, "Demande refusée", "Vérifiez la demande.")

LOG = structlog.get_logger("mboka.web")
MOST_ERRORS = 50
RETRY = {"Retry-After": "5"}

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Problème (RFC 9457).",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "description": "URN du problème.",
            "examples": ["urn:mboka:problem:role_forbidden"],
        },
        "title": {
            "type": "string",
            "description": "Nom du problème.",
            "examples": ["Votre rôle ne le permet pas"],
        },
        "status": {"type": "integer", "description": "Statut HTTP.", "examples": [403]},
        "code": {
            "type": "string",
            "description": "Code stable pour les programmes.",
            "examples": ["role_forbidden"],
        },
        "detail": {
            "type": "string",
            "description": "Ce qui s'est passé, et que faire.",
            "examples": ["Adressez-vous…"],
        },
        "errors": {
            "type": "array",
            "description": "Champs à corriger (code invalid_input).",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {
                    "field": {"type": "string", "description": "Champ.", "examples": ["birth_date"]},
                    "message": {
                        "type": "string",
                        "description": "Correction.",
                        "examples": ["Champ obligatoire."],
                    },
                },
            },
        },
    },
}
# For FastAPI(responses=…): every route documents its problems in place of FastAPI's own 422.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": title, "content": {PROBLEM_JSON: {"schema": PROBLEM_SCHEMA}}}
    for status, title in (("4XX", "Demande refusée"), ("5XX", "Erreur du serveur"))
}

_SEND_JSON = "Envoyez Content-Type: application/json."
_FULL = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "53100")
# Locked or deadlocked, too many connections, the server stopping or gone: all pass by themselves.
_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "40", "53300", "55P03", "57P", "08")
_BY_STATUS = {
    400: UNREADABLE_BODY,
    404: NOT_FOUND,
    405: METHOD_NOT_ALLOWED,
    413: TOO_LARGE,
    422: INVALID_INPUT,
}
_MESSAGES = {
    "missing": "Champ obligatoire.",
    "extra_forbidden": "Champ inconnu.",
    "string_type": "Un texte est attendu.",
    "string_unicode": "Texte illisible : il n'est pas en Unicode.",
    "string_too_short": "Au moins {min_length} caractère(s).",
    "string_too_long": "Au plus {max_length} caractères.",
    "string_pattern_mismatch": "Le texte n'a pas la forme attendue.",
    "literal_error": "Valeurs admises : {expected}.",
    "enum": "Valeurs admises : {expected}.",
    "greater_than": "Plus que {gt}.",
    "greater_than_equal": "Au moins {ge}.",
    "less_than": "Moins que {lt}.",
    "less_than_equal": "Au plus {le}.",
    "too_short": "Au moins {min_length} élément(s).",
    "too_long": "Au plus {max_length} éléments.",
    "list_type": "Une liste est attendue.",
    "finite_number": "Un nombre fini est attendu.",
}
_FAMILIES = {
    "int": "Un nombre entier est attendu.",
    "float": "Un nombre est attendu.",
    "decimal": "Un nombre est attendu.",
    "bool": "true ou false est attendu.",
    "uuid": "Un identifiant UUID est attendu.",
    "date": "Une date de la forme AAAA-MM-JJ est attendue.",
    "datetime": "Une date et une heure RFC 3339 avec décalage sont attendues.",
    "timezone": "Une date et une heure RFC 3339 avec décalage sont attendues.",
    "time": "Une heure de la forme HH:MM est attendue.",
    "model": "Un objet JSON est attendu.",
    "dict": "Un objet JSON est attendu.",
}


def render(refusal: Problem) -> JSONResponse:
    """The HTTP answer of a problem."""
    return _answer(refusal, refusal.type.status)


def install(app: FastAPI) -> None:
    """Make the application answer every error as a problem."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(OSError, _system)
    for family in (sa.exc.SQLAlchemyError, psycopg.Error, sqlite3.Error):
        app.add_exception_handler(family, _database)
    app.add_exception_handler(Exception, _unexpected)


def invalid(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """`invalid_input` with one French line per field from pydantic's error list; `unreadable_body` for broken JSON."""
    if any(error["type"] == "json_invalid" for error in errors):
        return UNREADABLE_BODY()
    lines = [{"field": _field(error["loc"]), "message": _message(error)} for error in errors[:MOST_ERRORS]]
    named = ", ".join(dict.fromkeys(line["field"] for line in lines[:5]))
    return INVALID_INPUT(f"À corriger : {named}.", errors=lines)


def _field(location: Sequence[str | int]) -> str:
    parts = [str(part)[:100] for part in location]
    return ".".join(parts[1:] or parts)[:300]


def _message(error: Mapping[str, Any]) -> str:
    kind, context = str(error["type"]), error.get("ctx") or {}
    if kind == "value_error" and "error" in context:
        return str(context["error"])[:300]
    known = _MESSAGES.get(kind) or _FAMILIES.get(kind.partition("_")[0], "Valeur non valable.")
    return known.format(**context).replace(" or ", " ou ")


async def _problem(_request: Request, error: Exception) -> JSONResponse:
    return render(error) if isinstance(error, Problem) else render(INTERNAL())


async def _validation(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        return render(INVALID_INPUT())
    errors = error.errors()
    if _not_said_to_be_json(request) and any(each["loc"] == ("body",) for each in errors):
        line = {"field": "Content-Type", "message": _SEND_JSON}
        return render(INVALID_INPUT(_SEND_JSON, errors=[line]))
    return render(invalid(errors))


def _not_said_to_be_json(request: Request) -> bool:
    """A body sent under another name (curl -d says x-www-form-urlencoded) is not read as JSON at all."""
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    sent = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    return sent and not (
        said == "application/json" or (said.startswith("application/") and said.endswith("+json"))
    )


async def _http(_request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    kind = _BY_STATUS.get(status, REFUSED if status < 500 else INTERNAL)
    refusal = kind(headers=dict(getattr(error, "headers", None) or {}))
    return _answer(refusal, status)


async def _system(request: Request, error: Exception) -> JSONResponse:
    full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    if not full:
        return await _unexpected(request, error)
    LOG.error("disk_full", path=request.scope["path"])
    return render(DISK_FULL())


async def _database(request: Request, error: Exception) -> JSONResponse:
    # The bulk path raises the driver's own errors, everything else SQLAlchemy's around them.
    original = getattr(error, "orig", None) or error
    state = str(getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None) or "")
    kind = _database_problem(error, original, state=state)
    if kind is INTERNAL:
        return await _unexpected(request, error)
    LOG.warning(kind.code, path=request.scope["path"], state=state)
    return render(kind(headers=RETRY if kind is BUSY else {}))


def _database_problem(error: Exception, original: BaseException, *, state: str) -> ProblemType:
    if state.startswith(_FULL):
        return DISK_FULL
    gone = isinstance(original, psycopg.OperationalError) and not state
    if gone or isinstance(error, sa.exc.TimeoutError) or state.startswith(_PASSING):
        return BUSY
    # A value the engine cannot store (U+0000, a number out of range) that no schema refused.
    if isinstance(original, psycopg.DataError) or isinstance(error, sa.exc.DataError):
        return INVALID_INPUT
    return INTERNAL


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    # Neither the message nor the parameters: they may hold names.
    LOG.error("unexpected", path=request.scope["path"], error=type(error).__name__, at=_place(error))
    return render(INTERNAL())


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f"{code.co_filename}:{trace.tb_lineno} {code.co_name}"


def _answer(refusal: Problem, status: int) -> JSONResponse:
    body = {**refusal.body(), "status": status}
    return JSONResponse(body, status_code=status, headers=refusal.headers, media_type=PROBLEM_JSON)
