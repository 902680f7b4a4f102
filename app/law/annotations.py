"""Which notes may stand in the margin of an act, and who decides them. The list is dated data, and not confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from app.law.answers import cited
from app.law.parameters import Parameter, law


@dataclass(frozen=True, slots=True)
class AnnotationType:
    """A kind of margin note: `authority` is court, peace_court_president, registrar, court_or_registrar or authority;
    `rule` is one French sentence."""

    code: str
    label: str
    authority: str
    article: str
    verified: bool
    rule: str

    @property
    def by_court(self) -> bool:
        """Whether only a court, or its president, decides it."""
        return self.authority in {"court", "peace_court_president"}


def annotation_type(code: str, on: date) -> AnnotationType | None:
    """The kind of note of this code in force on a day; None for a code the law of that day does not know."""
    found = law().one("annotations", on, code=code)
    return _type(found) if found is not None else None


def annotation_types(on: date) -> list[AnnotationType]:
    """Every kind of margin note in force on a day."""
    return [_type(each) for each in law().on("annotations", on)]


def _type(found: Parameter) -> AnnotationType:
    rule = f"{found.description}{cited(found)}."
    verified = found.status == "verified"
    return AnnotationType(
        found.code, found.text("label"), found.text("authority"), found.article, verified, rule
    )
