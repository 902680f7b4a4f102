"""The dated parameters of the law as one picture: what each file says, checked line by line, and what is in force on a
day. Reads texts only: whoever starts a program hands over the files of a jurist, if there are any."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from importlib.resources import files
from itertools import pairwise

from app.law.topics import TOPICS, Column, Topic

STATUSES = ("verified", "unverified")
_COMMON = ("in_force_from", "in_force_to", "source", "status")
_OPTIONAL = ("code", "article", "description")

Value = int | str | None


class LawError(ValueError):
    """A file of parameters that cannot be applied; the French message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One dated value of a topic, in force from a day to a day, both included (None = always, still).

    `values` by column; `status` is `verified` or `unverified`; `article`, `source` and `description` are French.
    """

    topic: str
    code: str
    values: Mapping[str, Value]
    in_force_from: date | None
    in_force_to: date | None
    article: str
    description: str
    source: str
    status: str

    def in_force(self, day: date) -> bool:
        """Whether the parameter holds on that day."""
        started = self.in_force_from is None or self.in_force_from <= day
        return started and (self.in_force_to is None or day <= self.in_force_to)

    def text(self, column: str) -> str:
        """A column's value as text; empty where nothing is known."""
        value = self.values[column]
        return "" if value is None else str(value)

    def whole(self, column: str) -> int | None:
        """A column's value as a number; None where nothing is known."""
        value = self.values[column]
        return value if isinstance(value, int) else None


@dataclass(frozen=True, eq=False)
class Law:
    """All parameters a program applies, in the order of their files. One law is only ever equal to itself."""

    parameters: tuple[Parameter, ...]

    @cached_property
    def _by_topic(self) -> dict[str, tuple[Parameter, ...]]:
        return {
            topic.name: tuple(each for each in self.parameters if each.topic == topic.name)
            for topic in TOPICS
        }

    def all(self, topic: str) -> tuple[Parameter, ...]:
        """Every parameter of a topic, past and to come."""
        return self._by_topic[topic]

    def on(self, topic: str, day: date) -> list[Parameter]:
        """The parameters of a topic in force on a day."""
        return [each for each in self._by_topic[topic] if each.in_force(day)]

    def one(self, topic: str, day: date, *, code: str = "") -> Parameter | None:
        """The parameter of a topic (and code, where it has codes) in force on a day; None where nothing is known."""
        return next(
            (each for each in self._by_topic[topic] if each.code == code and each.in_force(day)), None
        )


def read_law(replaced: Mapping[str, str] | None = None) -> Law:
    """The law as shipped, but for the files named in `replaced` ({"fees.csv": its text}).

    Raises LawError for a name that is no file of the law and for a text that cannot be applied.
    """
    given = dict(replaced or {})
    known = {topic.file for topic in TOPICS}
    if strange := sorted(set(given) - known):
        raise LawError(
            f"{strange[0]} : aucun fichier de la loi ne porte ce nom ({', '.join(sorted(known))})."
        )
    found: list[Parameter] = []
    for topic in TOPICS:
        found += read_topic(topic, given[topic.file] if topic.file in given else _shipped(topic.file))
    return Law(tuple(found))


def read_topic(topic: Topic, text: str) -> list[Parameter]:
    """The parameters of one file's text, in order of code and time; raises LawError naming the file and the line."""
    try:
        rows = list(csv.reader(text.lstrip("\ufeff").splitlines(), strict=True))
    except csv.Error as error:
        raise LawError(f"{topic.file} : ce fichier n'est pas un CSV ({error}).") from None
    heading = [name.strip() for name in rows[0]] if rows else []
    _check_heading(topic, heading)
    found = []
    for number, cells in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        place = f"{topic.file}, ligne {number}"
        if len(cells) != len(heading):
            raise LawError(f"{place} : {len(cells)} colonnes au lieu de {len(heading)}.")
        told = {name: cell.strip() for name, cell in zip(heading, cells, strict=True)}
        found.append((number, _read_row(topic, told, place=place)))
    found.sort(key=lambda each: (each[1].code, each[1].in_force_from or date.min))
    # Sorted by code and beginning, so whoever overlaps anybody overlaps his neighbour.
    for (_, earlier), (number, later) in pairwise(found):
        begins = later.in_force_from or date.min
        if earlier.code == later.code and earlier.in_force(begins):
            about = f" pour « {later.code} »" if later.code else ""
            raise LawError(f"{topic.file}, ligne {number} : deux valeurs sont en vigueur le {begins}{about}.")
    return [parameter for _, parameter in found]


def _check_heading(topic: Topic, heading: list[str]) -> None:
    values = [column.name for column in topic.columns]
    required = [*_COMMON, *values, *(["code"] if topic.coded else [])]
    for name in required:
        if name not in heading:
            raise LawError(f"{topic.file}, ligne 1 : la colonne « {name} » manque.")
    for name in heading:
        if name not in {*required, *_OPTIONAL} or heading.count(name) > 1:
            raise LawError(f"{topic.file}, ligne 1 : la colonne « {name} » est inconnue ou répétée.")


def _read_row(topic: Topic, told: Mapping[str, str], *, place: str) -> Parameter:
    first, last = (_day(told[name], name, place=place) for name in ("in_force_from", "in_force_to"))
    if first is not None and last is not None and last < first:
        raise LawError(f"{place} : la fin ({last}) précède le début ({first}).")
    if told["status"] not in STATUSES:
        raise LawError(f"{place} : « status » est verified ou unverified.")
    if topic.coded and not told["code"]:
        raise LawError(f"{place} : « code » est vide.")
    return Parameter(
        topic=topic.name,
        code=told["code"] if topic.coded else "",
        values={column.name: _value(column, told[column.name], place=place) for column in topic.columns},
        in_force_from=first,
        in_force_to=last,
        article=told.get("article", ""),
        description=told.get("description", ""),
        source=told["source"],
        status=told["status"],
    )


def _value(column: Column, text: str, *, place: str) -> Value:
    if not text:
        if column.optional:
            return None
        raise LawError(f"{place} : « {column.name} » est vide ({column.meaning}).")
    if column.kind == "int":
        if not (text.isascii() and text.isdecimal() and len(text) <= 9):
            raise LawError(f"{place} : « {column.name} » n'est pas un nombre entier ({column.meaning}).")
        return int(text)
    if column.kind == "date":
        _day(text, column.name, place=place)
    if column.choices and text not in column.choices:
        raise LawError(f"{place} : « {column.name} » est l'un de : {', '.join(column.choices)}.")
    return text


def _day(text: str, name: str, *, place: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise LawError(f"{place} : « {name} » n'est pas une date AAAA-MM-JJ.") from None


def _shipped(name: str) -> str:
    return files("app.law").joinpath("data", name).read_text(encoding="utf-8")


class _Applied:
    """The law this process applies: as shipped, until a program that starts hands over a jurist's."""

    law = read_law()


def law() -> Law:
    """The law this process applies."""
    return _Applied.law


def apply_law(given: Law) -> None:
    """Apply this law from now on; once, when a program starts."""
    _Applied.law = given


def published(given: Law, day: date | None = None) -> Iterator[tuple[Topic, list[Parameter]]]:
    """Every topic with its parameters, those in force on `day` where one is given."""
    for topic in TOPICS:
        yield topic, list(given.all(topic.name)) if day is None else given.on(topic.name, day)
