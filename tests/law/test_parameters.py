"""A jurist's files: what is read, what is refused and how it is told, and the law as shipped."""

from __future__ import annotations

from datetime import date

import pytest

from app.law.parameters import LawError, read_law, read_topic
from app.law.topics import TOPICS

FEES = "code,in_force_from,in_force_to,amount,currency,source,status\n"
SHEETS = "in_force_from,in_force_to,sheets,source,status\n"
BY_FILE = {topic.file: topic for topic in TOPICS}


def test_a_jurist_changes_a_value_from_a_day_on_without_touching_the_rest() -> None:
    law = read_law(
        {
            "register_sheets.csv": SHEETS
            + "1988-08-01,2026-12-31,534,usage,unverified\n2027-01-01,,250,arrêté 12,verified\n"
        }
    )
    before, after = (law.one("register_sheets", day) for day in (date(2026, 12, 31), date(2027, 1, 1)))
    assert before is not None
    assert after is not None
    assert (before.whole("sheets"), after.whole("sheets")) == (534, 250)
    assert (after.status, after.source) == ("verified", "arrêté 12")
    assert len(law.all("delay")) == 3


REFUSED: list[tuple[str, str, str]] = [
    ("fees.csv", "", "fees.csv, ligne 1 : la colonne « in_force_from » manque"),
    ("fees.csv", "code,amount\n", "fees.csv, ligne 1 : la colonne « in_force_from » manque"),
    ("fees.csv", FEES.replace("currency", "monnaie"), "la colonne « currency » manque"),
    ("fees.csv", FEES.replace("status", "status,prix"), "la colonne « prix » est inconnue ou répétée"),
    ("fees.csv", FEES.replace("status", "status,status"), "la colonne « status » est inconnue ou répétée"),
    ("fees.csv", FEES + "in_delay,,,0,CDF,usage\n", "fees.csv, ligne 2 : 6 colonnes au lieu de 7"),
    ("fees.csv", FEES + "in_delay,,,0,CDF,usage,sûr\n", "« status » est verified ou unverified"),
    ("fees.csv", FEES + ",,,0,CDF,usage,verified\n", "« code » est vide"),
    ("fees.csv", FEES + "in_delay,,,-1,CDF,usage,verified\n", "« amount » n'est pas un nombre entier"),
    ("fees.csv", FEES + "in_delay,,,１,CDF,usage,verified\n", "« amount » n'est pas un nombre entier"),
    ("fees.csv", FEES + "in_delay,2026-02-30,,0,CDF,u,verified\n", "« in_force_from » n'est pas une date"),
    ("fees.csv", FEES + "a,2026-02-01,2026-01-31,0,,u,verified\n", "la fin (2026-01-31) précède le début"),
    (
        "fees.csv",
        FEES + "b,,,0,,u,verified\n\na,2026-01-01,,0,,u,verified\na,,2026-01-01,1,,u,verified\n",
        "fees.csv, ligne 4 : deux valeurs sont en vigueur le 2026-01-01 pour « a »",
    ),
    ("fees.csv", FEES + 'a,"', "fees.csv : ce fichier n'est pas un CSV"),
    ("register_sheets.csv", SHEETS + ",,,u,verified\n", "« sheets » est vide (nombre de feuillets)"),
    (
        "numbering.csv",
        "in_force_from,in_force_to,numbering,source,status\n,,par an,u,verified\n",
        "per_volume",
    ),
    ("frais.csv", FEES, "frais.csv : aucun fichier de la loi ne porte ce nom"),
]


@pytest.mark.parametrize(("name", "text", "told"), REFUSED)
def test_a_file_that_cannot_be_applied_is_refused_with_its_name_and_line(
    name: str, text: str, told: str
) -> None:
    with pytest.raises(LawError) as refused:
        read_law({name: text})
    assert told in str(refused.value)
    assert str(refused.value).startswith(name)


def test_a_spreadsheet_may_put_its_mark_before_the_heading_and_leave_lines_empty() -> None:
    found = read_topic(
        BY_FILE["fees.csv"], "\ufeff" + FEES.replace(",", " ,") + "\n,,,,,,\nin_delay,,,0,CDF,u,verified\n"
    )
    assert [(each.code, each.whole("amount"), each.in_force_from) for each in found] == [
        ("in_delay", 0, None)
    ]


def test_everything_shipped_says_where_it_comes_from_and_doubt_is_marked() -> None:
    law = read_law()
    for topic in TOPICS:
        assert law.all(topic.name), topic.name
        assert law.on(topic.name, date(2026, 2, 2)), topic.name
    assert all(each.source for each in law.parameters)
    assert {each.status for each in law.parameters} == {"verified", "unverified"}
    # What the description of the domain calls unverified may not be sold as certain.
    for topic_name in ("delay", "register_sheets", "numbering", "before_code", "lifeless", "campaigns"):
        assert {each.status for each in law.all(topic_name)} == {"unverified"}, topic_name
