"""The French pages for agents, clerks and planners, done as they say: every command runs in the order of the pages
against a served node, and every answer shown is compared with the real one. tests/curl.py stands in for curl."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access.permissions import ROLE_PERMISSIONS
from app.ledger.enrolment import DEVICE_ROLES
from sync.catalogue import CATALOGUE
from tests.journeys.client import login_officer
from tests.journeys.nodes import KINTAMBO, Server, free_port, surroundings

ROOT = Path(__file__).parent.parent
PAGES = ("agent", "clerk", "registers", "signer", "late", "documents", "doublons", "reprise", "planner")
PASSWORD = "trois manguiers au marché"
OFFICERS = {
    "agent1": ("agent", "Jeanne Lukusa"),
    "preposee": ("clerk", "Marie Mbuyi"),
    "officier": ("registrar", "Paul Ilunga"),
    "adjointe": ("registrar", "Anne Lukusa"),
    "planificateur": ("planner", "Anne Kanku"),
}
TWO_SCREENS = 150
STATES = {
    *("applied", "duplicate", "conflict", "deferred", "fork", "quarantined", "doubtful", "settled"),
    *("act", "document", "declared", "estimated"),
}
BLOCK = re.compile(r"^```(sh|json|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STEP = "--- step ---"


@dataclass
class Step:
    """One block of commands and the answers the page shows after it."""

    commands: str
    answers: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Told:
    """What came of a page: the shell's exit code and error stream; for each step its output and refusals (HTTP 4xx)."""

    code: int
    errors: str
    outputs: list[str]
    refusals: list[list[int]]


def page(name: str) -> str:
    """The Markdown of one page."""
    return (ROOT / "docs" / "fr" / f"{name}.md").read_text(encoding="utf-8")


def steps(markdown: str) -> list[Step]:
    """The blocks of commands of a page, each with the json and text blocks that follow it."""
    found: list[Step] = []
    for language, content in BLOCK.findall(markdown):
        if language == "sh":
            found.append(Step(content))
        else:
            found[-1].answers.append((language, content))
    return found


@dataclass(frozen=True)
class Reader:
    """Somebody who types what the pages say: a folder, and a node's address and directory in the environment."""

    folder: Path
    environment: dict[str, str]

    def do(self, wanted: list[Step]) -> Told:
        """Type all steps into one shell that stops at the first command that fails."""
        log = self.folder / "curl.log"
        log.write_text("", encoding="utf-8")
        script = "".join(
            f"{each.commands}\nprintf '\\n{STEP}\\n' | tee -a \"$CURL_LOG\"\n" for each in wanted
        )
        done = subprocess.run(
            ["sh", "-eu", "-c", script],
            cwd=self.folder,
            env=self.environment | {"CURL_LOG": str(log)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        statuses = log.read_text(encoding="utf-8").split(STEP)
        refusals = [[int(each) for each in part.split() if int(each) >= 400] for part in statuses]
        return Told(done.returncode, done.stderr, done.stdout.split(STEP), refusals)


def make_reader(folder: Path, **environment: str) -> Reader:
    """A reader in a new folder on whose path stand the programs of the pages, as this Python runs them."""
    programs = folder / "programs"
    programs.mkdir(parents=True)
    python = f"'{sys.executable}'"
    for name, command in {
        "python": python,
        "python3": python,
        "mboka": f"{python} -m app",
        "curl": f"{python} -I -S -X utf8 '{ROOT / 'tests' / 'curl.py'}'",
    }.items():
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    around = surroundings()
    path = f"{programs}:{around.get('PATH', '/usr/bin:/bin')}"
    given = {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **environment}
    return Reader(folder, around | given)


# The node


def prepare(server: Server) -> None:
    """What an administrator did before a page begins: the trial node, its officers."""
    server.run("init", "--kind", "both", "--commune", KINTAMBO, "--demo")
    server.run("officer", "add", "chef", "--role", "admin", "--password-stdin", typed=f"{PASSWORD}\n")
    server.start()
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        headers = login_officer(http, "chef", password=PASSWORD)
        for username, (role, name) in OFFICERS.items():
            officer = {"username": username, "name": name, "role": role, "password": PASSWORD}
            assert http.post("/v1/officers", json=officer, headers=headers).status_code == 201


def add_figures(server: Server) -> None:
    """What the planner's page says is there: seventeen paper acts of 2017, twelve residents in six households more."""
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        registrar = login_officer(http, "officier", password=PASSWORD)
        acts = "\n".join(
            json.dumps(
                {"office": f"{KINTAMBO}-01", "year": 2017, "volume": "I", "number": number, "nom": "MBUYI"}
                | {"registered_on": "2017-03-01", "birth_date": "2017-02-01" if number > 5 else "2016-02-01"}
            )
            for number in range(1, 18)
        )
        sent = http.post(
            "/v1/imports/acts", content=acts, headers={**registrar, "Idempotency-Key": "acts-of-2017"}
        )
        assert sent.status_code == 201, sent.text
        clerk = login_officer(http, "preposee", password=PASSWORD)
        for _ in range(6):
            home = http.post("/v1/households", json={"quartier": "1017070"}, headers=clerk).json()["id"]
            for sex in ("F", "M"):
                person = {"household": home, "nom": "ILUNGA", "sex": sex, "birth_date": "1980"}
                assert http.post("/v1/persons", json=person, headers=clerk).status_code == 201


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Told]]:
    """What came of the pages, done one after the other on one node."""
    folder = tmp_path_factory.mktemp("pages")
    server = Server("both", folder / "data", f"http://127.0.0.1:{free_port()}")
    reader = make_reader(folder / "reader", URL=server.url, DATA=str(server.directory))
    try:
        prepare(server)
        found = {}
        for name in PAGES:
            if name == "planner":
                add_figures(server)
            found[name] = reader.do(steps(page(name)))
        yield found
    finally:
        server.stop()


