"""The French text of an act of birth: numbers, dates and hours in words as Kinshasa says them (septante, nonante), and
the sentences of the act. Pure: knows neither the registers nor the day."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from app.law.courts import age_on

MONTHS = (
    *("janvier", "février", "mars", "avril", "mai", "juin"),
    *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
)
_UNITS = (
    *("zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix"),
    *("onze", "douze", "treize", "quatorze", "quinze", "seize", "dix-sept", "dix-huit", "dix-neuf"),
)
_TENS = (
    *("", "dix", "vingt", "trente", "quarante", "cinquante", "soixante"),
    *("septante", "quatre-vingt", "nonante"),
)
_ORDINALS = {"un": "unième", "cinq": "cinquième", "neuf": "neuvième"}
_PAPERS = {
    "medical": "certificat médical de naissance",
    "home_report": "rapport de naissance à domicile signé par le chef de quartier",
    "journey_report": "rapport de naissance dressé en voyage",
    "judgment": "jugement",
    "other": "autre pièce",
}
# Who signs acts, by role: the bourgmestre is the registrar, a delegate signs in his place.
CAPACITIES = {
    "registrar": "officier de l'état civil",
    "delegate": "délégué de l'officier de l'état civil",
}
_MULTIPLE = {"twin": "gémellaire", "triplet": "triple", "more": "multiple"}
BLANK = "………"
# A name from a tablet may hold what ends a line; a paragraph of an act has only one.
_LINE_ENDS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where, when and by whom an act is drawn up: `drawn` is the moment in Kinshasa; `number` and `officer` are None
    in a draft nobody has signed; `language` and `interpreter` are those of the reading."""

    drawn: datetime
    commune: str
    office: str
    year: int
    volume: str
    number: int | None = None
    folio: str | None = None
    officer: str | None = None
    capacity: str = CAPACITIES["registrar"]
    judgment: Mapping[str, str] | None = None
    language: str | None = None
    interpreter: str | None = None


def number_words(number: int, *, feminine: bool = False, rank: bool = False) -> str:
    """A whole number below a million in French words.

    `feminine`: "vingt et une" (heures); `rank`: the number names a place ("l'an mil neuf cent quatre-vingt"), where
    vingt and cent take no s. Raises ValueError beyond.
    """
    if not 0 <= number < 1_000_000:
        raise ValueError(f"no words for {number}")
    thousands, rest = divmod(number, 1000)
    if not thousands:
        return _below_1000(rest, feminine=feminine, final=not rank)
    before = "" if thousands == 1 else _below_1000(thousands, feminine=False, final=False) + " "
    after = f" {_below_1000(rest, feminine=feminine, final=not rank)}" if rest else ""
    return f"{before}mille{after}"


def year_words(year: int) -> str:
    """A year as acts write it: "mil neuf cent nonante-huit", "deux mille vingt-six"."""
    words = number_words(year, rank=True)
    return words.replace("mille", "mil", 1) if 1000 < year < 2000 else words


def rank_words(number: int, *, feminine: bool = False) -> str:
    """Which one of several: "premier", "première", "deuxième", "vingt et unième"."""
    if number == 1:
        return "première" if feminine else "premier"
    words = number_words(number, rank=True)
    last = re.split("[ -]", words)[-1]
    return words.removesuffix(last) + _ORDINALS.get(last, f"{last.removesuffix('e')}ième")


def day_words(day: date) -> str:
    """A day in words: "le quatorzième jour du mois de septembre de l'an deux mille vingt-six"."""
    return f"le {rank_words(day.day)} jour du mois {_of_month(day.month)} de l'an {year_words(day.year)}"


def hour_words(hour: int, minute: int) -> str:
    """An hour in words: "quatre heures trente minutes", "une heure", "zéro heure une minute"."""
    said = f"{number_words(hour, feminine=True)} heure{'s' if hour > 1 else ''}"
    if not minute:
        return said
    return f"{said} {number_words(minute, feminine=True)} minute{'s' if minute > 1 else ''}"


def written_date_words(text: str, precision: str | None) -> str:
    """A date of birth as far as it is known, in words: a day, a month, a year, or about one of them.

    `text` is AAAA, AAAA-MM or AAAA-MM-JJ. "au cours du mois de mai de l'an deux mille quinze".
    """
    parts = [int(part) for part in text[: {"year": 4, "month": 7}.get(precision or "", 10)].split("-")]
    about = "vers " if precision == "estimated" else ""
    if len(parts) == 3:
        return about + day_words(date(*parts))
    year = f"l'an {year_words(parts[0])}"
    if len(parts) == 2:
        month = f"le mois {_of_month(parts[1])} de {year}"
        return about + (month if about else f"au cours {month.replace('le mois', 'du mois', 1)}")
    return about + (year if about else f"au cours de {year}")


