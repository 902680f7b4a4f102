"""Registers typed into a spreadsheet enter the register: every wrong cell is named, nothing is counted twice, and what
was killed in the middle goes on."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pytest

from app.civil.takeover import entering
from app.civil.takeover.entering import enter
from app.civil.takeover.receiving import plan_for, receive
from app.demo import births, spreadsheets
from tests.civil.conftest import Headers, rows
from tests.nodes import TestNode

HEADINGS = (
    "Bureau",
    "Année du registre",
    "Volume",
    "N° acte",
    "Date de l'acte",
    "Nom",
    "Sexe",
    "Date de naissance",
)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def line(number: int, **changes: str) -> dict[str, str]:
    """One row as a clerk types it: an act of 30 June 2011."""
    typed = ("CD-KN-017-01", "2011", "1", str(number), "30/06/2011", "Ilunga", "garçon", "01/06/2011")
    return dict(zip(HEADINGS, typed, strict=True)) | changes


def table(*lines: dict[str, str], encoding: str = "utf-8-sig", separator: str = ";") -> bytes:
    text = io.StringIO()
    headings = list(dict.fromkeys(name for each in lines for name in each))
    writer = csv.DictWriter(text, headings, delimiter=separator, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode(encoding)


def bring(node: TestNode, headers: Headers, body: bytes, **asked: Any) -> httpx.Response:
    kind = XLSX if body.startswith(b"PK") else "text/csv"
    params = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in asked.items()}
    return node.client.post(
        "/v1/imports", content=body, headers=headers | {"Content-Type": kind}, params=params
    )


def brought(node: TestNode, headers: Headers, body: bytes, **asked: Any) -> dict[str, Any]:
    answer = bring(node, headers, body, **asked)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def run(node: TestNode, headers: Headers, identity: str, **body: Any) -> dict[str, Any]:
    answer = node.client.post(f"/v1/imports/{identity}/run", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def counts(found: dict[str, Any]) -> tuple[str, int, int, int, int]:
    """(state, entered, known, wrong, waiting)."""
    return found["state"], found["entered"], found["known"], found["wrong"], found["waiting"]


def test_a_clerk_brings_a_book_and_the_registrar_lets_it_in(
    kintambo: TestNode, clerk: Headers, registrar: Headers
) -> None:
    late = {
        "Date de naissance": "2005",
        "Tribunal": "Tripaix",
        "N° du jugement": "12",
        "Date du jugement": "1/6/2011",
    }
    read = brought(kintambo, clerk, table(line(17), line(18, Sexe="F", **late)), name="registre-2011.csv")
    assert counts(read) == ("checked", 0, 0, 0, 2)
    assert (read["encoding"], read["name"]) == ("UTF-8 (BOM)", "registre-2011.csv")
    assert rows(kintambo, "act") == []
    done = run(kintambo, registrar, read["id"])
    assert counts(done) == ("done", 2, 0, 0, 0)
    assert done["delays"] == {"in_delay": 1, "out_of_delay": 1, "undetermined": 0}
    acts = {act["number"]: act for act in rows(kintambo, "act")}
    assert (acts[17]["year"], acts[17]["registered_on"], acts[17]["delay"]) == (
        2011,
        "2011-06-30",
        "in_delay",
    )
    assert (acts[18]["birth_date"], acts[18]["judgment_date"], acts[18]["delay"]) == (
        "2005",
        "2011-06-01",
        "out_of_delay",
    )
    assert json.loads(acts[17]["facts"])["keyed_by"] == ["Clerk1"]
    assert acts[17]["provenance"] == "reprise"


def test_a_clerk_alone_lets_no_act_in(kintambo: TestNode, clerk: Headers) -> None:
    read = brought(kintambo, clerk, table(line(1)))
    answer = kintambo.client.post(f"/v1/imports/{read['id']}/run", json={}, headers=clerk)
    assert (answer.status_code, answer.json()["code"]) == (403, "role_forbidden")


def test_every_wrong_cell_is_named_as_the_spreadsheet_shows_it(
    kintambo: TestNode, registrar: Headers
) -> None:
    body = table(
        line(1),
        line(2, Sexe="X"),
        line(3, **{"Date de naissance": "31/02/2011"}),
        line(1),
        line(5, **{"Date de l'acte": "30/06/2012"}),
        line(6, **{"N° acte": ""}),
        line(7, **{"Date de naissance": "01/07/2011"}),
        line(8, Bureau="CD-KN-008-01"),
    )
    read = brought(kintambo, registrar, body)
    assert counts(read) == ("checked", 0, 0, 7, 1)
    assert [(e["row"], e["heading"], e["found"], e["expected"]) for e in read["errors"]] == [
        (3, "Sexe", "X", "F ou M"),
        (4, "Date de naissance", "31/02/2011", "une date qui existe dans le calendrier (JJ/MM/AAAA)"),
        (5, "N° acte", "1", "un numéro qui n'est pas déjà à la ligne 2"),
        (6, "Année du registre", "2011", "L'acte est daté de 2012, non de 2011."),
        (7, "N° acte", "", "Champ obligatoire."),
        (8, "Date de naissance", "01/07/2011", "La naissance est postérieure à la déclaration."),
        (9, "Bureau", "CD-KN-008-01", "Ce bureau relève d'une autre commune que la vôtre."),
    ]
    assert read["errors"][0]["message"] == "Ligne 3, colonne « Sexe » : trouvé « X » ; attendu : F ou M."


def test_the_right_lines_wait_until_the_wrong_ones_are_corrected_or_left_aside(
    kintambo: TestNode, registrar: Headers
) -> None:
    wrong = table(line(1), line(2, Sexe="X"))
    read = brought(kintambo, registrar, wrong)
    refused = kintambo.client.post(f"/v1/imports/{read['id']}/run", json={}, headers=registrar)
    assert (refused.status_code, refused.json()["code"]) == (409, "import_wrong")
    assert rows(kintambo, "act") == []
    assert counts(run(kintambo, registrar, read["id"], skip_wrong=True)) == ("done", 1, 0, 1, 0)
    corrected = brought(kintambo, registrar, table(line(1), line(2, Sexe="fille")))
    assert counts(corrected) == ("checked", 0, 1, 0, 1)
    assert counts(run(kintambo, registrar, corrected["id"])) == ("done", 1, 1, 0, 0)


def test_the_same_book_brought_twice_doubles_nothing_in_any_form(
    kintambo: TestNode, registrar: Headers
) -> None:
    lines = [line(1, Nom="Élysée"), line(2, **{"Date de naissance": "06/2011"})]
    forms = [table(*lines), table(*lines, encoding="cp1252", separator=","), table(*lines, encoding="utf-8")]
    first = brought(kintambo, registrar, forms[0])
    run(kintambo, registrar, first["id"])
    again = brought(kintambo, registrar, forms[0])
    assert (again["id"], counts(again)) == (first["id"], ("checked", 0, 2, 0, 0))
    encodings = []
    for form in forms[1:]:
        read = brought(kintambo, registrar, form)
        encodings.append(read["encoding"])
        assert counts(run(kintambo, registrar, read["id"])) == ("done", 0, 2, 0, 0)
    assert encodings == ["Windows-1252", "UTF-8"]
    assert len(rows(kintambo, "act")) == len(rows(kintambo, "birth")) == 2


def test_a_number_that_stands_with_another_child_is_an_error_with_both_values(
    kintambo: TestNode, registrar: Headers
) -> None:
    run(kintambo, registrar, brought(kintambo, registrar, table(line(1)))["id"])
    read = brought(kintambo, registrar, table(line(1, Nom="Ilonga"), line(2)))
    (error,) = read["errors"]
    assert (error["row"], error["heading"], error["found"]) == (2, "Nom", "Ilonga")
    assert error["expected"] == "« Ilunga », que dit l'acte inscrit sous ce numéro"
    run(kintambo, registrar, read["id"], skip_wrong=True)
    assert {act["number"]: act["nom"] for act in rows(kintambo, "act")} == {1: "Ilunga", 2: "Ilunga"}


def test_a_killed_run_goes_on_where_it_stood(kintambo: TestNode, monkeypatch: pytest.MonkeyPatch) -> None:
    officer = _registrar(kintambo)
    body = table(*(line(n) for n in range(1, 31)))
    monkeypatch.setattr("app.civil.takeover.receiving.CHUNK", 10)
    door, database = kintambo.door, kintambo.database
    plan = plan_for(body, None, sheet=None)
    file = receive(database, door, officer=officer, content=body, name="livre", plan=plan)

    def power_cut(done: int, _total: int | None) -> None:
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enter(database, door, officer=officer, file=file, skip_wrong=False, told=power_cut)
    assert len(rows(kintambo, "act")) == 20
    assert receive(database, door, officer=officer, content=body, name="livre", plan=plan) == file
    enter(database, door, officer=officer, file=file, skip_wrong=False)
    assert sorted(act["number"] for act in rows(kintambo, "act")) == list(range(1, 31))


def _registrar(node: TestNode) -> Any:
    from app.access.officers import Officer

    identity, username = node.add_officer("registrar")
    return Officer(identity, username, "Officier", "registrar", "CD-KN-017")


def test_a_portion_of_a_long_file_enters_at_a_time(
    kintambo: TestNode, registrar: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.civil.takeover.receiving.CHUNK", 2)
    monkeypatch.setattr("app.civil.takeover.endpoints.PORTION_SECONDS", 0.0)
    monkeypatch.setattr(entering, "PAUSE", 0.0)
    read = brought(kintambo, registrar, table(*(line(n) for n in range(1, 6))))
    states = [counts(run(kintambo, registrar, read["id"]))[:2] for _ in range(4)]
    assert states == [("entering", 2), ("entering", 4), ("done", 5), ("done", 5)]


def test_a_mapping_says_what_the_headings_do_not(kintambo: TestNode, registrar: Headers) -> None:
    body = "Num;Enfant;G;Jour;Remarques\n7;Mbuyi;gars;3 mars 2011;rien\n".replace(
        "3 mars 2011", "3/3/2011"
    ).encode()
    refused = bring(kintambo, registrar, body)
    assert (refused.status_code, refused.json()["code"]) == (422, "mapping_invalid")
    fault = {"field": "Remarques", "message": "la colonne « Remarques » n'a pas de champ"}
    assert fault in refused.json()["errors"]
    columns = {
        "Num": "number", "Enfant": "nom", "G": {"field": "sex", "values": {"Gars": "M"}}, "Jour": "registered_on",
        "Remarques": None,
    }  # fmt: skip
    constants = {"office": "CD-KN-017-01", "year": 2011, "volume": "I", "mode": "directe"}
    read = brought(kintambo, registrar, body, mapping={"columns": columns, "constants": constants})
    run(kintambo, registrar, read["id"])
    (act,) = rows(kintambo, "act")
    assert (act["nom"], act["sex"], act["volume"], act["mode"]) == ("Mbuyi", "M", "I", "direct")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "file_unreadable"),
        (b"\x81\x8d\xff", "file_unreadable"),
        (b'Nom;Sexe\n"a;b', "file_unreadable"),
        (b"PK\x03\x04 nothing", "file_unreadable"),
        (b";".join(b"c%d" % n for n in range(100)), "too_large"),
    ],
)
def test_a_file_nobody_can_read_is_refused(
    kintambo: TestNode, registrar: Headers, body: bytes, code: str
) -> None:
    answer = bring(kintambo, registrar, body)
    assert answer.status_code in (413, 422), answer.text
    assert answer.json()["code"] == code


def test_a_workbook_enters_word_for_word_as_the_table_does(kintambo: TestNode, registrar: Headers) -> None:
    acts = [act | {"office": "CD-KN-017-01", "commune": "CD-KN-017"} for act in list(births.lines(3, 0.0005))]
    read = brought(kintambo, registrar, spreadsheets.workbook(acts), sheet="Registres")
    assert counts(run(kintambo, registrar, read["id"])) == ("done", len(acts), 0, 0, 0)
    other = brought(kintambo, registrar, spreadsheets.csv_file(acts))
    assert counts(other) == ("checked", 0, len(acts), 0, 0)
    unknown = bring(kintambo, registrar, spreadsheets.workbook(acts), sheet="Feuil9")
    assert (unknown.status_code, unknown.json()["code"]) == (422, "sheet_unknown")


def test_the_files_of_another_commune_are_nobodys_here(kintambo: TestNode, registrar: Headers) -> None:
    read = brought(kintambo, registrar, table(line(1)))
    stranger = kintambo.officer("registrar", "CD-KN-008")
    assert kintambo.client.get("/v1/imports", headers=stranger).json()["items"] == []
    answer = kintambo.client.get(f"/v1/imports/{read['id']}", headers=stranger)
    assert (answer.status_code, answer.json()["code"]) == (403, "other_commune")
    own = kintambo.client.get("/v1/imports", headers=registrar).json()["items"]
    assert [each["id"] for each in own] == [read["id"]]


def test_errors_come_page_by_page(kintambo: TestNode, registrar: Headers) -> None:
    read = brought(kintambo, registrar, table(*(line(n, Sexe="X") for n in range(1, 8))))
    seen, cursor = [], None
    while True:
        params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = kintambo.client.get(f"/v1/imports/{read['id']}", headers=registrar, params=params).json()
        seen += [error["row"] for error in page["errors"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == list(range(2, 9))
