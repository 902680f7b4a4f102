"""What a JSON body must be before anything reads it: UTF-8, each name once in its object, finite numbers, no control
characters. What its fields mean is the schemas' business."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from app.errors import INVALID_INPUT, UNREADABLE_BODY

_ESCAPED = re.compile(rb"\\u(?:00[01]|d[89a-f]|007f)", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def check_json(body: bytes) -> None:
    """Raise `unreadable_body` (400) or, for a forbidden character, `invalid_input` (422) naming its field."""
    try:
        value = json.loads(
            body.decode(), object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite
        )
    except UnicodeDecodeError as error:
        raise UNREADABLE_BODY("Le corps n'est pas en UTF-8.") from error
    except RecursionError as error:
        raise UNREADABLE_BODY("Le JSON est emboîté trop profondément.") from error
    except json.JSONDecodeError as error:
        raise UNREADABLE_BODY(f"JSON illisible à la ligne {error.lineno}, colonne {error.colno}.") from error
    except ValueError as error:
        raise UNREADABLE_BODY("Le JSON contient un nombre trop grand.") from error
    # Raw control characters are refused by the parser; only escaped ones can have come through.
    if _ESCAPED.search(body):
        _no_control(value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise UNREADABLE_BODY(f"Le champ « {_shown(twice)} » est écrit deux fois.")
    return made


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise UNREADABLE_BODY("Le JSON contient un nombre trop grand.")
    return value


def _no_constant(name: str) -> float:
    raise UNREADABLE_BODY(f"« {name} » n'est pas du JSON.")


def _no_control(value: Any) -> None:
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        path, found = waiting.pop()
        if isinstance(found, dict):
            for name, inner in found.items():
                waiting += [(path, name), (f"{path}.{name}" if path else name, inner)]
        elif isinstance(found, list):
            waiting += [(f"{path}.{index}", inner) for index, inner in enumerate(found)]
        elif isinstance(found, str) and _CONTROL.search(found):
            message = "Le texte contient un caractère interdit."
            raise INVALID_INPUT(message, errors=[{"field": _shown(path), "message": message}])


def _shown(text: str) -> str:
    return _CONTROL.sub("?", text)[:100]