def act_text(values: Values, head: Head) -> str:
    """The text of an act of birth, one paragraph a line, for the clean `values` of a declaration.

    Nothing that is unknown is told as a fault: an unnamed father is not mentioned. What an act holds is the Family
    Code's; its articles have not been read, so the wording stays to be confirmed by a jurist (docs/fr/loi.md).
    """
    paragraphs = [
        _title(head),
        _opening(head),
        *_on_judgment(head),
        _declaration(values),
        _birth(values),
        *_parents(values, head.drawn.date()),
        *_received(values, head.drawn.date()),
        *_papers(values),
        *_witnessed(values),
        _closing(values, head),
    ]
    return "\n".join(_LINE_ENDS.sub(" ", each) for each in paragraphs)


def _title(head: Head) -> str:
    number = BLANK if head.number is None else str(head.number)
    folio = f", feuillet {head.folio}" if head.folio else ""
    return f"Acte de naissance n° {number} de l'année {head.year}, volume {head.volume}{folio}"


def _opening(head: Head) -> str:
    drawn = head.drawn
    return (
        f"L'an {year_words(drawn.year)}, le {rank_words(drawn.day)} jour du mois {_of_month(drawn.month)}, "
        f"à {hour_words(drawn.hour, drawn.minute)}, nous, {head.officer or BLANK}, {head.capacity} de la commune de "
        f"{head.commune}, bureau {head.office}, avons dressé le présent acte de naissance."
    )


def _on_judgment(head: Head) -> list[str]:
    if head.judgment is None:
        return []
    court, number, day = (head.judgment[name] for name in ("court", "number", "date"))
    return [
        f"Il est dressé en exécution du jugement n° {number}, rendu {day_words(date.fromisoformat(day))} par : {court}."
    ]


def _declaration(values: Values) -> str:
    name, relation = values.get("declarant_name"), values.get("declarant_relation")
    if name is None:
        return "Il nous a été déclaré ce qui suit."
    who = f"{name} (lien avec l'enfant : {relation})" if relation else name
    by = {
        "procuration": ", au moyen d'une procuration écrite,",
        "transcription": ", présentant pour transcription un acte dressé à l'étranger,",
    }.get(values.get("mode", ""), "")
    return f"{who}{by} nous a déclaré ce qui suit."


def _birth(values: Values) -> str:
    feminine, sex = values.get("sex") == "F", values.get("sex")
    child = {"F": "une enfant de sexe féminin", "M": "un enfant de sexe masculin"}.get(sex or "", "un enfant")
    when = "À une date qui n'est pas connue"
    if "birth_date" in values and values.get("birth_precision") != "unknown":
        when = _capital(written_date_words(values["birth_date"], values.get("birth_precision")))
    if "birth_time" in values:
        hour, minute = values["birth_time"].split(":")[:2]
        when += f", à {hour_words(int(hour), int(minute))}"
    words = f" (selon la déclaration : « {values['birth_words']} »)" if "birth_words" in values else ""
    place = f", au lieu suivant : {values['birth_place']}," if "birth_place" in values else ""
    names = " ".join(values[name] for name in ("nom", "postnom", "prenom") if name in values) or BLANK
    ending = "e" if feminine else ""
    verb = f"a été trouvé{ending}" if _is_foundling(values) else f"est né{ending}"
    return f"{when}{words}, {verb}{place} {child}, à qui est donné le nom de : {names}{_rank(values)}."


def _is_foundling(values: Values) -> bool:
    """No parent is named, and the words of the declaration say that the child was found."""
    if any(name in values for name in ("mother", "father", "mother_name", "father_name")):
        return False
    told = (values.get(name, "") for name in ("birth_words", "declarant_relation", "paper_ref"))
    return any("trouvé" in text.casefold() for text in told)


def _rank(values: Values) -> str:
    kind = _MULTIPLE.get(values.get("multiple", ""))
    if kind is None:
        return ""
    order = int(values.get("order", 0))
    # A tablet may write any number; only one that can be a rank is said.
    if not 1 <= order <= 20:
        return f", d'une naissance {kind}"
    return f", {rank_words(order, feminine=values.get('sex') == 'F')} enfant d'une naissance {kind}"


