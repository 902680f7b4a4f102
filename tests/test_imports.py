"""`mboka import acts` as an operator types it: a mapping proposed, a file read, corrected, and taken over once."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app import cli
from app.demo import births, spreadsheets

Said = Callable[..., tuple[int, str]]
HEADINGS = "Année du registre;Volume;N° acte;Date de l'acte;Nom;Sexe;Observations\n"
COLUMNS = {
    "Année du registre": "year", "Volume": "volume", "N° acte": "number", "Date de l'acte": "registered_on",
    "Nom": "nom", "Sexe": "sex", "Observations": None,
}  # fmt: skip


@pytest.fixture
def mboka(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """`mboka(*words)`: its exit code and all it said."""
    monkeypatch.setenv("COLUMNS", "80")

    def said(*words: str | Path, typed: str = "") -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mboka", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as left:
            cli.main()
        captured = capsys.readouterr()
        return int(left.value.code or 0), captured.out + captured.err

    return said


@pytest.fixture
def node(tmp_path: Path, mboka: Said) -> tuple[str, ...]:
    """Options of a node of Kintambo with a registrar and a clerk."""
    data = tmp_path / "node"
    assert mboka("init", "--data", data, "--kind", "commune", "--commune", "CD-KN-017")[0] == 0
    for username, role in (("officier", "registrar"), ("preposee", "clerk")):
        words = ("officer", "add", username, "--data", data, "--role", role, "--password-stdin")
        assert mboka(*words, typed="trois manguiers au marché\n")[0] == 0
    return ("--data", str(data), "--officer", "officier")


def test_a_book_with_headings_of_its_own_is_read_corrected_and_taken_over(
    tmp_path: Path, node: tuple[str, ...], mboka: Said
) -> None:
    book, mapping = tmp_path / "livre.csv", tmp_path / "correspondance.json"
    book.write_bytes(
        (HEADINGS + "2011;1;1;02/03/2011;MBUYI;M;\n2011;1;2;31/02/2011;NZUZI;F;taché\n").encode("cp1252")
    )
    code, text = mboka("import", "acts", book, "--suggest")
    assert (code, "Observations" in text, "office" in text) == (0, True, True)
    mapping.write_text(
        json.dumps({"columns": COLUMNS, "constants": {"office": "CD-KN-017-01"}}), encoding="utf-8"
    )
    code, text = mboka("import", "acts", book, *node)
    assert (code, "mapping_invalid" in text) == (1, True), text
    code, text = mboka("import", "acts", book, *node, "--mapping", mapping, "--dry-run")
    assert code == 1
    assert (
        "Ligne 3, colonne « Date de l'acte » : trouvé « 31/02/2011 » ; attendu : une date qui existe" in text
    )
    assert "Windows-1252" in text
    assert "Rien n'a été inscrit." in text
    book.write_text(
        HEADINGS + "2011;1;1;02/03/2011;MBUYI;M;\n2011;1;2;28/02/2011;NZUZI;F;taché\n", encoding="utf-8"
    )
    for entered, known in ((2, 0), (0, 2)):
        code, text = mboka("import", "acts", book, *node, "--mapping", mapping, "--json")
        found = json.loads(text[text.index("{") :])
        assert (code, found["state"], found["entered"], found["known"]) == (0, "done", entered, known)


def test_a_workbook_needs_no_mapping_where_its_headings_speak(
    tmp_path: Path, node: tuple[str, ...], mboka: Said
) -> None:
    acts = [act | {"office": "CD-KN-017-01", "commune": "CD-KN-017"} for act in births.lines(3, 0.001)]
    book = tmp_path / "livre.xlsx"
    book.write_bytes(spreadsheets.workbook(acts))
    code, text = mboka("import", "acts", book, *node, "--dry-run")
    assert (code, f"{len(acts)} en attente" in text) == (0, True), text
    code, text = mboka("import", "acts", book, *node)
    assert (code, f"{len(acts)} inscrites" in text) == (0, True), text


def test_only_a_registrar_takes_acts_over(tmp_path: Path, node: tuple[str, ...], mboka: Said) -> None:
    book = tmp_path / "livre.csv"
    book.write_text("N° acte;Nom\n1;MBUYI\n", encoding="utf-8")
    code, text = mboka("import", "acts", book, *node[:3], "preposee")
    assert (code, "role_forbidden" in text) == (1, True), text
    code, text = mboka("import", "acts", book)
    assert (code, "--officer" in text) == (1, True), text
