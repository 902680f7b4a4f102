"""Who may declare a birth (art. 117 of the Family Code) and to which officer (residence of the father or the mother).
Answers and explains; what comes of an answer is the registrar's decision, never a refusal of a child."""

from __future__ import annotations

import re
from datetime import date

from app.law.answers import Answer, cited
from app.law.parameters import Parameter, law


def may_declare(relation: str | None, on: date) -> Answer:
    """May somebody who says he is this to the child declare its birth on that day?

    `relation` is what was written ("grand-mère maternelle"). Not decided where it names nobody the law lists. Source:
    Family Code, art. 117.
    """
    if not relation:
        return Answer(None, "Le lien du déclarant avec l'enfant n'est pas indiqué.")
    found = _declarant(relation, on)
    if found is None:
        return Answer(
            None, f"« {relation} » : la loi ne dit pas si cette personne peut déclarer la naissance."
        )
    power = " ; une procuration écrite est jointe" if found.text("proof") == "written_power" else ""
    return Answer.of(True, f"{found.description} peut déclarer la naissance{power}", by=found)


def written_power_needed(relation: str, on: date) -> bool:
    """Whether a declarant of this relation brings a written power (Family Code, art. 117)."""
    found = _declarant(relation, on)
    return found is not None and found.text("proof") == "written_power"


def competent_office(office_commune: str, residences: tuple[str | None, str | None], *, on: date) -> Answer:
    """Is an office of this commune competent on that day? `residences` are the communes (codes) of father and mother,
    None where unknown.

    Undecided as long as a residence that is not known could make it competent. Source: Family Code, art. 116.
    """
    found = law().one("competence", on, code="parents_residence")
    if found is None:
        return Answer(None, "Aucune règle de compétence n'est connue pour ce jour.")
    if office_commune in residences:
        return Answer.of(True, "Le père ou la mère réside dans la commune du bureau", by=found)
    if None in residences:
        return Answer(
            None, f"La résidence du père ou de la mère n'est pas connue{cited(found)}.", found.article
        )
    return Answer.of(False, "Ni le père ni la mère ne réside dans la commune du bureau", by=found)


def _declarant(relation: str, on: date) -> Parameter | None:
    """The first listed by rank whose word stands in what was said; longer words first: a grandmother is no mother."""
    told = relation.casefold()
    candidates = [
        (-len(word), each.whole("rank") or 0, each)
        for each in law().on("declarants", on)
        for word in each.text("words").casefold().split("|")
        if word and re.search(rf"(?<![\w-]){re.escape(word)}s?(?![\w-])", told)
    ]
    return min(candidates, key=lambda one: one[:2])[2] if candidates else None
