"""Taking over acts that exist on paper, a file at a time: every line is right and enters, or nothing does and each
wrong line is named. Law never refuses a paper act; only what cannot be true does."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from app.access.jurisdiction import communes_of
from app.access.officers import Officer
from app.civil import tables
from app.civil.act import Drawing, Place, act_of
from app.civil.books.offices import office_commune
from app.civil.declaration import FieldError, contradictions
from app.civil.projector import number_key
from app.civil.schemas import PaperAct
from app.clock import stamp
from app.errors import TOO_LARGE, problem
from app.ledger.bulk import lock_door
from app.ledger.door import Door
from app.ledger.node import require_caught_up

IMPORT_REFUSED = problem(
    "import_refused",
    422,
    "Reprise refusée",
    "Rien n'a été repris. Corrigez les lignes indiquées et renvoyez tout le fichier.",
)

MOST_LINES = 1000
MOST_SHOWN = 50
_PLACE = frozenset({"office", "year", "volume", "number", "folio", "registered_on", "judgment"})
_MESSAGES = {
    "missing": "Champ obligatoire.",
    "extra_forbidden": "Champ inconnu.",
    "literal_error": "Valeurs admises : {expected}.",
    "string_type": "Un texte est attendu.",
    "string_too_short": "Au moins {min_length} caractère.",
    "string_too_long": "Au plus {max_length} caractères.",
    "int_type": "Un nombre entier est attendu.",
    "greater_than_equal": "Au moins {ge}.",
    "less_than_equal": "Au plus {le}.",
    "list_type": "Une liste est attendue.",
    "too_long": "Au plus {max_length} éléments.",
    "model_type": "Un objet JSON est attendu.",
    "value_error": "{error}",
}

LineError = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One act of the file: its line number (from 1), the declaration, the place in the books, the judgment, and what
    the act says of its keying."""

    at: int
    values: dict[str, Any]
    place: Place
    judgment: dict[str, str] | None
    keyed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str | None:
        """The act's unique number, as the register keeps it."""
        place = self.place
        return number_key(
            {"office": place.office, "year": place.year, "volume": place.volume, "number": place.number}
        )


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What came in: how many acts, by delay, and the (act id, place) of the first and the last of the file."""

    acts: int
    delays: Mapping[str, int]
    first: tuple[str, Place]
    last: tuple[str, Place]


def read_paper_acts(
    connection: sa.Connection, body: bytes, door: Door, *, officer: Officer, today: date
) -> list[Line]:
    """Read and check a file (NDJSON, 1 to 1,000 lines); nothing of it is compared with the register yet.

    An act without a day of declaration was declared the day it was drawn up: it records the declarant's appearance.
    Raises `import_refused` (422, `errors` of {"line", "field", "message"}, at most 50, and `total`), `too_large` 413.
    """
    raws = body.split(b"\n")
    while raws and not raws[-1].strip():
        raws.pop()
    if not raws:
        raise _refused([_error(1, "", message="Le fichier est vide.")])
    if len(raws) > MOST_LINES:
        raise TOO_LARGE(f"Le fichier compte {len(raws)} lignes ; au plus {MOST_LINES} à la fois.")
    communes = communes_of(officer, door.standing.kind)
    lines: list[Line] = []
    errors: list[LineError] = []
    taken: dict[str | None, int] = {}
    for at, raw in enumerate(raws, 1):
        line, found = _read_line(connection, at, raw, door=door, communes=communes, today=today)
        errors += found
        if line is not None:
            before = taken.setdefault(line.key, at)
            if before != at:
                errors.append(_error(at, "number", message=f"Ce numéro est déjà à la ligne {before}."))
            lines.append(line)
    if errors:
        raise _refused(errors)
    return lines


def take_over(connection: sa.Connection, door: Door, officer: Officer, *, lines: list[Line]) -> TakenOver:
    """Enter all acts of a checked file in the caller's transaction. Raises `import_refused` when a number is taken,
    `catching_up` (503).

    Two operations a line, `birth` and `act` (provenance `reprise`, who keyed it and when). No person and no task is
    made: the children of old books would drown the clerk's tray; matching finds them.
    """
    lock_door(connection)
    require_caught_up(connection)
    _require_free(connection, lines)
    drawing = Drawing("reprise", stamp(door.clock.clock.now()), officer.id, officer.name)
    operations: list[dict[str, Any]] = []
    delays: Counter[str] = Counter(in_delay=0, out_of_delay=0, undetermined=0)
    for line in lines:
        birth = str(uuid.uuid4())
        act, answer = act_of(line.values, line.place, birth=birth, drawing=drawing, judgment=line.judgment)
        act["facts"] |= line.keyed
        delays[answer.delay] += 1
        operations.append({"kind": "birth", "id": birth, "new": True, "set": line.values})
        operations.append({"kind": "act", "id": str(uuid.uuid4()), "new": True, "set": act})
    written = door.write(connection, operations, by=officer.id)
    if written:
        raise RuntimeError(f"paper acts were not simply applied: {sorted(written)[:5]}")
    first, last = operations[1]["id"], operations[-1]["id"]
    return TakenOver(len(lines), dict(delays), (first, lines[0].place), (last, lines[-1].place))


def _read_line(
    connection: sa.Connection,
    at: int,
    raw: bytes,
    *,
    door: Door,
    communes: frozenset[str] | None,
    today: date,
) -> tuple[Line | None, list[LineError]]:
    try:
        given = _strict_json(raw)
    except _NotReadable as error:
        return None, [_error(at, error.field, message=str(error))]
    line, found = paper_line(connection, given, at=at, door=door, communes=communes, today=today)
    return line, [_error(at, each["field"], message=each["message"]) for each in found]


def paper_line(
    connection: sa.Connection,
    raw: Any,
    *,
    at: int,
    door: Door,
    communes: frozenset[str] | None,
    today: date,
) -> tuple[Line | None, list[FieldError]]:
    """One paper act as read (the members of PaperAct): the line, None where its form is wrong, and what cannot be true
    of it as {"field", "message"} (French). `communes` are those the officer keys for, None = all."""
    try:
        form = PaperAct.model_validate(raw)
    except ValidationError as error:
        return None, [_form_error(each) for each in error.errors(include_url=False, include_input=False)]
    given = form.model_dump(exclude_none=True)
    values = {name: value for name, value in given.items() if name not in _PLACE}
    home = office_commune(connection, door, form.office)
    values["office"] = form.office
    if home is not None:
        values.setdefault("commune", home)
    values.setdefault("declared_on", form.registered_on)
    found = [*contradictions(connection, values, door, today=today), *_misplaced(form, values, today=today)]
    if home is not None and communes is not None and home not in communes:
        found.append({"field": "office", "message": "Ce bureau relève d'une autre commune que la vôtre."})
    place = Place(
        home or "", form.office, form.year, form.volume, form.number, form.folio, form.registered_on
    )
    return Line(at, values, place, given.get("judgment")), found


def _misplaced(form: PaperAct, values: Mapping[str, Any], *, today: date) -> Iterable[dict[str, str]]:
    """Books are kept by year: the act stands in the book of the year in which it was drawn up."""
    registered_on = form.registered_on
    if registered_on > today.isoformat():
        yield {"field": "registered_on", "message": "L'acte est daté dans l'avenir."}
    elif values["declared_on"] > registered_on:
        yield {"field": "declared_on", "message": "La déclaration est postérieure à l'acte."}
    if registered_on[:4] != f"{form.year:04d}":
        yield {"field": "year", "message": f"L'acte est daté de {registered_on[:4]}, non de {form.year}."}
    if form.judgment is not None and form.judgment.date > registered_on:
        yield {"field": "judgment.date", "message": "Le jugement est postérieur à l'acte."}


def _require_free(connection: sa.Connection, lines: list[Line]) -> None:
    column = tables.act.c.number_key
    keys = [line.key for line in lines]
    held = set(connection.execute(sa.select(column).where(column.in_(keys))).scalars())
    if held:
        message = "Un acte porte déjà ce numéro dans ce volume."
        raise _refused([_error(line.at, "number", message=message) for line in lines if line.key in held])


class _NotReadable(ValueError):
    """A line that is no JSON object a person could have meant."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.field = name


