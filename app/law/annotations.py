"""Which notes may stand in the margin of an act, who decides them and what of the act they may change. The list is
dated data, and not confirmed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from app.law.answers import cited
from app.law.parameters import Parameter, law

TRANSCRIPTION, ANNULMENT = "transcription", "annulment"
# What a note may change, by the word the list uses for it.
CHANGEABLE = {
    "names": ("nom", "postnom", "prenom"),
    "sex": ("sex",),
    "dates": ("birth_date", "birth_precision", "birth_words", "birth_time"),
    "place": ("birth_place",),
    "filiation": ("mother", "father", "mother_name", "father_name"),
}
_AUTHORITY = {
    "court": "tribunal compétent",
    "peace_court_president": "président du tribunal de paix",
    "registrar": "officier de l'état civil",
    "court_or_registrar": "tribunal ou officier de l'état civil",
    "authority": "autorité compétente",
}


@dataclass(frozen=True, slots=True)
class AnnotationType:
    """A kind of margin note: `authority` is court, peace_court_president, registrar, court_or_registrar or authority;
    `changes` the fields of the act it may change; `rule` is one French sentence."""

    code: str
    label: str
    authority: str
    article: str
    verified: bool
    rule: str
    changes: frozenset[str] = frozenset()

    @property
    def by_court(self) -> bool:
        """Whether only a court, or its president, decides it."""
        return self.authority in {"court", "peace_court_president"}

    @property
    def decided_by(self) -> str:
        """The authority in French."""
        return _AUTHORITY[self.authority]

    @property
    def by_officer(self) -> bool:
        """Whether a registrar records it as such: the others come with a transcription or an annulment."""
        return self.code not in (TRANSCRIPTION, ANNULMENT)


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
    changes = frozenset(field for word in found.text("changes").split() for field in CHANGEABLE.get(word, ()))
    return AnnotationType(
        found.code, found.text("label"), found.text("authority"), found.article, verified, rule, changes
    )
