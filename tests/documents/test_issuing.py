"""A paper is issued once: numbered, signed, kept for ever, and printed again the same, byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from zipfile import ZipFile

import pytest
import sqlalchemy as sa
from pypdf import PdfReader

from tests.civil.conftest import rows
from tests.conftest import TestClock
from tests.documents.conftest import BOOK, Headers, annul, note
from tests.nodes import TestNode

ActOf = Callable[..., tuple[str, str]]
EXTRACT = {"type": "extract", "purpose": "inscription à l'école"}


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages)


def test_an_extract_shows_what_the_act_says_and_bears_the_number_of_its_issue(
    kintambo: TestNode, clerk: Headers, act_of: ActOf
) -> None:
    act, _ = act_of()
    answer = kintambo.client.post(f"/v1/acts/{act}/documents", json=EXTRACT, headers=clerk)
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["document-number"] == "CD-KN-017-01/2026/1"
    said = text_of(answer.content)
    for shown in (
        "COMMUNE DE KINTAMBO", "Mbuyi", "Kalala", "Grâce", "10 janvier 2026", "Kapinga Ngalula", "féminin",
        "CD-KN-017-01 / 2026 / 1", "inscription à l'école", "2 février 2026",
    ):  # fmt: skip
        assert shown in said, shown
    assert b"<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>" in answer.content
    issued = kintambo.client.get(answer.headers["location"], headers=clerk).json()
    assert (issued["act"], issued["number"], issued["key_id"]) == (act, 1, kintambo.door.identity.dev)
    assert issued["signed_code"].encode() in answer.content


def test_the_same_request_again_gives_the_same_paper_byte_for_byte(
    kintambo: TestNode, clerk: Headers, act_of: ActOf, clock: TestClock
) -> None:
    act, _ = act_of()
    clock.forward(timedelta(milliseconds=123))
    key = clerk | {"Idempotency-Key": "guichet-0001"}
    first = kintambo.client.post(f"/v1/acts/{act}/documents", json=EXTRACT, headers=key)
    clock.forward(timedelta(hours=3))
    again = kintambo.client.post(f"/v1/acts/{act}/documents", json=EXTRACT, headers=key)
    printed = kintambo.client.get(first.headers["location"] + "/pdf", headers=clerk)
    assert (first.status_code, again.status_code, printed.status_code) == (201, 201, 200)
    assert first.content == again.content == printed.content
    assert len(rows(kintambo, "document")) == 1
    other = kintambo.client.post(f"/v1/acts/{act}/documents", json={"type": "full_copy"}, headers=key)
    assert other.json()["code"] == "idempotency_conflict"


def test_numbers_follow_one_another_in_an_office_and_year_whatever_is_issued(
    kintambo: TestNode, clerk: Headers, act_of: ActOf, clock: TestClock
) -> None:
    act, birth = act_of()
    post = kintambo.client.post
    assert (
        post(f"/v1/acts/{act}/documents", json=EXTRACT, headers=clerk).headers["document-number"][-6:]
        == "2026/1"
    )
    assert (
        post(f"/v1/births/{birth}/receipt", json={}, headers=clerk).headers["document-number"][-6:]
        == "2026/2"
    )
    many = post("/v1/acts/documents", json={"acts": [act, act], "type": "extract"}, headers=clerk)
    assert many.headers["documents"] == "2"
    clock.forward(timedelta(days=360))
    clerk = kintambo.officer("clerk")
    assert (
        post(f"/v1/acts/{act}/documents", json=EXTRACT, headers=clerk).headers["document-number"][-6:]
        == "2027/1"
    )
    listed = kintambo.client.get(f"/v1/acts/{act}/documents", headers=clerk).json()
    assert [(each["year"], each["number"]) for each in listed] == [(2026, 1), (2026, 3), (2026, 4), (2027, 1)]


def test_a_paper_that_was_issued_cannot_be_changed_nor_taken_out(
    kintambo: TestNode, clerk: Headers, act_of: ActOf
) -> None:
    act, _ = act_of()
    assert kintambo.client.post(f"/v1/acts/{act}/documents", json=EXTRACT, headers=clerk).status_code == 201
    for statement in ("UPDATE civil_document SET number = 7", "DELETE FROM civil_document"):
        with pytest.raises(sa.exc.DatabaseError), kintambo.database.write() as connection:
            connection.execute(sa.text(statement))
    assert [row["number"] for row in rows(kintambo, "document")] == [1]


def test_many_acts_come_as_one_archive_or_as_one_file_to_print(
    kintambo: TestNode, clerk: Headers, act_of: ActOf
) -> None:
    acts = [act_of(prenom=name)[0] for name in ("Grâce", "Divine", "Merveille")]
    order = {"acts": acts, "type": "extract"}
    answer = kintambo.client.post("/v1/acts/documents", json=order, headers=clerk)
    assert answer.headers["content-type"] == "application/zip"
    with ZipFile(BytesIO(answer.content)) as archive:
        assert archive.namelist() == [f"CD-KN-017-01-2026-{n}-extract.pdf" for n in (1, 2, 3)]
        assert "Divine" in text_of(archive.read("CD-KN-017-01-2026-2-extract.pdf"))
    one = kintambo.client.post("/v1/acts/documents", json={**order, "format": "pdf"}, headers=clerk)
    assert len(PdfReader(BytesIO(one.content)).pages) == 3
    nobody = {**order, "acts": [*acts, "00000000-0000-4000-8000-000000000000"]}
    assert (
        kintambo.client.post("/v1/acts/documents", json=nobody, headers=clerk).json()["code"] == "act_unknown"
    )
    assert len(rows(kintambo, "document")) == 6


def test_notes_stand_in_the_margin_and_an_extract_reads_as_they_left_the_act(
    kintambo: TestNode, clerk: Headers, act_of: ActOf
) -> None:
    act, _ = act_of()
    note(
        kintambo, act, type="rectification", text="Le prénom se lit « Gloire ».", changes={"prenom": "Gloire"}
    )
    extract = kintambo.client.post(f"/v1/acts/{act}/documents", json=EXTRACT, headers=clerk)
    copy = kintambo.client.post(f"/v1/acts/{act}/documents", json={"type": "full_copy"}, headers=clerk)
    assert "Prénom" in text_of(extract.content)
    assert "Gloire" in text_of(extract.content).replace("se lit « Gloire »", "")
    assert "Grâce" in text_of(copy.content), "the original stays visible on a full copy"
    assert "se lit « Gloire »" in text_of(copy.content).replace("\n", " ")


def test_of_an_annulled_act_only_a_full_copy_is_delivered_with_annulled_across_it(
    kintambo: TestNode, clerk: Headers, act_of: ActOf
) -> None:
    act, _ = act_of()
    annul(kintambo, act)
    refused = kintambo.client.post(f"/v1/acts/{act}/documents", json=EXTRACT, headers=clerk)
    assert (refused.status_code, refused.json()["code"]) == (409, "annulled_act_extract")
    copy = kintambo.client.post(f"/v1/acts/{act}/documents", json={"type": "full_copy"}, headers=clerk)
    assert "ACTE ANNULÉ" in text_of(copy.content)


def test_a_receipt_says_that_it_is_no_act(
    kintambo: TestNode, clerk: Headers, declare: Callable[..., str]
) -> None:
    birth = declare()
    answer = kintambo.client.post(f"/v1/births/{birth}/receipt", json={}, headers=clerk)
    said = text_of(answer.content)
    assert "Ne tient pas lieu d'acte de naissance" in said
    assert "dans les délais (23 jours, délai légal 90)" in said
    assert "Mentions marginales" not in said


def test_a_court_is_asked_only_for_a_late_birth_without_an_act(
    kintambo: TestNode, clerk: Headers, registrar: Headers, declare: Callable[..., str]
) -> None:
    post = kintambo.client.post
    in_time = post(f"/v1/births/{declare()}/court-request", json={}, headers=clerk)
    assert (in_time.status_code, in_time.json()["code"]) == (409, "no_judgment_needed")
    late = declare(birth_date="2019-05-01")
    asked = post(
        f"/v1/births/{late}/court-request",
        json={"court": "Tribunal pour enfants de Gombe", "requester": "Kapinga"},
        headers=clerk,
    )
    assert "Tribunal pour enfants de Gombe" in text_of(asked.content)
    judgment = {"court": "Tribunal pour enfants", "number": "RCE 1", "date": "2026-01-15"}
    done = post(f"/v1/births/{late}/registration", json=BOOK | {"judgment": judgment}, headers=registrar)
    assert done.status_code == 201
    assert (
        post(f"/v1/births/{late}/court-request", json={}, headers=clerk).json()["code"]
        == "already_registered"
    )


def test_a_name_is_printed_letter_by_letter_and_never_run(
    kintambo: TestNode, clerk: Headers, act_of: ActOf
) -> None:
    strange = '#eval("1+1") "]} \\ $x$ *b* _i_ @a <b>'
    act, _ = act_of(nom=strange, postnom="李 😀", prenom="Ɛkɔlɔ́")
    answer = kintambo.client.post(f"/v1/acts/{act}/documents", json=EXTRACT, headers=clerk)
    said = text_of(answer.content)
    assert strange in said.replace("“", '"').replace("”", '"')
    assert "□ □" in said, "signs without a letter in the fonts are shown as such and break nothing"
