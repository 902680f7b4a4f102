"""Files that are no register, on purpose or by accident: each is refused in French and none breaks the server."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from app.civil.takeover import reading
from app.civil.takeover.mapping import read_mapping
from app.demo import births, spreadsheets
from tests.civil.conftest import Headers, rows
from tests.civil.test_takeover import HEADINGS, bring, brought, counts, line, table
from tests.nodes import TestNode


def altered(body: bytes, part: str, content: bytes) -> bytes:
    """A workbook with another content in one of its parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, content if name == part else old.read(name))
    return out.getvalue()


@pytest.fixture(scope="module")
def workbook() -> bytes:
    return spreadsheets.workbook(births.lines(3, 0.001))


SHEET = "xl/worksheets/sheet1.xml"
SHEETS = {
    "a cell in a far corner": (
        b'<sheetData><row r="1"><c r="XFD1048576"><v>1</v></c></row></sheetData>',
        "too_large",
    ),
    "a cell that is nowhere": (b"<sheetData><row><c><v>1</v></c></row></sheetData>", "file_unreadable"),
    "NUL": (b'<sheetData>\x00<row r="1"/></sheetData>', "file_unreadable"),
    "broken": (b"<sheetData><row", "file_unreadable"),
    "empty": (b"<worksheet><sheetData></sheetData></worksheet>", "file_unreadable"),
}


@pytest.mark.parametrize("name", SHEETS)
def test_a_workbook_made_to_fill_the_memory_is_refused(
    kintambo: TestNode, registrar: Headers, workbook: bytes, name: str
) -> None:
    content, code = SHEETS[name]
    answer = bring(kintambo, registrar, altered(workbook, SHEET, content))
    assert answer.status_code in (413, 422), answer.text
    assert answer.json()["code"] == code


def test_a_compressed_bomb_is_refused_before_it_is_inflated(
    kintambo: TestNode, registrar: Headers, workbook: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_INFLATED", 1 << 20)
    bomb = bytearray(altered(workbook, SHEET, b" " * (4 << 20)))
    with zipfile.ZipFile(io.BytesIO(bytes(bomb))) as archive:
        member = archive.getinfo(SHEET)
    size = member.file_size.to_bytes(4, "little")
    lied = bytes(bomb).replace(size, (100).to_bytes(4, "little"))
    for body in (bytes(bomb), lied):
        answer = bring(kintambo, registrar, body)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_any_letters_in_any_cell_are_told_and_stored_as_what_can_be_read(
    kintambo: TestNode, registrar: Headers
) -> None:
    strange = ("a\x00b", "\u202eabc", "=1+1", "\x7f", "x" * 5000, "٣", "\ufeff")
    body = table(*(line(n, **{name: value}) for n, (name, value) in enumerate(
        ((name, value) for name in HEADINGS for value in strange), 1
    )), encoding="utf-8")  # fmt: skip
    read = brought(kintambo, registrar, body)
    assert read["wrong"] > 40
    assert all(error["found"].isprintable() for error in read["errors"])
    assert rows(kintambo, "act") == []


@pytest.mark.parametrize(
    "mapping",
    [
        "{", "[]", '{"columns": []}', '{"columns": {"Nom": 1}}', '{"columns": {"Nom": "inconnu"}}', "colonne",
        '{"columns": {"\\ud800": "nom"}}', '{"columns": {"Nom": {"field": "nom", "x": 1}}}', '{"x": 1}',
        '{"constants": {"office": "\\u0000"}}', '{"constants": {"office": null}}', "[" * 9000, "null",
        '{"columns": {"Nom": {"values": {"a": "b"}}}}', '{"columns": {}, "constants": {"number": true}}',
    ],
)  # fmt: skip
def test_a_mapping_that_says_nothing_is_refused(kintambo: TestNode, registrar: Headers, mapping: str) -> None:
    answer = bring(kintambo, registrar, table(line(1)), mapping=mapping)
    assert (answer.status_code, answer.json()["code"]) == (422, "mapping_invalid"), answer.text


def test_a_mapping_may_be_a_table_too(kintambo: TestNode, registrar: Headers) -> None:
    text = "colonne;champ;valeurs;constante\nNuméro;number;;\nG;sex;gars=M|autre=F;\nObs;;;\n;nom;;Ilunga\n"
    text += ";office;;CD-KN-017-01\n;year;;2011\n;volume;;1\n;registered_on;;30/06/2011\n"
    plan = read_mapping(text)
    assert plan.shown()["columns"] == {
        "Numéro": "number", "G": {"field": "sex", "values": {"gars": "M", "autre": "F"}}, "Obs": None,
    }  # fmt: skip
    assert read_mapping(plan.text()) == plan
    read = brought(kintambo, registrar, "Numéro;G;Obs\n3;Gars;rien\n".encode(), mapping=plan.shown())
    assert counts(read) == ("checked", 0, 0, 0, 1)


def test_an_unknown_import_or_keying_is_not_found(kintambo: TestNode, registrar: Headers) -> None:
    nobody = "1f0f4e0c-6a0e-4a0e-9d53-0f6c0b1c7a11"
    for name in (nobody, "x", "%F0%9F"):
        calls: list[tuple[str, str, Any]] = [
            ("GET", f"/v1/imports/{name}", None), ("POST", f"/v1/imports/{name}/run", {}),
            ("GET", f"/v1/keyings/{name}", None), ("GET", f"/v1/keyings/{name}/differences", None),
            ("POST", f"/v1/keyings/{name}/run", None),
        ]  # fmt: skip
        for method, path, body in calls:
            answer = kintambo.client.request(method, path, json=body, headers=registrar)
            assert answer.status_code == 404, (method, path, answer.text)
