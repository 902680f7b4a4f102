"""A child's whole way through the office, over REST: declared, drawn up, read back, signed, delivered, and the paper
verified by somebody who has only public keys. Each mode of declaration, and the late procedure to its end."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from tests.civil.conftest import Headers, open_volume
from tests.civil.late.conftest import COURT, STEPS
from tests.nodes import TestNode

BOOK = {"office": "CD-KN-017-01", "volume": "1", "folio": "1"}
FAMILY = {
    "mother_name": "Marie Mbuyi Kapinga",
    "father_name": "Jean Kabeya Ilunga",
    "mother_birth_date": "1998",
    "declarant_name": "Jean Kabeya Ilunga",
    "declarant_relation": "père",
    "birth_place": "Kintambo",
}
MODES: dict[str, dict[str, Any]] = {
    "direct": {"mode": "direct", "facility": "facility", "paper": "medical", "paper_ref": "CN 12"},
    "procuration": {"mode": "procuration", "facility": "facility", "paper": "medical", "paper_ref": "P 7"},
    "home report": {"mode": "direct", "facility": "home", "paper": "home_report", "paper_ref": "Chef Mputu"},
    "journey": {"mode": "direct", "facility": "journey", "paper": "journey_report", "paper_ref": "Ngokila"},
    "transcription": {"mode": "transcription", "paper": "other", "paper_ref": "Bruxelles, acte 512"},
}


class Desk:
    """The two people of an office who see a child through."""

    def __init__(self, node: TestNode, clerk: Headers, registrar: Headers) -> None:
        self.node, self.clerk, self.registrar = node, clerk, registrar

    def post(self, path: str, body: dict[str, Any], *, by: str = "clerk") -> dict[str, Any]:
        """The answer to a call that must succeed."""
        answer = self.node.client.post(path, json=body, headers=getattr(self, by))
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def get(self, path: str) -> Any:
        """What the clerk reads."""
        answer = self.node.client.get(path, headers=self.clerk)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def printed(self, path: str, body: dict[str, Any]) -> tuple[str, str]:
        """(text of the printed page, what the QR on it says to a verifier without a login)."""
        paper = self.node.client.post(path, json=body, headers=self.clerk)
        assert (paper.status_code, paper.headers["content-type"]) == (201, "application/pdf"), paper.text
        document = self.get(paper.headers["location"])
        page = self.node.client.get("/verify", params={"code": document["signed_code"]})
        assert page.status_code == 200, page.text
        return PdfReader(BytesIO(paper.content)).pages[0].extract_text(), page.text

    def deliver(self, act: str, to: str) -> None:
        """The newest paper of an act is handed over."""
        document = self.get(f"/v1/acts/{act}/documents")[0]["id"]
        self.post(f"/v1/documents/{document}/delivery", {"to_name": to, "to_relation": "mère"})


@pytest.fixture
def desk(kintambo: TestNode, clerk: Headers, registrar: Headers) -> Desk:
    open_volume(kintambo, registrar)
    return Desk(kintambo, clerk, registrar)


@pytest.mark.parametrize("mode", MODES)
def test_a_child_declared_in_time_gets_an_extract_that_anybody_can_verify(
    desk: Desk, declare: Callable[..., str], mode: str
) -> None:
    birth = declare(**FAMILY, **MODES[mode])
    draft = desk.post(f"/v1/births/{birth}/draft", BOOK)
    assert "Mbuyi Kalala Grâce" in draft["text"]
    desk.post(f"/v1/births/{birth}/draft/reading", {"to": ["Jean Kabeya Ilunga"], "language": "lingala"})
    signing = BOOK | {"draft": draft["id"]}
    act = desk.post(f"/v1/births/{birth}/registration", signing, by="registrar")
    assert (act["number"], act["delay"], act["warnings"]) == (1, "in_delay", [])
    assert desk.get(f"/v1/births/{birth}")["stage"] == "registered"

    text, verified = desk.printed(f"/v1/acts/{act['id']}/documents", {"type": "extract"})
    for known in ("Mbuyi", "Kalala", "Grâce"):
        assert known in text
        assert known in verified
    waiting = desk.get("/v1/acts/undelivered?days=0")["items"]
    assert [each["id"] for each in waiting] == [act["id"]]
    desk.deliver(act["id"], "Marie Mbuyi Kapinga")
    assert desk.get("/v1/acts/undelivered?days=0")["items"] == []
    assert desk.get(f"/v1/births/{birth}")["stage"] == "delivered"


def test_a_child_declared_too_late_gets_its_copy_through_the_court_and_keeps_its_margin(
    desk: Desk, declare: Callable[..., str]
) -> None:
    birth = declare(**FAMILY, birth_date="2019-05-02")
    refused = desk.node.client.post(f"/v1/births/{birth}/registration", json=BOOK, headers=desk.registrar)
    assert refused.json()["code"] == "judgment_required"
    receipt, _ = desk.printed(f"/v1/births/{birth}/receipt", {})
    assert "ne tient pas lieu d'acte de naissance" in " ".join(receipt.lower().replace("’", "'").split())

    file = desk.post(f"/v1/births/{birth}/procedure", {"requester": "Marie Mbuyi Kapinga, mère"})
    assert file["court_kind"] == "children"
    for step in STEPS:
        file = desk.post(f"/v1/procedures/{file['id']}/steps", step)
    assert file["next"]["step"] == "transcription"
    act = desk.post(f"/v1/procedures/{file['id']}/transcription", BOOK, by="registrar")
    assert (act["year"], act["delay"]) == (2026, "out_of_delay")

    text, _ = desk.printed(f"/v1/acts/{act['id']}/documents", {"type": "full_copy"})
    assert COURT.split("/")[0] in " ".join(text.split())
    desk.deliver(act["id"], "Marie Mbuyi Kapinga")
    assert desk.get(f"/v1/births/{birth}")["stage"] == "delivered"
    assert desk.get(f"/v1/procedures/{file['id']}")["stage"] == "closed"


def test_an_act_annulled_by_a_court_is_said_so_by_every_verifier_and_the_child_is_registered_anew(
    desk: Desk, declare: Callable[..., str]
) -> None:
    birth = declare(**FAMILY, **MODES["direct"])
    act = desk.post(f"/v1/births/{birth}/registration", BOOK, by="registrar")["id"]
    desk.printed(f"/v1/acts/{act}/documents", {"type": "extract"})
    code = desk.get(f"/v1/acts/{act}/documents")[0]["signed_code"]
    decision = {
        "court": COURT,
        "reference": "RC 31",
        "date": "2026-02-02",
        "text": "Annulé : acte dressé deux fois.",
    }
    proposed = desk.post(f"/v1/acts/{act}/annulment", decision, by="registrar")["id"]
    second = desk.node.officer("registrar")
    confirmed = desk.node.client.post(f"/v1/annulments/{proposed}/confirmation", json={}, headers=second)
    assert confirmed.status_code == 200, confirmed.text
    page = desk.node.client.get("/verify", params={"code": code}).text
    assert "annulé" in page.lower()
    again = desk.post(f"/v1/births/{birth}/registration", BOOK, by="registrar")
    assert (again["number"], again["id"] != act) == (2, True)
