"""Before which court a late birth is brought, and whether a birth before the Code takes another path. The age on the
day of the request decides; which ages and which court are dated data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, cast

from app.law.answers import cited
from app.law.dates import PossibleDays
from app.law.parameters import Parameter, law

Path = Literal["judgment", "notoriety"]


@dataclass(frozen=True, slots=True)
class CourtAnswer:
    """`code` (children, adults) and `court_kind` (French) are None where the age does not decide; `least` and `most`
    are the ages possible on the day asked, `rule` one French sentence."""

    code: str | None
    court_kind: str | None
    least: int | None
    most: int | None
    rule: str
    article: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True)
class PathAnswer:
    """How a birth out of delay reaches the register: `path` None where the date of birth does not decide."""

    path: Path | None
    homologation: bool
    rule: str
    verified: bool = False


def competent_court(birth: PossibleDays | None, on: date) -> CourtAnswer:
    """The court for a request made on the day `on`; undetermined where the possible days lead to two courts.

    Source: law 09/001 for children; the adults' court is not confirmed. A birthday is complete on its day; who was
    born on 29 February is a year older on 1 March of a common year.
    """
    if birth is None:
        return CourtAnswer(
            None, None, None, None, "Date de naissance inconnue : le tribunal ne peut pas être désigné."
        )
    if birth.earliest > on:
        return CourtAnswer(None, None, None, None, "La naissance est postérieure à la requête.")
    least, most = age_on(min(birth.latest, on), on), age_on(birth.earliest, on)
    ages = f"{least} an{'s' if least > 1 else ''}" if least == most else f"de {least} à {most} ans"
    told = f"Âge au jour de la requête ({on:%d/%m/%Y}) : {ages}"
    youngest, oldest = _court(least, on), _court(most, on)
    if youngest is None or oldest is None:
        return CourtAnswer(None, None, least, most, f"{told} ; aucun tribunal n'est connu pour ce jour.")
    if youngest.code != oldest.code:
        both = " ou ".join(each.text("court_kind") for each in (youngest, oldest))
        return CourtAnswer(None, None, least, most, f"{told}, donc {both}, selon la date de naissance.")
    found = youngest
    rule = f"{told}, donc {found.text('court_kind')}{cited(found)}."
    verified = found.status == "verified"
    return CourtAnswer(found.code, found.text("court_kind"), least, most, rule, found.article, verified)


def age_on(born: date, day: date) -> int:
    """Completed years of life on a day."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def late_path(birth: PossibleDays | None, on: date) -> PathAnswer:
    """Judgment, or *acte de notoriété supplétif* for a birth before the Code; the rule of the day `on` is asked."""
    found = law().one("before_code", on)
    if found is None:
        return PathAnswer(
            "judgment", False, "Jugement supplétif : aucune autre voie n'est connue pour ce jour."
        )
    limit = date.fromisoformat(found.text("born_before"))
    if birth is None or birth.earliest < limit <= birth.latest:
        return PathAnswer(
            None, False, f"La date de naissance ne dit pas si elle précède le {limit:%d/%m/%Y}."
        )
    if birth.earliest >= limit:
        return PathAnswer("judgment", False, f"Née le {limit:%d/%m/%Y} ou après : jugement supplétif.")
    path = cast("Path", found.text("path"))
    way = "acte de notoriété supplétif" if path == "notoriety" else "jugement supplétif"
    needed = found.text("homologation") == "required"
    homologated = ", à homologuer par le tribunal" if needed else ""
    rule = f"Née avant le {limit:%d/%m/%Y} : {way}{homologated}{cited(found)}."
    return PathAnswer(path, needed, rule, found.status == "verified")


def _court(age: int, on: date) -> Parameter | None:
    for each in law().on("courts", on):
        least, below = each.whole("from_age") or 0, each.whole("below_age")
        if least <= age and (below is None or age < below):
            return each
    return None
