"""The ways to a late registration: their steps in order, the time for appeal, which court a name says, and whether a
campaign waives the fee. The values are dated data; knows no file and no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from app.law.answers import Answer, cited
from app.law.courts import age_on
from app.law.dates import PossibleDays
from app.law.parameters import law


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: what it is called, what there is to do, and whether the transcription waits for it."""

    step: str
    needed: bool
    label: str
    to_do: str


@dataclass(frozen=True, slots=True)
class Appeal:
    """How long a judgment may be appealed: the last day of the delay, and the rule in French."""

    until: date
    rule: str


@dataclass(frozen=True, slots=True)
class Terms:
    """Whether a campaign waives the fee, on which days and at which ages (full years, both included; None = open)."""

    waived: bool
    starts_on: date | None
    ends_on: date | None
    least_age: int | None
    most_age: int | None


def steps_of(path: str, on: date) -> tuple[Step, ...]:
    """The steps of a path opened on a day, in order; none for an unknown path. Homologation only where it is asked."""
    before_code = law().one("before_code", on)
    homologated = before_code is None or before_code.text("homologation") == "required"
    rows = [each for each in law().on("late_steps", on) if each.text("path") == path]
    return tuple(
        Step(each.text("step"), each.text("needed") == "yes", each.text("label"), each.text("to_do"))
        for each in sorted(rows, key=lambda row: row.whole("rank") or 0)
        if homologated or each.text("step") != "homologated"
    )


def appeal_until(served_on: date) -> Appeal | None:
    """Until when a judgment served on that day may be appealed; None where no rule is known."""
    found = law().one("appeal", served_on)
    days = found.whole("days") if found is not None else None
    if found is None or days is None:
        return None
    return Appeal(served_on + timedelta(days=days), f"{days} jours{cited(found)}")


def names_another_court(name: str, code: str | None, *, on: date) -> str | None:
    """The kind of court (French) that the name of a court says, where it is not that of `code`; else None."""
    told = " ".join(name.casefold().split())
    said = {each.code: each.text("court_kind") for each in law().on("courts", on)}
    named = {other: kind for other, kind in said.items() if kind.casefold() in told}
    return next(iter(named.values())) if named and code not in named else None


def fee_waived(terms: Terms, birth: PossibleDays | None, *, on: date) -> Answer:
    """Does a campaign waive the fee of a request of that day? Undecided where the date of birth leaves it open."""
    if not terms.waived:
        return Answer(False, "La campagne ne prévoit pas de gratuité.")
    if (terms.starts_on and on < terms.starts_on) or (terms.ends_on and on > terms.ends_on):
        return Answer(False, f"Le {on:%d/%m/%Y} est hors des dates de la campagne.")
    if terms.least_age is None and terms.most_age is None:
        return Answer(True, f"Gratuit : la demande du {on:%d/%m/%Y} est dans les dates de la campagne.")
    if birth is None:
        return Answer(None, "L'âge est inconnu : la gratuité ne peut pas être dite.")
    least, most = age_on(birth.latest, on), age_on(birth.earliest, on)
    inside = {
        (terms.least_age is None or age >= terms.least_age)
        and (terms.most_age is None or age <= terms.most_age)
        for age in range(least, most + 1)
    }
    years = f"{least} an{'s' if least > 1 else ''}" if least == most else f"entre {least} et {most} ans"
    if len(inside) != 1:
        return Answer(None, f"L'intéressé a {years} : la gratuité dépend de la date de naissance exacte.")
    if inside == {True}:
        return Answer(True, f"Gratuit : {years} et demande du {on:%d/%m/%Y} dans les dates de la campagne.")
    return Answer(False, f"L'intéressé a {years} : hors des âges de la campagne.")
