"""The tablet on the command line, over a real socket of loopback: what a person types and reads."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import orjson
import pytest
import uvicorn

from sync.__main__ import Progress, main
from tests.nodes import TestNode
from tests.sync.devices import households, invitation, thumbprint


@pytest.fixture
def url(home: TestNode) -> Iterator[str]:
    """The address where the node really listens."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(home.app, lifespan="off", ws="none", log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


def a_file(folder: Path, *, lines: int) -> Path:
    """An NDJSON file of this many households, each with one resident."""
    file = folder / "households.ndjson"
    with file.open("wb") as stream:
        for _ in range(lines):
            household, person, visit = (str(uuid.uuid4()) for _ in range(3))
            line = {
                "household": {"id": household, "set": {"commune": "CD-KN-017", "quartier": "1017010"}},
                "persons": [{"id": person, "set": {"household": household, "nom": "Ilunga"}}],
                "visit": {"id": visit, "set": {"household": household, "outcome": "completed"}},
            }
            stream.write(orjson.dumps(line) + b"\n")
    return file


def test_an_agent_enrols_loads_and_synchronises(
    home: TestNode, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(tmp_path / "tablet")]
    code, province = invitation(home), thumbprint(home)
    assert main([*data, "enrol", "--url", url, "--code", code, "--province", province]) == 0
    assert "enrôlé chez Kintambo ; zones : 1017010" in capsys.readouterr().out
    file = a_file(tmp_path, lines=20)
    assert main([*data, "load", str(file)]) == main([*data, "load", str(file)]) == 0
    assert capsys.readouterr().out.split("\n")[:2] == [
        "60 opérations enregistrées.",
        "0 opération enregistrée.",
    ]
    assert main([*data, "sync"]) == 0
    said = capsys.readouterr().out
    assert "60 opérations envoyées en 1 lot (" in said
    assert "60 fiches reçues" in said
    assert "Reçues par la province : 60" in said
    assert main([*data, "status", "--json"]) == 0
    found = orjson.loads(capsys.readouterr().out)
    assert (found["entered"], found["settled"], found["alarms"]) == (60, 60, [])
    assert households(home) == 20


def test_errors_are_french_sentences_with_a_code(
    home: TestNode, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(tmp_path / "tablet")]
    assert main([*data, "push"]) == 1
    assert capsys.readouterr().err == "[not_enrolled] Cet appareil n'est pas encore enrôlé.\n"
    asked = [*data, "enrol", "--url", url, "--province", thumbprint(home)]
    assert main([*asked, "--code", "00000000"]) == 1
    assert capsys.readouterr().err.startswith("[invitation_unknown]")
    assert main([*asked, "--code", invitation(home)]) == 0
    capsys.readouterr()
    (tmp_path / "bad.ndjson").write_bytes(b'{"visit":\n')
    assert main([*data, "load", str(tmp_path / "bad.ndjson")]) == 1
    assert capsys.readouterr().err == "[not_json] bad.ndjson, ligne 1 : ce n'est pas du JSON.\n"
    absent = tmp_path / "absent.ndjson"
    assert main([*data, "load", str(absent)]) == 1
    assert capsys.readouterr().err == f"[file] Fichier introuvable : {absent}\n"
    assert main([*data, "load", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"[file] C'est un dossier, non un fichier : {tmp_path}\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"visit": {"id": "12", "set": {}}}, "identifiant qui n'est pas un UUID version 4"),
        ({"visit": {"set": {}}}, "forme non valable"),
        ({"house": {}}, "forme non valable"),
        ({"visit": {"id": str(uuid.uuid4()), "set": {"note": "a\x00b"}}}, "caractère nul"),
        ([], "un objet JSON est attendu"),
    ],
)
def test_a_refused_line_is_named_as_it_stands_in_the_file(
    home: TestNode, tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, line: object, told: str
) -> None:
    data = ["--data", str(tmp_path / "tablet")]
    asked = ["--url", url, "--province", thumbprint(home), "--code", invitation(home)]
    assert main([*data, "enrol", *asked]) == 0
    lines = a_file(tmp_path, lines=15).read_bytes()
    file = tmp_path / "mixed.ndjson"
    file.write_bytes(b"\n" + lines + orjson.dumps(line) + b"\n" + lines)
    capsys.readouterr()
    assert main([*data, "load", str(file)]) == 1
    said = capsys.readouterr().err
    assert "mixed.ndjson, ligne 17 : " in said
    assert told in said


def test_one_thing_is_said_in_the_singular(
    home: TestNode, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(tmp_path / "tablet")]
    asked = ["--url", url, "--province", thumbprint(home), "--code", invitation(home)]
    assert main([*data, "enrol", *asked]) == 0
    household = {"id": str(uuid.uuid4()), "set": {"quartier": "1017010"}}
    (tmp_path / "one.ndjson").write_bytes(orjson.dumps({"household": household}))
    capsys.readouterr()
    assert main([*data, "load", str(tmp_path / "one.ndjson")]) == main([*data, "push"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("1 opération enregistrée.\n1 opération envoyée en 1 lot (")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ([], "il manque : --data, COMMANDE."),
        (["--data", "d", "load"], "il manque : FICHIER."),
        (["--data", "d", "fly"], "COMMANDE : 'fly' n'existe pas ; choisissez : "),
        (["--data", "d", "push", "--to"], "--to : une valeur est attendue."),
        (["--data", "d", "push", "--to", "kintambo"], "--to : une adresse commence par https://"),
        (["--data", "d", "pull", "all"], "argument inconnu : all."),
    ],
)
def test_wrong_words_are_explained_in_french(
    typed: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(typed)
    said = capsys.readouterr().err
    assert left.value.code == 2
    assert told in said
    assert said.startswith("Usage : python -m sync")


def test_long_work_tells_its_rate_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    said = StringIO()
    progress = Progress("Lignes lues", total=1000, stream=said)
    for second in range(1, 21):
        now[0] = float(second)
        progress.tell(second * 10)
    progress.end()
    assert said.getvalue().split("\n")[:2] == [
        "Lignes lues : 100 (10/s) sur 1000, reste 1 min 30 s",
        "Lignes lues : 200 (10/s) sur 1000, reste 1 min 20 s",
    ]