# What is compared


def fits(shown: Any, real: Any) -> bool:
    """Is the answer a page shows, abridged and with … for what varies, the real one?"""
    if isinstance(shown, dict):
        return isinstance(real, dict) and all(
            key in real and fits(value, real[key]) for key, value in shown.items()
        )
    if isinstance(shown, list):
        return isinstance(real, list) and all(any(fits(value, each) for each in real) for value in shown)
    if isinstance(shown, str) and isinstance(real, str):
        return re.fullmatch(".*".join(map(re.escape, shown.split("…"))), real, re.DOTALL) is not None
    return type(shown) is type(real) and shown == real


def documents(output: str) -> list[Any]:
    """Every JSON object in what the commands wrote."""
    found, at = [], output.find("{")
    while at >= 0:
        try:
            document, after = json.JSONDecoder().raw_decode(output, at)
        except json.JSONDecodeError:
            after = at + 1
        else:
            found.append(document)
        at = output.find("{", after)
    return found


def missing(step: Step, output: str) -> list[str]:
    """What the page shows after these commands and they did not answer."""
    real, written = documents(output), [line.strip("\ufeff\r ") for line in output.split("\n")]
    lost = []
    for language, content in step.answers:
        if language == "json":
            lost += [] if any(fits(json.loads(content), each) for each in real) else [content]
        else:
            lost += [line for line in content.splitlines() if not any(fits(line, each) for each in written)]
    return lost


def statuses(step: Step) -> list[int]:
    """The refusals a page shows after these commands."""
    shown = [json.loads(content) for language, content in step.answers if language == "json"]
    return [each["status"] for each in shown if "status" in each and isinstance(each["status"], int)]


# The pages


@pytest.mark.parametrize("name", PAGES)
def test_a_newcomer_can_type_every_command_of_the_page(told: dict[str, Told], name: str) -> None:
    done = told[name]
    last = f"after step {len(done.outputs) - 1}: {done.outputs[-1]}{done.errors}"
    assert done.code == 0, last


@pytest.mark.parametrize("name", PAGES)
def test_the_answers_on_the_page_are_those_a_newcomer_gets(told: dict[str, Told], name: str) -> None:
    for step, output in zip(steps(page(name)), told[name].outputs, strict=False):
        assert not missing(step, output), output


@pytest.mark.parametrize("name", PAGES)
def test_no_refusal_comes_that_the_page_does_not_show(told: dict[str, Told], name: str) -> None:
    for step, refused in zip(steps(page(name)), told[name].refusals, strict=False):
        assert refused == statuses(step), step.commands


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_read_in_two_screens_and_shows_an_answer_to_every_question(name: str) -> None:
    assert len(page(name).splitlines()) <= TWO_SCREENS
    assert sum(bool(step.answers) for step in steps(page(name))) >= 5


def test_a_page_whose_command_fails_or_whose_answer_is_another_is_noticed(tmp_path: Path) -> None:
    reader = make_reader(tmp_path / "reader")
    wrong = 'vrai\n```sh\necho \'{"acts": 2, "first": {"number": 17}}\'\n```\n```json\n{"acts": 3}\n```\n'
    done = reader.do(steps(wrong + "```sh\nfalse\n```\n```sh\necho jamais\n```\n"))
    assert done.code == 1
    assert "jamais" not in "".join(done.outputs)
    (step,) = steps(wrong)
    assert missing(step, done.outputs[0]) == ['{"acts": 3}\n']
    assert reader.do(steps("```sh\ncurl -sS --http3 http://127.0.0.1:9/\n```\n")).code == 2


def test_an_answer_shown_is_a_part_of_the_real_one() -> None:
    real = {"id": "3b24", "rows": [{"births": None}, {"births": 12}], "ok": True}
    assert fits({"id": "…", "rows": [{"births": 12}]}, real)
    others: list[dict[str, Any]] = [{"id": "…4…5"}, {"rows": [{"births": 0}]}, {"ok": 1}, {"number": "…"}]
    assert [each for each in others if fits(each, real)] == []


# The glossary


def test_the_glossary_names_every_word_of_the_code_that_people_meet() -> None:
    words = {*ROLE_PERMISSIONS, *DEVICE_ROLES.values(), *STATES, *CATALOGUE}
    for kind in CATALOGUE.values():
        words |= {" ".join(register.fields) for register in kind.register_of.values()}
        for name, known in kind.fields.items():
            words |= {name, *known.values}
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert sorted(words - set(re.findall(r"`([^`]+)`", glossary))) == []
