"""The French file a planner opens in a spreadsheet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.statistics.exports import csv_wanted, write_csv
from app.statistics.figures import Figures
from tests.statistics.conftest import (
    KINTAMBO,
    Ask,
    Register,
    act,
    household,
    person,
    visit,
)
from tests.statistics.test_projector import SMALL

FIGURES = Figures(
    name="population",
    by=("quartier", "age_group"),
    counts=("persons",),
    rows=[{"quartier": "1017090", "age_group": "5-9", "persons": 7}],
    cutoff="2026-11-22T18:04:11.250Z",
    definition="Résidents.",
    filters={"commune": KINTAMBO},
)


def test_the_file_is_french_whole_and_says_what_it_is() -> None:
    names = replace(SMALL, version="3f9a", quartier_names={"1017090": "WENZE"})
    assert write_csv(FIGURES, names, fictitious=False) == (
        "\ufeffQuartier (code);Quartier (nom);Groupe d'âges;Personnes;Effectif masqué\r\n"
        "1017090;WENZE;5 à 9 ans;7;\r\n"
        "\r\n"
        "# Tableau;Population résidente\r\n"
        "# Définition;Résidents.\r\n"
        "# Données reçues jusqu'au;22/11/2026 à 19:04:11 (heure de Kinshasa)\r\n"
        "# Ventilations;quartier, age_group\r\n"
        "# Filtres;commune=CD-KN-017\r\n"
        "# Version du territoire;3f9a\r\n"
    )


@pytest.mark.parametrize("name", ["=1+2", "+1", "-1", "@SUM(A1)", "\tx"])
def test_a_name_never_becomes_a_formula(name: str) -> None:
    text = write_csv(FIGURES, replace(SMALL, quartier_names={"1017090": name}), fictitious=False)
    assert f"1017090;'{name};5 à 9 ans" in text


def test_rates_have_a_decimal_comma_and_unknown_places_a_word(ask: Ask, register: Register) -> None:
    register.add(household("commune:?"), visit("completed", "commune:?"), times=30)
    register.add(person("commune:?"), times=77)
    line = ask("census?format=csv").text.split("\r\n")[1]
    assert line == "inconnu;inconnu;30;77;30;0;0;0;0;2,566667;;"


def test_words_are_french_in_the_file(ask: Ask, register: Register) -> None:
    register.add(act(KINTAMBO, year=2011, delay="out_of_delay", sex="F", mode="judgment"), times=6)
    lines = ask("births?by=commune,delay,sex,mode,month&format=csv").text.split("\r\n")
    assert lines[1] == "CD-KN-017;Kintambo;hors délai;féminin;jugement;inconnu;6;"


def test_a_demonstration_says_so_in_every_row_in_its_name_and_in_json(ask: Ask, register: Register) -> None:
    register.add(act(year=2011), act(year=2012), times=6)
    answer = ask("births?by=year&format=csv", demo=True)
    lines = answer.content.decode("utf-8-sig").split("\r\n")
    assert lines[0].endswith(";Avertissement")
    assert lines[1:3] == ["2011;6;;DONNÉES FICTIVES", "2012;6;;DONNÉES FICTIVES"]
    assert "# Avertissement;DONNÉES FICTIVES" in lines
    assert "naissances-DONNEES-FICTIVES.csv" in answer.headers["content-disposition"]
    assert ask("births", demo=True).json()["notice"] == "DONNÉES FICTIVES"
    real = ask("births?format=csv")
    assert "FICTIVES" not in real.text + real.headers["content-disposition"]
    assert ask("births").json()["notice"] is None


def test_the_accept_header_chooses_the_form_and_format_overrules_it(ask: Ask) -> None:
    csv = ask("births", headers={"Accept": "text/csv"})
    assert csv.headers["content-type"].startswith("text/csv; charset=utf-8")
    assert csv.content.startswith(b"\xef\xbb\xbf")
    assert ask("births", headers={"Accept": "*/*"}).headers["content-type"] == "application/json"
    overruled = ask("births?format=json", headers={"Accept": "text/csv"})
    assert overruled.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("accept", "csv"),
    [
        ("text/csv", True),
        ("text/csv, */*;q=0.1", True),
        ("TEXT/CSV; q=0.9, application/json;q=0.5", True),
        ("application/json, text/csv;q=0.5", False),
        ("text/csv;q=0", False),
        ("text/csv;q=much", False),
        ("text/html,*/*", False),
        ("", False),
    ],
)
def test_the_wish_for_a_file_is_read_from_the_accept_header(accept: str, csv: bool) -> None:
    assert csv_wanted(accept, None) is csv
