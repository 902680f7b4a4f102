"""The text of an act, compared with texts written by hand, and every date of two centuries read back from its words."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from app.civil.wording import (
    Head,
    act_text,
    day_words,
    hour_words,
    number_words,
    rank_words,
    written_date_words,
    year_words,
)

KINSHASA = timezone(timedelta(hours=1))
HEAD = Head(
    drawn=datetime(2026, 9, 14, 4, 30, tzinfo=KINSHASA),
    commune="Kintambo",
    office="CD-KN-017-01",
    year=2026,
    volume="2",
    number=481,
    folio="12",
    officer="Prosper Ilunga",
)
OPENING = (
    "L'an deux mille vingt-six, le quatorzième jour du mois de septembre, à quatre heures trente minutes, nous, "
    "Prosper Ilunga, officier de l'état civil de la commune de Kintambo, bureau CD-KN-017-01, avons dressé le présent "
    "acte de naissance."
)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zéro"), (1, "un"), (16, "seize"), (17, "dix-sept"), (20, "vingt"), (21, "vingt et un"),
        (61, "soixante et un"), (70, "septante"), (71, "septante et un"), (77, "septante-sept"),
        (80, "quatre-vingts"), (81, "quatre-vingt-un"), (89, "quatre-vingt-neuf"), (90, "nonante"),
        (91, "nonante et un"), (99, "nonante-neuf"), (100, "cent"), (101, "cent un"), (200, "deux cents"),
        (280, "deux cent quatre-vingts"), (534, "cinq cent trente-quatre"), (1000, "mille"),
        (2031, "deux mille trente et un"), (80000, "quatre-vingt mille"), (200100, "deux cent mille cent"),
    ],
)  # fmt: skip
def test_numbers_are_said_as_in_kinshasa(number: int, words: str) -> None:
    assert number_words(number) == words


def test_numbers_nobody_needs_have_no_words() -> None:
    for number in (-1, 1_000_000):
        with pytest.raises(ValueError, match="no words"):
            number_words(number)


def test_years_ranks_and_hours_have_their_own_forms() -> None:
    assert [year_words(year) for year in (1850, 1900, 1980, 1998, 2000, 2026, 1000)] == [
        "mil huit cent cinquante", "mil neuf cent", "mil neuf cent quatre-vingt",
        "mil neuf cent nonante-huit", "deux mille", "deux mille vingt-six", "mille",
    ]  # fmt: skip
    assert [rank_words(each) for each in (1, 2, 4, 5, 9, 11, 19, 21, 30, 31)] == [
        "premier", "deuxième", "quatrième", "cinquième", "neuvième", "onzième", "dix-neuvième",
        "vingt et unième", "trentième", "trente et unième",
    ]  # fmt: skip
    assert rank_words(1, feminine=True) == "première"
    assert [hour_words(*at) for at in ((0, 0), (0, 1), (1, 0), (4, 30), (21, 21), (23, 59))] == [
        "zéro heure", "zéro heure une minute", "une heure", "quatre heures trente minutes",
        "vingt et une heures vingt et une minutes", "vingt-trois heures cinquante-neuf minutes",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "precision", "words"),
    [
        ("2026-09-14", "day", "le quatorzième jour du mois de septembre de l'an deux mille vingt-six"),
        ("1971-04-01", None, "le premier jour du mois d'avril de l'an mil neuf cent septante et un"),
        ("2015-08", "month", "au cours du mois d'août de l'an deux mille quinze"),
        ("2015-08-14", "month", "au cours du mois d'août de l'an deux mille quinze"),
        ("2015", "year", "au cours de l'an deux mille quinze"),
        ("2015", "estimated", "vers l'an deux mille quinze"),
        ("2015-05", "estimated", "vers le mois de mai de l'an deux mille quinze"),
        ("2015-05-02", "estimated", "vers le deuxième jour du mois de mai de l'an deux mille quinze"),
    ],
)
def test_a_date_is_said_no_more_exactly_than_it_is_known(
    text: str, precision: str | None, words: str
) -> None:
    assert written_date_words(text, precision) == words


# -- texts written by hand ----------------------------------------------------------------------------------------

WHOLE: dict[str, Any] = {
    "nom": "Mbuyi", "postnom": "Kalala", "prenom": "Grâce", "sex": "F", "birth_date": "2026-09-10",
    "birth_precision": "day", "birth_time": "21:05", "birth_place": "Maternité de Kintambo", "facility": "facility",
    "declared_on": "2026-09-14", "mode": "direct", "paper": "medical", "paper_ref": "CN 0412/2026",
    "declarant_name": "Jean Kabeya Ilunga", "declarant_relation": "père", "mother_name": "Marie Mbuyi Kapinga",
    "mother_birth_date": "1998", "mother_occupation": "commerçante",
    "mother_residence": "avenue Bangala n° 12, Kintambo", "father_name": "Jean Kabeya Ilunga",
    "father_birth_date": "1991-03-01", "father_occupation": "chauffeur", "witnesses": ["Thérèse Ngalula"],
    "language": "lingala", "interpreter": "Paul Mukendi",
}  # fmt: skip


def body(values: dict[str, Any], head: Head = HEAD) -> list[str]:
    """The paragraphs after the title and the opening."""
    paragraphs = act_text(values, head).split("\n")
    assert paragraphs[1].startswith("L'an ")
    return paragraphs[2:]


def test_a_birth_declared_by_the_father_reads_as_a_registrar_would_write_it() -> None:
    assert act_text(WHOLE, HEAD).split("\n") == [
        "Acte de naissance n° 481 de l'année 2026, volume 2, feuillet 12",
        OPENING,
        "Jean Kabeya Ilunga (lien avec l'enfant : père) nous a déclaré ce qui suit.",
        "Le dixième jour du mois de septembre de l'an deux mille vingt-six, à vingt et une heures cinq minutes, est "
        "née, au lieu suivant : Maternité de Kintambo, une enfant de sexe féminin, à qui est donné le nom de : Mbuyi "
        "Kalala Grâce.",
        "L'enfant a pour mère Marie Mbuyi Kapinga, âgée d'environ vingt-huit ans, profession : commerçante, résidence "
        ": avenue Bangala n° 12, Kintambo, et pour père Jean Kabeya Ilunga, né le premier jour du mois de mars de l'an "
        "mil neuf cent nonante et un, profession : chauffeur.",
        "Pièce produite : certificat médical de naissance (CN 0412/2026).",
        "Témoin : Thérèse Ngalula.",
        "Après lecture et traduction en langue lingala par l'interprète Paul Mukendi, l'acte est signé par le "
        "déclarant, le témoin, l'interprète Paul Mukendi et nous.",
    ]


def test_an_unknown_father_is_not_mentioned() -> None:
    alone = {name: value for name, value in WHOLE.items() if not name.startswith("father")}
    text = act_text(alone | {"declarant_name": "Marie Mbuyi Kapinga", "declarant_relation": "mère"}, HEAD)
    assert "père" not in text
    assert "inconnu" not in text
    assert "L'enfant a pour mère Marie Mbuyi Kapinga, âgée d'environ vingt-huit ans" in text


def test_a_late_act_names_the_judgment_and_the_day_it_was_declared() -> None:
    judgment = {
        "court": "Tribunal pour enfants de Kinshasa/Matete",
        "number": "RCE 1204",
        "date": "2026-06-30",
    }
    late = {
        "nom": "Ilunga", "sex": "M", "birth_date": "2015", "birth_precision": "year", "mode": "judgment",
        "declared_on": "2026-03-02", "paper": "judgment",
    }  # fmt: skip
    head = Head(
        drawn=HEAD.drawn, commune="Kintambo", office="CD-KN-017-01", year=2026, volume="2", number=7,
        officer="Prosper Ilunga", capacity="bourgmestre", judgment=judgment,
    )  # fmt: skip
    paragraphs = act_text(late, head).split("\n")
    assert paragraphs[0] == "Acte de naissance n° 7 de l'année 2026, volume 2"
    assert "nous, Prosper Ilunga, bourgmestre de la commune de Kintambo" in paragraphs[1]
    assert paragraphs[2:] == [
        "Il est dressé en exécution du jugement n° RCE 1204, rendu le trentième jour du mois de juin de l'an deux "
        "mille vingt-six par : Tribunal pour enfants de Kinshasa/Matete.",
        "Il nous a été déclaré ce qui suit.",
        "Au cours de l'an deux mille quinze, est né un enfant de sexe masculin, à qui est donné le nom de : Ilunga.",
        "La déclaration a été reçue le deuxième jour du mois de mars de l'an deux mille vingt-six.",
        "Pièce produite : jugement.",
        "Après lecture, l'acte est signé par nous.",
    ]


def test_twins_have_their_rank_and_a_foundling_is_told_as_found() -> None:
    twin = {"nom": "Mbuyi", "sex": "F", "birth_date": "2026-09-10", "multiple": "twin", "order": 1}
    assert body(twin)[1] == (
        "Le dixième jour du mois de septembre de l'an deux mille vingt-six, est née une enfant de sexe féminin, à qui "
        "est donné le nom de : Mbuyi, première enfant d'une naissance gémellaire."
    )
    assert body(twin | {"sex": "M", "order": 3, "multiple": "triplet"})[1].endswith(
        "Mbuyi, troisième enfant d'une naissance triple."
    )
    found = {
        "nom": "Dieudonné", "sex": "M", "birth_date": "2026-08", "birth_precision": "estimated",
        "birth_words": "trouvé près du marché, quelques semaines, un pagne bleu",
        "birth_place": "marché de Kintambo", "declarant_name": "Awa Ngoy",
    }  # fmt: skip
    assert body(found)[:2] == [
        "Awa Ngoy nous a déclaré ce qui suit.",
        "Vers le mois d'août de l'an deux mille vingt-six (selon la déclaration : « trouvé près du marché, quelques "
        "semaines, un pagne bleu »), a été trouvé, au lieu suivant : marché de Kintambo, un enfant de sexe masculin, à "
        "qui est donné le nom de : Dieudonné.",
    ]


def test_each_mode_says_by_which_paper_the_birth_is_known() -> None:
    by = {
        "procuration": "au moyen d'une procuration écrite, nous a déclaré",
        "transcription": "présentant pour transcription un acte dressé à l'étranger, nous a déclaré",
    }
    for mode, said in by.items():
        assert said in body(WHOLE | {"mode": mode})[0]
    papers = {
        "home_report": "Pièce produite : rapport de naissance à domicile signé par le chef de quartier (CN 0412/2026).",
        "journey_report": "Pièce produite : rapport de naissance dressé en voyage (CN 0412/2026).",
    }
    for paper, told in papers.items():
        assert told in body(WHOLE | {"paper": paper})


def test_a_draft_leaves_room_for_the_number_and_the_officer() -> None:
    draft = Head(drawn=HEAD.drawn, commune="Kintambo", office="CD-KN-017-01", year=2026, volume="2")
    first, second = act_text(WHOLE, draft).split("\n")[:2]
    assert first == "Acte de naissance n° ……… de l'année 2026, volume 2"
    assert ", nous, ………, officier de l'état civil de la commune de Kintambo," in second


def test_what_is_not_known_is_left_out_and_nothing_breaks() -> None:
    assert body({"nom": "Mbuyi"}) == [
        "Il nous a été déclaré ce qui suit.",
        "À une date qui n'est pas connue, est né un enfant, à qui est donné le nom de : Mbuyi.",
        "Après lecture, l'acte est signé par nous.",
    ]
    strange = {
        "nom": "Mbuyi",
        "witnesses": [{"nom": 1}, "Paul"],
        "birth_date": "1998",
        "birth_precision": "unknown",
    }
    assert "Témoin : Paul." in body(strange)
    french = body(WHOLE | {"language": "Français", "interpreter": None})
    assert french[-1].startswith("Après lecture, l'acte")


def test_whatever_a_tablet_may_write_the_text_of_the_act_is_written() -> None:
    strange: list[tuple[dict[str, Any], str]] = [
        ({"birth_date": "2026", "birth_precision": "day"}, "Au cours de l'an deux mille vingt-six, est né"),
        ({"birth_date": "2026-01-10", "birth_time": "04:30:15"}, "à quatre heures trente minutes, est né"),
        ({"declared_on": "2026-01"}, "La déclaration a été reçue 2026-01."),
        ({"multiple": "twin", "order": 2.0}, "deuxième enfant d'une naissance gémellaire"),
        ({"multiple": "more", "order": 10**15}, "Mbuyi, d'une naissance multiple."),
        ({"mother_name": "Marie", "mother_birth_date": "2027"}, "âgée d'environ zéro an."),
    ]
    for values, told in strange:
        assert told in act_text({"nom": "Mbuyi", **values}, HEAD), values
    (forged,) = (line for line in body({"nom": "Mbuyi\nActe\u2028n° 7"}) if "Mbuyi" in line)
    assert forged.endswith("à qui est donné le nom de : Mbuyi Acte n° 7.")
    for witnesses in (7, "Paul", {"un": "deux"}, [], [None, 3]):
        assert "moin" not in act_text({"nom": "Mbuyi", "witnesses": witnesses}, HEAD)


def test_a_reading_in_another_language_is_told() -> None:
    head = Head(
        drawn=HEAD.drawn, commune="Kintambo", office="CD-KN-017-01", year=2026, volume="2", language="kikongo"
    )
    told = body({"nom": "Mbuyi", "language": "lingala"}, head)[-1]
    assert told == "Après lecture et explication en langue kikongo, l'acte est signé par nous."


# -- words read back ----------------------------------------------------------------------------------------------

SAID = {
    "un": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "six": 6, "sept": 7, "huit": 8, "neuf": 9, "dix": 10,
    "onze": 11, "douze": 12, "treize": 13, "quatorze": 14, "quinze": 15, "seize": 16, "vingt": 20, "trente": 30,
    "quarante": 40, "cinquante": 50, "soixante": 60, "septante": 70, "nonante": 90,
}  # fmt: skip
RANKS = {
    "premier": 1, "deuxième": 2, "troisième": 3, "quatrième": 4, "cinquième": 5, "sixième": 6, "septième": 7,
    "huitième": 8, "neuvième": 9, "dixième": 10, "onzième": 11, "douzième": 12, "treizième": 13, "quatorzième": 14,
    "quinzième": 15, "seizième": 16, "dix-septième": 17, "dix-huitième": 18, "dix-neuvième": 19, "vingtième": 20,
    "vingt et unième": 21, "vingt-deuxième": 22, "vingt-troisième": 23, "vingt-quatrième": 24, "vingt-cinquième": 25,
    "vingt-sixième": 26, "vingt-septième": 27, "vingt-huitième": 28, "vingt-neuvième": 29, "trentième": 30,
    "trente et unième": 31,
}  # fmt: skip
IN_THE_YEAR = (
    *("de janvier", "de février", "de mars", "d'avril", "de mai", "de juin"),
    *("de juillet", "d'août", "de septembre", "d'octobre", "de novembre", "de décembre"),
)


def read_number(words: str) -> int:
    """The number that words like "mil neuf cent quatre-vingt-dix…" mean, read from left to right."""
    whole = part = 0
    for word in re.split("[ -]", words.replace(" et ", " ").replace("quatre-vingt", "huitante")):
        if word in {"mil", "mille"}:
            whole, part = (part or 1) * 1000, 0
        elif word in {"cent", "cents"}:
            part = (part or 1) * 100
        else:
            part += 80 if word in {"huitante", "huitantes"} else SAID[word]
    return whole + part


def read_day(words: str) -> date:
    """The day that the words of an act mean."""
    found = re.fullmatch(r"le (.+) jour du mois (d.+) de l'an (.+)", words)
    assert found is not None, words
    return date(read_number(found[3]), IN_THE_YEAR.index(found[2]) + 1, RANKS[found[1]])


def test_every_date_from_1850_to_2100_reads_back_to_itself() -> None:
    day, last, seen = date(1850, 1, 1), date(2100, 12, 31), set()
    while day <= last:
        words = day_words(day)
        assert read_day(words) == day, words
        seen.add(words)
        day += timedelta(days=1)
    assert len(seen) == (last - date(1850, 1, 1)).days + 1


def test_every_hour_of_a_day_reads_back_to_itself() -> None:
    for minute in range(24 * 60):
        words = hour_words(*divmod(minute, 60))
        found = re.fullmatch(r"(.+?) heures?(?: (.+) minutes?)?", words)
        assert found is not None
        hour, rest = (
            0 if part in {None, "zéro"} else read_number(re.sub(r"\bune\b", "un", part))
            for part in found.groups()
        )
        assert (hour, rest) == divmod(minute, 60), words


def test_the_hour_written_is_that_of_the_moment_given() -> None:
    head = Head(drawn=datetime(2026, 1, 1, 0, 1, tzinfo=UTC), commune="K", office="o", year=2026, volume="1")
    assert "le premier jour du mois de janvier, à zéro heure une minute," in act_text({"nom": "X"}, head)