def _parents(values: Values, day: date) -> list[str]:
    mother, father = (_person(values, role, day=day) for role in ("mother", "father"))
    told = [f"{word} {said}" for word, said in (("pour mère", mother), ("pour père", father)) if said]
    return [f"L'enfant a {', et '.join(told)}."] if told else []


def _person(values: Values, role: str, *, day: date) -> str:
    """ "Marie Kapinga, née le …, commerçante, résidant à : …" of what is known; empty where no name is."""
    name = values.get(f"{role}_name")
    if name is None:
        return ""
    ending = "e" if role == "mother" else ""
    said = [name]
    if born := values.get(f"{role}_birth_date"):
        said.append(_age(born, day=day, ending=ending))
    if occupation := values.get(f"{role}_occupation"):
        said.append(f"profession : {occupation}")
    if residence := values.get(f"{role}_residence"):
        said.append(f"résidence : {residence}")
    return ", ".join(said)


def _age(born: str, *, day: date, ending: str) -> str:
    """A day of birth as it is; instead of one that is not fully known, the approximate age."""
    if len(born) == 10:
        return f"né{ending} {day_words(date.fromisoformat(born))}"
    middle = date.fromisoformat(f"{born}-07-01" if len(born) == 4 else f"{born}-15")
    years = max(0, age_on(middle, day))
    return f"âgé{ending} d'environ {number_words(years)} an{'s' if years > 1 else ''}"


def _received(values: Values, day: date) -> list[str]:
    declared_on = values.get("declared_on")
    if declared_on is None or declared_on == day.isoformat():
        return []
    when = day_words(date.fromisoformat(declared_on)) if len(declared_on) == 10 else declared_on
    return [f"La déclaration a été reçue {when}."]


def _papers(values: Values) -> list[str]:
    paper = _PAPERS.get(values.get("paper", ""))
    reference = f" ({values['paper_ref']})" if "paper_ref" in values else ""
    return [f"Pièce produite : {paper or 'pièce'}{reference}."] if paper or reference else []


def _witnesses(values: Values) -> list[str]:
    """The names of the witnesses; whatever else a tablet may have written there is no name."""
    told = values.get("witnesses")
    return [name for name in told if isinstance(name, str)] if isinstance(told, list) else []


def _witnessed(values: Values) -> list[str]:
    names = _witnesses(values)
    return [f"Témoin{'s' if len(names) > 1 else ''} : {', '.join(names)}."] if names else []


def _closing(values: Values, head: Head) -> str:
    language = head.language or values.get("language")
    interpreter = head.interpreter or values.get("interpreter")
    read = "Après lecture"
    if language and language.casefold() not in {"français", "francais"}:
        read += (
            f" et traduction en langue {language}" if interpreter else f" et explication en langue {language}"
        )
    if interpreter:
        read += f" par l'interprète {interpreter}"
    witnesses = _witnesses(values)
    signers = [
        *(["le déclarant"] if "declarant_name" in values else []),
        *(["les témoins" if len(witnesses) > 1 else "le témoin"] if witnesses else []),
        *([f"l'interprète {interpreter}"] if interpreter else []),
    ]
    return f"{read}, l'acte est signé par {', '.join([*signers, 'nous'])}.".replace(", nous.", " et nous.")


def _of_month(month: int) -> str:
    name = MONTHS[month - 1]
    return f"d'{name}" if name[0] in "ao" else f"de {name}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _below_1000(number: int, *, feminine: bool, final: bool) -> str:
    hundreds, rest = divmod(number, 100)
    if not hundreds:
        return _below_100(rest, feminine=feminine, final=final)
    words = "cent" if hundreds == 1 else f"{_UNITS[hundreds]} cent"
    if rest:
        return f"{words} {_below_100(rest, feminine=feminine, final=final)}"
    return words + ("s" if hundreds > 1 and final else "")


def _below_100(number: int, *, feminine: bool, final: bool) -> str:
    one = "une" if feminine else "un"
    if number == 1:
        return one
    if number < 20:
        return _UNITS[number]
    tens, unit = divmod(number, 10)
    if not unit:
        return _TENS[tens] + ("s" if tens == 8 and final else "")
    if unit == 1:
        return f"{_TENS[tens]}-{one}" if tens == 8 else f"{_TENS[tens]} et {one}"
    return f"{_TENS[tens]}-{_UNITS[unit]}"
