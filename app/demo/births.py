"""Kimbanseke's published births of 2011–2017 as lines of its paper registers, ready for the reprise.

Hands out plain dictionaries; the law that judges the delay is the register's, here only the counts are known.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple

from app.demo.people import Names
from app.demo.totals import kimbanseke

COMMUNE = "CD-KN-008"
OFFICE = "CD-KN-008-01"
SHEETS = 534
DELAY_DAYS = 90
_BOYS = 102.8 / 202.8
_TWINS = 0.017
_QUARTIERS = (
    "Bahumbu", "Bamboma", "Biyela", "Disasi", "Esanga", "Kamba Mulumba", "Kikimi", "Kingasani", "Kisantu", "Kutu",
    "Luebo", "Malonda", "Mbuala", "Mikondo", "Mokali", "Mulie", "Ngamazita", "Ngampani", "Nsanga", "Salongo",
)  # fmt: skip
_AVENUES = (
    "Boma",
    "Kasaï",
    "Kimbuta",
    "Lokoro",
    "Luozi",
    "Manguiers",
    "Mbandaka",
    "Mission",
    "Paix",
    "Tshela",
)
_KINDS = ("Maternité", "Centre de santé", "Hôpital de référence")
_PAPER = {"facility": "medical", "home": "home_report", "journey": "journey_report", "other": "other"}
_RELATIONS = ("père", "père", "père", "mère", "mère", "grand-mère")
_MINORS_COURT = "Tribunal pour enfants de Kinshasa, siège de N'Djili"
_ADULTS_COURT = "Tribunal de grande instance de Kinshasa/N'Djili"
_CAMPAIGN_WEEKS = 3


class _Entry(NamedTuple):
    """A line of the book before anything is written on it: working day of registration, in delay or not."""

    day: int
    draw: float
    late: bool


def lines(seed: int, scale: float = 1.0) -> Iterator[dict[str, Any]]:
    """All acts of 2011–2017 in the order they were drawn up, numbered per office and year.

    Each is flat: the protocol's `birth` fields with `office`, `year`, `number` (int), `volume`, `folio` (text),
    `registered_on`, and `judgment {"court", "number", "date"}` where the birth was declared after 90 days.
    """
    rng = Random(seed)  # noqa: S311 - invented people, repeatable on purpose
    book = _Book(rng)
    for row in kimbanseke(scale):
        yield from book.year(row["year"], in_delay=row["in_delay"], late=row["out_of_delay"])


def _working_days(year: int) -> list[date]:
    first = date(year, 1, 1)
    days = (first + timedelta(days=at) for at in range(366))
    return [day for day in days if day.year == year and day.weekday() < 5 and (day.month, day.day) != (1, 1)]


class _Book:
    """The register of one office: writes one year after the other."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._random = rng.random
        self._names = Names(rng)

    def year(self, year: int, *, in_delay: int, late: int) -> Iterator[dict[str, Any]]:
        """The acts of one year: `in_delay` + `late` of them, by day of registration."""
        days = _working_days(year)
        entries = self._entries(len(days), in_delay=in_delay, late=late)
        twin: dict[str, Any] | None = None
        for number, (entry, following) in enumerate(zip(entries, [*entries[1:], None], strict=True), 1):
            if twin is not None:
                act, twin = twin, None
            else:
                act = self._act(entry, days)
                # The second of twins takes the next line of the same day, so that the counts stay as published.
                room = following is not None and following.day == entry.day and not following.late
                if room and not entry.late and self._random() < _TWINS:
                    twin = self._twin(act)
            volume, folio = divmod(number - 1, SHEETS)
            yield {
                **act,
                "office": OFFICE,
                "year": year,
                "volume": str(volume + 1),
                "number": number,
                "folio": str(folio + 1),
                "registered_on": days[entry.day].isoformat(),
            }

    def _entries(self, days: int, *, in_delay: int, late: int) -> list[_Entry]:
        """Late acts come in bursts: a few weeks of court hearings in the quartiers bring most of them."""
        draw = self._random
        weeks = [int(draw() * (days - 5)) for _ in range(_CAMPAIGN_WEEKS)]
        book = [_Entry(int(draw() * days), draw(), False) for _ in range(in_delay)]
        for _ in range(late):
            hearing = weeks[int(draw() * len(weeks))] + int(draw() * 5)
            book.append(_Entry(hearing if draw() < 0.6 else int(draw() * days), draw(), True))
        book.sort()
        return book

    def _act(self, entry: _Entry, days: list[date]) -> dict[str, Any]:
        chance = self._random()
        waited = 0 if chance < 0.7 else 1 if chance < 0.9 else 3
        declared = days[max(0, entry.day - waited)]
        late = entry.late
        age = self._late_age() if late else int((DELAY_DAYS + 1) * self._random() ** 1.4)
        born = declared - timedelta(days=age)
        sex = "M" if self._random() < _BOYS else "F"
        names = self._names
        act: dict[str, Any] = {"nom": names.nom(sex), "postnom": names.postnom(sex)}
        if self._random() < 0.95:
            act["prenom"] = names.prenom(sex)
        act |= {"sex": sex, "birth_date": born.isoformat(), "birth_precision": "day", "multiple": "single"}
        self._place(act, late=late)
        act["declared_on"] = declared.isoformat()
        self._parents(act)
        if late:
            self._late_declaration(act, declared=declared, age=age)
        else:
            self._declaration(act)
        act |= {"language": "lingala" if self._random() < 0.7 else "français", "commune": COMMUNE}
        return act

    def _late_age(self) -> int:
        """Days from birth to a declaration out of delay: 91 days to 45 years, more than half of them adults."""
        chance = self._random()
        if chance < 0.02:
            return DELAY_DAYS + 1
        if chance < 0.45:
            return int(DELAY_DAYS + 2 + self._random() ** 1.5 * 17 * 365)
        return int((18 + self._random() ** 1.3 * 27) * 365.25) + 30

    def _place(self, act: dict[str, Any], *, late: bool) -> None:
        chance, rng = self._random(), self._random
        usual = 0.55 if late else 0.88
        facility = (
            "facility"
            if chance < usual
            else "home"
            if chance < 0.97
            else "journey"
            if chance < 0.98
            else "other"
        )
        act["facility"] = facility
        quartier = _QUARTIERS[int(rng() * len(_QUARTIERS))]
        if facility == "facility":
            act["birth_place"] = f"{_KINDS[int(rng() ** 2 * len(_KINDS))]} {quartier}"
            act["birth_time"] = f"{int(rng() * 24):02d}:{int(rng() * 12) * 5:02d}"
            act["attendant"] = "midwife_nurse" if rng() < 0.8 else "doctor"
        else:
            act["birth_place"] = "Kinshasa"
            act["attendant"] = "traditional" if facility == "home" else "unknown"
        act["paper"] = _PAPER[facility]

    def _parents(self, act: dict[str, Any]) -> None:
        rng = self._random
        act["mother_name"] = self._names.full("F")
        if rng() < 0.95:
            # Nobody is refused for an unknown father.
            act["father_name"] = self._names.full("M")
        avenue = _AVENUES[int(rng() * len(_AVENUES))]
        quartier = _QUARTIERS[int(rng() * len(_QUARTIERS))]
        act["mother_residence"] = (
            f"avenue {avenue} n° {1 + int(rng() * 180)}, quartier {quartier}, Kimbanseke"
        )

    def _declaration(self, act: dict[str, Any]) -> None:
        by_proxy = act["facility"] == "facility" and self._random() < 0.7
        act["mode"] = "procuration" if by_proxy else "direct"
        self._declarant(act, relation="mandataire" if by_proxy else "")
        if act["facility"] == "home":
            act["witnesses"] = [self._names.full("F"), self._names.full("M")]

    def _declarant(self, act: dict[str, Any], *, relation: str = "") -> None:
        relation = relation or _RELATIONS[int(self._random() * len(_RELATIONS))]
        if relation == "père" and "father_name" not in act:
            relation = "mère"
        own = {"père": act.get("father_name"), "mère": act["mother_name"]}
        act["declarant_name"] = own.get(relation) or self._names.full(
            "F" if relation == "grand-mère" else "M"
        )
        act["declarant_relation"] = relation

    def _late_declaration(self, act: dict[str, Any], *, declared: date, age: int) -> None:
        """A judgment comes first, then about a month to the certificate of non-appeal, then the declaration."""
        act["mode"] = act["paper"] = "judgment"
        waited = min(30 + int(self._random() * 60), age - DELAY_DAYS - 1)
        judged = declared - timedelta(days=waited)
        adult = age - waited >= 18 * 365.25
        if adult:
            act["declarant_name"] = " ".join(
                act[name] for name in ("nom", "postnom", "prenom") if name in act
            )
            act["declarant_relation"] = "l'intéressée" if act["sex"] == "F" else "l'intéressé"
        else:
            self._declarant(act)
        act["witnesses"] = [self._names.full("M"), self._names.full("F")]
        number = f"{'RC' if adult else 'RCE'} {1000 + int(self._random() * 30000)}"
        court = _ADULTS_COURT if adult else _MINORS_COURT
        act["judgment"] = {"court": court, "number": number, "date": judged.isoformat()}

    def _twin(self, first: dict[str, Any]) -> dict[str, Any]:
        """Makes `first` the first born of twins and returns the other: same mother, same day, an act of its own."""
        sex = "M" if self._random() < _BOYS else "F"
        first["multiple"], first["order"] = "twin", 1
        second = {**first, "sex": sex, "order": 2, "postnom": self._names.postnom(sex)}
        first["nom"], second["nom"] = self._names.twins(first["sex"], sex)
        if "prenom" in first:
            second["prenom"] = self._names.prenom(sex)
        return second
