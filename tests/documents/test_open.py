"""Anybody may verify a paper without a login, and learns nothing but what the paper shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from app.documents import annulled, seal
from app.documents.seal import NotValid, fingerprint, read_keys
from app.documents.visitors import TOO_MANY_VISITS, Visitors
from app.errors import Problem
from tests.conftest import TestClock
from tests.documents.conftest import Headers, annul
from tests.nodes import TestNode

ActOf = Callable[..., tuple[str, str]]


def code_of(node: TestNode, officer: Headers, act: str) -> str:
    answer = node.client.post(f"/v1/acts/{act}/documents", json={"type": "full_copy"}, headers=officer)
    code: str = node.client.get(answer.headers["location"], headers=officer).json()["signed_code"]
    return code


def page(node: TestNode, code: str) -> str:
    answer = node.client.get("/verify", params={"code": code})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    return unescape(answer.text)


def test_the_page_shows_what_the_paper_shows_and_nothing_else(
    kintambo: TestNode, clerk: Headers, act_of: ActOf
) -> None:
    act, birth = act_of(mother_occupation="vendeuse", mother_residence="avenue Bangala 12")
    said = page(kintambo, code_of(kintambo, clerk, act))
    assert "Signature valable" in said
    for shown in ("Mbuyi", "Grâce", "10 janvier 2026", "Kapinga Ngalula", "CD-KN-017-01 / 2026 / 1", "néant"):
        assert shown in said, shown
    for kept in (act, birth, fingerprint(act), "vendeuse", "Bangala", "Title-Case"):
        assert kept not in said, kept
    assert "<script" not in said


def test_the_page_takes_only_a_signed_text(kintambo: TestNode, clerk: Headers, act_of: ActOf) -> None:
    act, _ = act_of()
    code = code_of(kintambo, clerk, act)
    assert "<textarea" in page(kintambo, "")
    altered = code[:-1] + ("0" if code[-1] != "0" else "1")
    for text in (
        "CD-KN-017-01/2026/1",
        "Mbuyi",
        act,
        fingerprint(act),
        altered,
        "<script>alert(1)</script>",
        "MBK1:",
    ):
        said = kintambo.client.get("/verify", params={"code": text})
        assert "Non valable" in said.text, text
        assert "Kapinga" not in said.text
        assert "<script>alert" not in said.text
    assert kintambo.client.get("/verify", params={"code": "x" * 20_001}).status_code == 422


def test_a_name_written_as_html_is_shown_as_it_is_written(
    kintambo: TestNode, clerk: Headers, act_of: ActOf
) -> None:
    act, _ = act_of(nom="<b>Mbuyi</b>&{x}")
    answer = kintambo.client.get("/verify", params={"code": code_of(kintambo, clerk, act)})
    assert "&lt;b&gt;Mbuyi&lt;/b&gt;&amp;{x}" in answer.text


def test_the_page_says_annulled_of_a_paper_issued_before_the_judgment(
    kintambo: TestNode, clerk: Headers, act_of: ActOf
) -> None:
    act, _ = act_of()
    code = code_of(kintambo, clerk, act)
    annul(kintambo, act)
    assert "ANNULÉ par jugement du 1er février 2026" in page(kintambo, code)
    assert "ANNULÉ" in page(kintambo, code_of(kintambo, clerk, act))


def test_the_list_of_annulled_acts_names_nobody_and_is_signed(
    kintambo: TestNode, clerk: Headers, act_of: ActOf
) -> None:
    act, birth = act_of()
    assert json.loads(kintambo.client.get("/v1/annulled").json()["list"])["acts"] == []
    annul(kintambo, act)
    told = kintambo.client.get("/v1/annulled").json()
    assert json.loads(told["list"])["acts"] == [{"act": fingerprint(act), "date": "2026-02-01"}]
    assert not any(word in told["list"] for word in (act, birth, "Mbuyi", "CD-KN-017-01"))
    signers = read_keys(kintambo.client.get("/v1/keys").json())
    assert annulled.read_list(told, signers) == {fingerprint(act): "2026-02-01"}
    shorter = told | {"list": told["list"].replace(fingerprint(act), "0" * 24)}
    strange: list[Any] = [shorter, {}, [], None, {"list": 1, "signature": 2}, told | {"signature": "a..b"}]
    for wrong in strange:
        with pytest.raises(NotValid):
            annulled.read_list(wrong, signers)
    with pytest.raises(NotValid):
        annulled.read_list(told, {})


def test_whoever_asks_too_often_waits_and_all_together_too(clock: TestClock) -> None:
    visitors = Visitors(2)
    for _ in range(2):
        visitors.take("10.0.0.1", clock.now())
    with pytest.raises(Problem) as refused:
        visitors.take("10.0.0.1", clock.now())
    assert refused.value.type is TOO_MANY_VISITS
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 60
    for other in range(38):
        visitors.take(f"10.0.1.{other}", clock.now())
    with pytest.raises(Problem):
        visitors.take("10.0.2.1", clock.now())


def test_the_public_page_answers_429_to_a_crowd(kintambo: TestNode) -> None:
    kintambo.app.state.visitors = Visitors(3)
    answers = [kintambo.client.get("/verify") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].json()["code"] == "too_many_visits"
    assert "retry-after" in answers[-1].headers


def test_a_demonstration_says_so_on_its_page(kintambo: TestNode) -> None:
    assert "DONNÉES FICTIVES" not in kintambo.client.get("/verify").text
    kintambo.door.standing.demo = True
    assert "DONNÉES FICTIVES" in kintambo.client.get("/verify").text


def test_a_paper_of_a_commune_is_verified_at_the_province_that_knows_its_key(
    kintambo: TestNode, clerk: Headers, act_of: ActOf
) -> None:
    """The keys of one server are enough for another verifier: they travel as a public file."""
    act, _ = act_of()
    code = code_of(kintambo, clerk, act)
    signers = read_keys(json.loads(json.dumps(kintambo.client.get("/v1/keys").json())))
    paper, signer = seal.verify(code, signers)
    assert (paper.office, signer.commune) == ("CD-KN-017-01", "CD-KN-017")
