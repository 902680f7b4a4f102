"""The monthly report of a commune: births registered by men, women, boys and girls, by the parents' nationality and by
mode of declaration. What is not said is counted apart, never guessed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from itertools import product
from typing import Any, Literal

import sqlalchemy as sa

from app.civil import tables
from app.civil.standing import annulled
from app.law.dates import possible_days
from app.ledger.entities import in_lists
from app.ledger.tables import batch
from app.reports.sheets import Report

NATIONAL = "CD"
ADULT = 18
WHO = ("men", "women", "boys", "girls", "undetermined")
ORIGINS = ("national", "mixed", "foreign", "undetermined")
MODES = ("direct", "procuration", "judgment", "transcription", "other", "unknown")
DELAYS = ("in_delay", "out_of_delay", "undetermined")
DEFINITION = (
    "Actes de naissance inscrits dans le mois. Hommes et femmes : personnes de 18 ans ou plus le jour de l'acte ; "
    "garçons et filles : moins de 18 ans. Nationaux : les deux parents déclarés congolais ; mixtes : un seul ; "
    "étrangers : aucun. Âge, sexe ou nationalité non déclarés : indéterminés. Les actes annulés ne sont pas comptés."
)
WORDS = {
    "men": "Hommes", "women": "Femmes", "boys": "Garçons", "girls": "Filles", "undetermined": "Indéterminés",
    "national": "Nationaux", "mixed": "Mixtes", "foreign": "Étrangers",
    "direct": "Directe", "procuration": "Procuration", "judgment": "Jugement", "transcription": "Transcription",
    "other": "Autre", "unknown": "Non indiqué",
    "in_delay": "Dans les délais", "out_of_delay": "Hors délai",
}  # fmt: skip

Who = Literal["men", "women", "boys", "girls", "undetermined"]
Origin = Literal["national", "mixed", "foreign", "undetermined"]
_COLUMNS = (
    "id",
    "sex",
    "birth_date",
    "birth_precision",
    "registered_on",
    "mode",
    "mother_nationality",
    "facts",
    "delay",
)


def who_is(sex: str | None, birth_date: str | None, *, precision: str | None, on: str) -> Who:
    """Man, woman, boy or girl on the day the act was drawn up (`on`, AAAA-MM-JJ): an adult is 18 on every day of birth
    that is possible, a child on none of them."""
    day = date.fromisoformat(on)
    born = possible_days(birth_date, precision, declared_on=day)
    if born is None or sex is None:
        return "undetermined"
    adult = {_age(each, day) >= ADULT for each in born}
    if len(adult) > 1:
        return "undetermined"
    if sex == "M":
        return "men" if adult == {True} else "boys"
    return "women" if adult == {True} else "girls"


def origin_of(mother: str | None, father: str | None) -> Origin:
    """Nationals where both parents are declared Congolese, mixed where one is and the other is of another country,
    foreigners where neither is; undetermined as soon as one is not declared or `indeterminate`."""
    said = [each for each in (mother, father) if each is not None and each != "indeterminate"]
    if len(said) < 2:
        return "undetermined"
    of_here = said.count(NATIONAL)
    return "national" if of_here == 2 else "mixed" if of_here == 1 else "foreign"


def monthly(
    connection: sa.Connection, commune: str, *, month: str, names: Mapping[str, str]
) -> dict[str, Any]:
    """The report of one commune and month (AAAA-MM) as REST shows it: rows by mode and origin, totals, by delay, and
    how many annulled acts were left out."""
    act = tables.act
    query = sa.select(*(act.c[name] for name in _COLUMNS), annulled(act.c.id).label("annulled")).where(
        act.c.commune == commune,
        act.c.year == int(month[:4]),
        act.c.registered_on.between(f"{month}-01", f"{month}-31"),
        in_lists(act),
    )
    found = connection.execute(query).mappings().all()
    standing = [dict(row) for row in found if not row["annulled"]]
    counted = counts(standing)
    received = sa.select(batch.c.received_at).order_by(batch.c.id.desc()).limit(1)
    return {
        "commune": commune,
        "commune_name": names.get(commune),
        "month": month,
        **counted,
        "annulled": len(found) - len(standing),
        "cutoff": connection.execute(received).scalar(),
        "definition": DEFINITION,
    }


def counts(acts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """`rows`, `totals` and `by_delay` of these acts (columns of the register, `facts` as JSON text)."""
    cells: Counter[tuple[str, str, str]] = Counter()
    delays: Counter[str] = Counter(dict.fromkeys(DELAYS, 0))
    for act in acts:
        facts = json.loads(act["facts"] or "{}")
        who = who_is(act["sex"], act["birth_date"], precision=act["birth_precision"], on=act["registered_on"])
        origin = origin_of(act["mother_nationality"], facts.get("father_nationality"))
        cells[act["mode"] or "unknown", origin, who] += 1
        delays[act["delay"] or "undetermined"] += 1
    rows: list[dict[str, Any]] = []
    for mode, parents in product(MODES, ORIGINS):
        people = {who: cells[mode, parents, who] for who in WHO}
        rows.append({"mode": mode, "origin": parents, **people, "total": sum(people.values())})
    totals = {name: sum(row[name] for row in rows) for name in (*WHO, "total")}
    return {"rows": rows, "totals": totals, "by_delay": dict(delays)}


def monthly_report(found: Mapping[str, Any], *, fictitious: bool) -> Report:
    """The same as a table: rows of modes with nothing at all are left out, but for the five the law knows."""

    def _line(first: str, second: str, row: Mapping[str, Any]) -> list[Any]:
        return [first, second, *(row[name] for name in (*WHO, "total"))]

    some = [row for row in found["rows"] if row["mode"] != "unknown" or row["total"]]
    return Report(
        title=f"Rapport mensuel des naissances {found['month']} {found['commune_name'] or found['commune']}",
        about=[
            ("Commune", f"{found['commune_name'] or ''} ({found['commune']})"),
            ("Mois", f"{found['month'][5:]}/{found['month'][:4]}"),
            *((WORDS[name], found["by_delay"][name]) for name in DELAYS[:2]),
            ("Délai indéterminé", found["by_delay"]["undetermined"]),
            ("Actes annulés, non comptés", found["annulled"]),
        ],
        columns=["Mode de déclaration", "Parents", *(WORDS[name] for name in WHO), "Total"],
        rows=[
            *(_line(WORDS[row["mode"]], WORDS[row["origin"]], row) for row in some),
            _line("Total", "", found["totals"]),
        ],
        notes=[found["definition"]],
        fictitious=fictitious,
        signed=True,
    )


def _age(born: date, day: date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