def _strict_json(raw: bytes) -> Any:
    try:
        return json.loads(
            raw.decode(), object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_integer
        )
    except UnicodeDecodeError as error:
        raise _NotReadable("La ligne n'est pas en UTF-8.") from error
    except RecursionError as error:
        raise _NotReadable("Le JSON est emboîté trop profondément.") from error
    except json.JSONDecodeError as error:
        raise _NotReadable(f"JSON illisible à la colonne {error.colno}.") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _NotReadable("Ce champ est écrit deux fois.", _name(twice))
    return made


def _no_constant(name: str) -> float:
    raise _NotReadable(f"« {name} » n'est pas du JSON.")


def _integer(digits: str) -> int:
    if len(digits) > 17:
        raise _NotReadable("Un nombre est trop grand.")
    return int(digits)


def _form_error(error: Mapping[str, Any]) -> FieldError:
    message = _MESSAGES.get(error["type"], "Valeur non valable.").format(**error.get("ctx", {}))
    name = ".".join(str(part) for part in error["loc"])
    return {"field": _name(name), "message": message.replace(" or ", " ou ")}


def _name(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:100]


def _error(at: int, name: str, *, message: str) -> LineError:
    return {"line": at, "field": name, "message": message}


def _refused(errors: list[LineError]) -> Exception:
    wrong = len({error["line"] for error in errors})
    return IMPORT_REFUSED(
        f"{wrong} ligne(s) à corriger ; rien n'a été repris.", errors=errors[:MOST_SHOWN], total=len(errors)
    )
