"""The same report as a French CSV file, a workbook and printed pages, with the same figures in each."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime

import pytest
import python_calamine
from pypdf import PdfReader

from app.reports.forms import form_wanted
from app.reports.sheets import MEDIA, Report, write
from tests.nodes import TestNode
from tests.reports.conftest import COMMUNE, OFFICE, Headers, acts_of_january, key_in, open_book

AT = datetime(2026, 2, 2, 9, 0, 3, 123000, tzinfo=UTC)
REPORT = Report(
    title="Rapport d'été",
    about=[("Commune", "Kintambo"), ("Actes", 3)],
    columns=["Nom", "Jour", "Taux", "Actes"],
    rows=[["=1+1", date(2026, 1, 5), 0.25, 3], [None, None, None, 0]],
    notes=["Définition ; suite."],
)


def test_the_csv_is_french_and_runs_nothing() -> None:
    assert write(REPORT, "csv", at=AT).decode() == (
        "\ufeffNom;Jour;Taux;Actes\r\n"
        "'=1+1;05/01/2026;0,25;3\r\n"
        ";;;0\r\n"
        "\r\n"
        "# Tableau;Rapport d'été\r\n"
        "# Commune;Kintambo\r\n"
        "# Actes;3\r\n"
        '# Note;"Définition ; suite."\r\n'
    )
    assert REPORT.name == "rapport-d-ete"


def test_the_workbook_has_real_numbers_days_and_texts() -> None:
    book = python_calamine.CalamineWorkbook.from_object(io.BytesIO(write(REPORT, "xlsx", at=AT)))
    rows = book.get_sheet_by_name("Tableau").to_python()
    assert rows == [
        ["Nom", "Jour", "Taux", "Actes"], ["=1+1", date(2026, 1, 5), 0.25, 3.0], ["", "", "", 0.0],
    ]  # fmt: skip
    assert ["Commune", "Kintambo"] in book.get_sheet_by_name("À propos").to_python()


def test_the_pages_are_an_archive_pdf_with_the_same_words() -> None:
    made = write(REPORT, "pdf", at=AT)
    assert b"pdfaid:part" in made
    text = PdfReader(io.BytesIO(made)).pages[0].extract_text()
    assert "Rapport d" in text
    assert "=1+1" in text
    assert "0,25" in text
    assert "05/01/2026" in text


def test_a_demonstration_says_so_in_every_form(kintambo: TestNode) -> None:
    told = Report(title="T", about=[], columns=["A"], rows=[["x"]], fictitious=True)
    assert "DONNÉES FICTIVES" in write(told, "csv", at=AT).decode()
    assert "DONNÉES FICTIVES" in PdfReader(io.BytesIO(write(told, "pdf", at=AT))).pages[0].extract_text()
    book = python_calamine.CalamineWorkbook.from_object(io.BytesIO(write(told, "xlsx", at=AT)))
    assert "DONNÉES FICTIVES" in str(book.get_sheet_by_name("À propos").to_python())
    assert told.name == "t-DONNEES-FICTIVES"


@pytest.mark.parametrize("form", sorted(MEDIA))
def test_every_report_comes_in_every_form(kintambo: TestNode, clerk: Headers, form: str) -> None:
    key_in(kintambo, *acts_of_january())
    book = open_book(kintambo)
    for path in (
        f"/v1/reports/monthly?commune={COMMUNE}&month=2026-01",
        f"/v1/reports/index?office={OFFICE}&year=2026",
        f"/v1/reports/closing?book={book}",
    ):
        asked = kintambo.client.get(f"{path}&format={form}", headers=clerk)
        accepted = kintambo.client.get(path, headers=clerk | {"Accept": MEDIA[form]})
        assert asked.status_code == accepted.status_code == 200, asked.text
        for answer in (asked, accepted):
            assert answer.headers["content-type"].startswith(MEDIA[form])
            assert answer.headers["content-disposition"].endswith(f'.{form}"')
    refused = kintambo.client.get(f"{path}&format=odt", headers=clerk)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize(
    ("accept", "form", "wanted"),
    [
        ("", None, "json"),
        ("*/*", None, "json"),
        ("application/pdf", None, "pdf"),
        ("application/json, application/pdf;q=0.9", None, "json"),
        ("text/csv;q=0.8, application/pdf;q=0.9", None, "pdf"),
        ("application/pdf", "csv", "csv"),
        ("application/pdf;q=x", None, "json"),
    ],
)
def test_the_form_is_the_one_asked_for_else_the_one_most_wanted(
    accept: str, form: str | None, wanted: str
) -> None:
    assert form_wanted(accept, form, offered=MEDIA) == wanted
