"""The operator at the command line: what is refused leaves nothing behind, and lists can be read on any terminal."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import migrations
from app import cli, serving
from app.database import Database
from app.settings import save, write_durably
from tests.access.call import NOBODY
from tests.nodes import PASSWORD, household_of, make_node

Said = Callable[..., tuple[int, str]]


@pytest.fixture
def mboka(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """`mboka(*words)`: its exit code and all it said, on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    def said(*words: str | Path, typed: str = "") -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mboka", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        with pytest.raises(SystemExit) as left:
            cli.main()
        captured = capsys.readouterr()
        return int(left.value.code or 0), captured.out + captured.err

    return said


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below, with its bytes."""
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["--kind", "province", "--commune", "CD-KN-017"], "Une province n'a pas de commune"),
        (["--kind", "commune", "--commune", "CD-KN-099"], "commune_unknown"),
        (["--kind", "commune"], "Donnez --commune"),
    ],
)
def test_a_refused_node_leaves_nothing_behind(
    tmp_path: Path, mboka: Said, asked: list[str], told: str
) -> None:
    code, text = mboka("init", "--data", tmp_path / "new" / "node", *asked)
    assert (code, told in text) == (1, True), text
    assert list(tmp_path.iterdir()) == []


def test_a_refused_node_leaves_the_files_that_were_there(tmp_path: Path, mboka: Said) -> None:
    (tmp_path / "notes.txt").write_text("à garder")
    (tmp_path / "node.json").write_text("{}")
    before = contents(tmp_path)
    refused = ("init", "--data", tmp_path, "--kind", "commune", "--commune", "CD-KN-099")
    assert mboka(*refused)[0] == 1
    assert contents(tmp_path) == before


def test_a_refusal_on_a_database_that_was_there_does_not_delete_it(tmp_path: Path, mboka: Said) -> None:
    assert mboka("init", "--data", tmp_path, "--kind", "commune", "--commune", "CD-KN-017")[0] == 0
    (tmp_path / "mboka.json").unlink()
    before = contents(tmp_path)
    code, text = mboka("init", "--data", tmp_path, "--kind", "commune", "--commune", "CD-KN-017")
    assert (code, "node_exists" in text) == (1, True), text
    assert {name: content for name, content in contents(tmp_path).items() if name in before} == before


def test_a_server_whose_port_is_taken_says_so_and_keeps_the_old_address(tmp_path: Path, mboka: Said) -> None:
    assert mboka("init", "--data", tmp_path, "--kind", "both", "--commune", "CD-KN-017")[0] == 0
    write_durably(tmp_path / serving.ADDRESS, b'{"url": "http://127.0.0.1:1"}')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, text = mboka("serve", "--data", tmp_path, "--port", port)
    assert (code, f"Le port {port} est déjà utilisé" in text) == (1, True), text
    assert serving.address(tmp_path) == "http://127.0.0.1:1"


def test_a_law_that_cannot_be_applied_keeps_the_server_from_starting(tmp_path: Path, mboka: Said) -> None:
    assert mboka("init", "--data", tmp_path, "--kind", "both", "--commune", "CD-KN-017")[0] == 0
    (tmp_path / "law").mkdir()
    (tmp_path / "law" / "fees.csv").write_text("code,amount\n", encoding="utf-8")
    code, text = mboka("serve", "--data", tmp_path, "--port", "0")
    assert (code, "fees.csv, ligne 1 : la colonne « in_force_from » manque" in text) == (1, True), text


@pytest.mark.parametrize(
    ("host", "port", "told"), [("127.0.0.1", 70_000, "n'existe pas"), ("192.0.2.1", 0, "n'a pas l'adresse")]
)
def test_an_address_no_server_can_have_is_explained(host: str, port: int, told: str) -> None:
    with pytest.raises(serving.CannotListen, match=told):
        serving.listen(host, port)


def test_the_last_admins_account_cannot_be_closed(tmp_path: Path, mboka: Said) -> None:
    data = ("--data", tmp_path)
    assert mboka("init", *data, "--kind", "both", "--commune", "CD-KN-017")[0] == 0
    for name in ("chef", "adjoint"):
        added = mboka(
            "officer", "add", name, *data, "--role", "admin", "--password-stdin", typed=f"{PASSWORD}\n"
        )
        assert added[0] == 0, added
    assert mboka("officer", "disable", "adjoint", *data)[0] == 0
    code, text = mboka("officer", "disable", "chef", *data)
    assert (code, "[last_admin]" in text) == (1, True), text
    listed = json.loads(mboka("officer", "list", *data, "--json")[1])
    assert {each["username"]: each["disabled_at"] is None for each in listed} == {
        "chef": True,
        "adjoint": False,
    }


def test_the_administrator_keeps_dates_of_office_and_takes_a_lost_telephone_away(
    tmp_path: Path, mboka: Said
) -> None:
    data = ("--data", tmp_path)
    assert mboka("init", *data, "--kind", "both", "--commune", "CD-KN-017")[0] == 0
    asked = ("--role", "delegate", "--password-stdin")
    assert mboka("officer", "add", "delegue", *data, *asked, typed=f"{PASSWORD}\n")[0] == 0
    kept = mboka("officer", "office", "delegue", *data, "--from", "2026-01-05", "--appointed-by", "Arrêté 12")
    assert (kept[0], "du 2026-01-05 au …" in kept[1]) == (0, True), kept
    longer = mboka("officer", "office", "delegue", *data, "--to", "2026-12-31")
    assert "du 2026-01-05 au 2026-12-31" in longer[1]
    for days in (("--to", "2025-12-31"), ("--from", "hier")):
        code, text = mboka("officer", "office", "delegue", *data, *days)
        assert (code, "[office_invalid]" in text) == (1, True), text
    code, text = mboka("officer", "reset-factor", "delegue", *data)
    assert (code, "[no_second_factor]" in text) == (1, True), text
    [listed] = json.loads(mboka("officer", "list", *data, "--json")[1])
    assert (listed["office_from"], listed["office_to"]) == ("2026-01-05", "2026-12-31")


def test_the_lists_of_devices_and_officers_fit_a_terminal_of_80_columns(tmp_path: Path, mboka: Said) -> None:
    data = ("--data", tmp_path)
    assert mboka("init", *data, "--kind", "both", "--commune", "CD-KN-017")[0] == 0
    username, name = "agent-recenseur-de-la-commune-de-kintambo.n12", "Marie-Thérèse Mbuyi wa Kalala Ngalula"
    asked = ("--role", "agent", "--name", name, "--password-stdin")
    assert mboka("officer", "add", username, *data, *asked, typed=f"{PASSWORD}\n")[0] == 0
    text = mboka("officer", "list", *data)[1]
    assert all(len(line) <= 80 for line in text.splitlines())
    for known in ("agent-recenseur", "Thérèse", "agent ", "CD-KN-017"):
        assert known in text
    assert "…" not in text


def test_a_devices_line_shows_its_whole_name_and_what_is_wrong(tmp_path: Path, mboka: Said) -> None:
    database = Database(f"sqlite:///{tmp_path / 'mboka.db'}")
    migrations.upgrade(database)
    node = make_node(database, tmp_path)
    tablet = node.tablet("1017010", "1017021", "1017030", "1017040", "CD-KN-017")
    data = Path(node.node.settings.data)
    save(data, {"database_url": f"sqlite:///{tmp_path / 'mboka.db'}"})
    text = mboka("device", "list", "--data", data)[1]
    assert all(len(line) <= 80 for line in text.splitlines()), text
    assert tablet.dev in text
    assert "silencieux" in text
    (whole,) = json.loads(mboka("device", "list", "--data", data, "--json")[1])
    database.close()
    assert (whole["dev"], len(whole["areas"]), "epochs" in whole) == (tablet.dev, 5, True)


def test_an_administrator_takes_a_stolen_tablet_out_gives_a_batch_back_and_changes_its_areas(
    tmp_path: Path, mboka: Said
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'mboka.db'}")
    migrations.upgrade(database)
    node = make_node(database, tmp_path)
    tablet = node.tablet("1017010")
    kept, stolen = tablet.seal(household_of(1)), tablet.seal(household_of(2))
    for sealed in (kept, stolen):
        node.push_sealed(*sealed)
    where = ("--data", Path(node.node.settings.data))
    save(Path(node.node.settings.data), {"database_url": f"sqlite:///{tmp_path / 'mboka.db'}"})

    code, told = mboka("device", "areas", tablet.dev, *where, "--area", "1017021")
    assert (code, "zones : 1017021" in told) == (0, True), told
    sender = node.door.sender(tablet.dev)
    assert sender is not None
    assert sender.areas == ("1017021",)

    last, reason = hashlib.sha256(kept[0]).hexdigest(), ("--reason", "volée")
    code, told = mboka("device", "revoke", tablet.dev, *where, "--after", last, *reason)
    assert (code, "1 lot tient, 1 lot mis de côté" in told) == (0, True), told
    code, told = mboka(
        "device", "release", tablet.dev, *where, "--batch", hashlib.sha256(stolen[0]).hexdigest()
    )
    assert (code, "2 lots tiennent, 0 lot mis de côté" in told) == (0, True), told
    code, told = mboka("device", "revoke", NOBODY, *where, "--after", "none", *reason)
    assert (code, "device_not_found" in told) == (1, True), told
    database.close()


def test_a_command_does_not_make_the_clerk_wait_for_the_api_to_load() -> None:
    loaded = "import sys, app.cli; print([each for each in sys.argv[1:] if each in sys.modules])"
    heavy = ["fastapi", "uvicorn", "psycopg", "app.main", "app.web.problems"]
    said = subprocess.run([sys.executable, "-c", loaded, *heavy], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
