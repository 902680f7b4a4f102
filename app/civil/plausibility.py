"""What somebody should look at again in a declaration before an act is drawn up: what is missing for its mode, and what
is hardly possible. Warnings only: a missing father, an unusual name or a missing paper refuses nobody."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from app.civil import tables
from app.law.courts import age_on, competent_court
from app.law.dates import PossibleDays, possible_days
from app.law.declarants import competent_office, may_declare, written_power_needed
from app.law.delay import DelayAnswer
from app.ledger.door import Door
from app.population.tables import person

NAMES = ("nom", "postnom", "prenom")
PEOPLE = {"mother": "mother_unknown", "father": "father_unknown", "person": "person_unknown"}
MOTHERS_AGES = (10, 60)
BETWEEN_BIRTHS = timedelta(days=270)
# A mother may bear her first child of a pair late in the evening and the second after midnight.
ONE_BIRTH = timedelta(days=2)

Values = Mapping[str, Any]
Notice = dict[str, str]


def look_over(
    connection: sa.Connection, door: Door, values: Values, *, answer: DelayAnswer, birth: str | None = None
) -> list[Notice]:
    """Everything worth a look in the clean `values` of a declaration judged as `answer`: {"code", "field", "message",
    "advice"} in French. `birth` is its id where it is stored already."""
    declared_on = _day(values.get("declared_on"))
    born = None
    if declared_on is not None:
        written = values.get("birth_date"), values.get("birth_precision")
        born = possible_days(*written, declared_on=declared_on)
    found: list[Iterable[Notice]] = [_missing(values), _strangers(connection, values), _papers(values)]
    if declared_on is not None:
        found += [
            _declarant(values, declared_on),
            _dates(values, born),
            _late(values, born, answer=answer, day=declared_on),
            _office(connection, door, values, day=declared_on),
            _siblings(connection, values, born=born, birth=birth),
        ]
    return [warning for part in found for warning in part]


def _missing(values: Values) -> Iterator[Notice]:
    if not any(name in values for name in NAMES):
        message = "Aucun nom : l'acte ne pourra pas être dressé."
        yield _warning("name_missing", "nom", message, advice="Demandez au déclarant le nom de l'enfant.")
    if "sex" not in values:
        yield _warning("sex_missing", "sex", "Le sexe n'est pas indiqué.", advice="Complétez la déclaration.")
    if "birth_date" not in values:
        message = "Sans date de naissance le délai n'est pas jugé."
        yield _warning("birth_date_missing", "birth_date", message, advice="Notez au moins l'année.")
    if values.get("multiple", "single") != "single" and "order" not in values:
        message = "Naissance multiple : indiquez le rang de l'enfant."
        yield _warning("order_missing", "order", message, advice="Demandez qui est né le premier.")


def _strangers(connection: sa.Connection, values: Values) -> Iterator[Notice]:
    named = {values[name] for name in PEOPLE if name in values}
    if not named:
        return
    known = set(connection.execute(sa.select(person.c.id).where(person.c.id.in_(named))).scalars())
    for name, code in PEOPLE.items():
        if name in values and values[name] not in known:
            message = "Cette personne n'est pas au registre de ce serveur."
            yield _warning(code, name, message, advice="Cherchez-la au registre de la population.")


def _papers(values: Values) -> Iterator[Notice]:
    """What each mode and place of birth asks for (the papers of the domain; their absence never blocks)."""
    mode, paper, facility = (values.get(name) for name in ("mode", "paper", "facility"))
    if mode == "procuration" and "paper_ref" not in values:
        message = "Déclaration par procuration : la procuration ou la pièce de la maternité n'est pas citée."
        yield _warning(
            "proxy_paper_missing", "paper_ref", message, advice="Notez la référence de la procuration."
        )
    if mode == "transcription" and "paper_ref" not in values:
        message = "Transcription : l'acte étranger n'est pas cité."
        yield _warning(
            "foreign_act_missing", "paper_ref", message, advice="Notez l'autorité, le numéro et la date."
        )
    if mode == "judgment" and paper != "judgment":
        message = "Déclaration sur jugement : le jugement n'est pas la pièce produite."
        yield _warning("judgment_paper_missing", "paper", message, advice="Joignez le jugement.")
    if facility == "home" and mode in {"direct", "procuration"} and paper not in {"home_report", "medical"}:
        message = "Née à domicile : le rapport du chef de quartier manque."
        advice = "Demandez le rapport de naissance à domicile."
        yield _warning("home_report_missing", "paper", message, advice=advice)
    if paper == "home_report" and "paper_ref" not in values:
        message = "Le rapport de naissance à domicile est signé par le chef de quartier : il n'est pas cité."
        advice = "Notez le nom du chef de quartier et la date du rapport."
        yield _warning("home_report_unsigned", "paper_ref", message, advice=advice)
    if facility == "journey" and paper != "journey_report":
        message = "Née en voyage : le rapport dressé en route manque."
        yield _warning("journey_report_missing", "paper", message, advice="Demandez le rapport de voyage.")


def _declarant(values: Values, day: date) -> Iterator[Notice]:
    relation = values.get("declarant_relation")
    if relation is None:
        return
    answer = may_declare(relation, day)
    if answer.yes is not True:
        advice = "Notez le lien exact avec l'enfant, ou demandez une procuration écrite."
        yield _warning("declarant_doubtful", "declarant_relation", answer.rule, advice=advice)
    elif (
        written_power_needed(relation, day)
        and "paper_ref" not in values
        and values.get("mode") != "procuration"
    ):
        advice = "Notez la référence de la procuration."
        yield _warning("written_power_missing", "declarant_relation", answer.rule, advice=advice)


def _dates(values: Values, born: PossibleDays | None) -> Iterator[Notice]:
    if born is None:
        return
    if born.exact and (born.earliest.month, born.earliest.day) == (1, 1):
        message = "Née un 1er janvier : cette date remplace souvent une date inconnue."
        advice = "Si le jour n'est pas sûr, notez l'année seule."
        yield _warning("first_of_january", "birth_date", message, advice=advice)
    mother = _written(values.get("mother_birth_date"), born)
    if mother is not None:
        # The ages she may have had: only what no reading of the dates allows is pointed out.
        least = age_on(mother.latest, born.earliest)
        most = age_on(mother.earliest, born.latest)
        if most < MOTHERS_AGES[0] or least > MOTHERS_AGES[1]:
            message = f"La mère aurait eu {most if most < MOTHERS_AGES[0] else least} ans à la naissance."
            advice = "Vérifiez les deux dates de naissance."
            yield _warning("mother_age", "mother_birth_date", message, advice=advice)


def _late(values: Values, born: PossibleDays | None, *, answer: DelayAnswer, day: date) -> Iterator[Notice]:
    if answer.delay == "out_of_delay" and values.get("mode") != "judgment":
        advice = "Ouvrez un dossier de jugement supplétif."
        yield _warning("judgment_needed", "declared_on", competent_court(born, day).rule, advice=advice)


def _office(connection: sa.Connection, door: Door, values: Values, *, day: date) -> Iterator[Notice]:
    mother = _residence(connection, door, values, role="mother")
    # Of a father nobody names only the mother's residence is left to make an office competent.
    named = "father" in values or "father_name" in values
    father = _residence(connection, door, values, role="father") if named else mother
    commune = values.get("commune")
    if commune is None or mother is None:
        return
    answer = competent_office(commune, (father, mother), on=day)
    if answer.yes is False:
        advice = "Orientez la famille vers le bureau de sa résidence, ou vérifiez l'adresse."
        yield _warning("office_not_competent", "commune", answer.rule, advice=advice)


def _residence(connection: sa.Connection, door: Door, values: Values, *, role: str) -> str | None:
    """The commune where a parent lives: the quartier written, else where the register has him; None = not known."""
    if quartier := values.get(f"{role}_quartier"):
        return door.territory.commune_of(quartier)
    identity = values.get(role)
    if identity is None:
        return None
    area = connection.scalar(sa.select(person.c.area).where(person.c.id == identity))
    return door.areas.commune(door.areas.code(area)) if area is not None else None


def _siblings(
    connection: sa.Connection, values: Values, *, born: PossibleDays | None, birth: str | None
) -> Iterator[Notice]:
    mother = values.get("mother")
    if mother is None or born is None:
        return
    other = tables.birth.c
    known = sa.select(other.birth_date, other.birth_precision).where(
        other.mother == mother, other.birth_date.is_not(None), other.id != (birth or ""),
        other.merged_into.is_(None), sa.func.coalesce(other.void, sa.false()).is_(sa.false()),
    )  # fmt: skip
    twin = values.get("multiple", "single") != "single"
    for written, precision in connection.execute(known):
        sibling = possible_days(written, precision, declared_on=date.max)
        if sibling is None:
            continue
        gap = max(born.latest - sibling.earliest, sibling.latest - born.earliest)
        if gap < BETWEEN_BIRTHS and not (twin and gap <= ONE_BIRTH):
            message = "La même mère a un autre enfant né à moins de 270 jours d'intervalle."
            advice = "Jumeaux ? Indiquez-le. Sinon vérifiez que l'enfant n'est pas déjà déclaré."
            yield _warning("sibling_too_close", "birth_date", message, advice=advice)
            return


def _written(text: str | None, born: PossibleDays) -> PossibleDays | None:
    return possible_days(text, None, declared_on=born.latest)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text is not None and len(text) == 10 else None


def _warning(code: str, field: str, message: str, *, advice: str) -> Notice:
    return {"code": code, "field": field, "message": message, "advice": advice}
