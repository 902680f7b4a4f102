"""What the doctor says of healthy and of ill nodes, each illness named with what to do."""

from __future__ import annotations

import io
import json
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from app import cli, doctor
from app.clock import stamp
from app.database import Database
from app.doctor import Finding, Level, examine
from app.keeping_safe.backup import back_up
from app.keeping_safe.recovery import make_recovery_key
from app.ledger.node import Identity, Marks
from app.ledger.tables import batch, device_contact
from app.ledger.tables import node as node_table
from app.settings import Settings, save
from tests.conftest import TestClock
from tests.nodes import TestNode, household_of, make_node, new


@pytest.fixture
def node(database: Database, tmp_path: Path, clock: TestClock) -> TestNode:
    """A commune of a province, with a tablet's household."""
    made = make_node(database, tmp_path, kind="commune", clock=clock)
    made.join_a_province()
    made.push(made.tablet("CD-KN-017"), *household_of(2))
    return made


def folder(node: TestNode) -> Path:
    return Path(node.node.settings.data)


def found(node: TestNode, clock: TestClock, *, tls_cert: Path | None = None) -> dict[str, Finding]:
    """The findings by code; what is not fine says what to do."""
    findings = examine(node.node.settings, clock=clock, tls_cert=tls_cert)
    assert len({each.code for each in findings}) == len(findings)
    for each in findings:
        assert bool(each.todo) == (each.level is not Level.fine), each
    return {each.code: each for each in findings}


def levels(node: TestNode, clock: TestClock) -> dict[str, Level]:
    return {code: each.level for code, each in found(node, clock).items() if each.level is not Level.fine}


def make_safe(node: TestNode, clock: TestClock) -> Path:
    """Recovery key, backup, everything relayed."""
    make_recovery_key(folder(node), folder(node).with_suffix(".pem"), passphrase="quatre mots sans lien")
    file = folder(node).with_suffix(".mbk")
    back_up(node.database, folder(node), to=file, clock=clock, told=lambda done, total: None)
    with node.database.write() as connection:
        connection.execute(batch.update().values(province_receipt="{}", province_signature=""))
        values = {"relayed_at": stamp(clock.now()), "upstream_offset": 1.5}
        connection.execute(node_table.update().values(values))
    return file


def test_a_node_that_is_well_has_nothing_to_do(node: TestNode, clock: TestClock) -> None:
    make_safe(node, clock)
    assert levels(node, clock) == {}


def test_a_node_that_was_never_backed_up_is_in_danger(node: TestNode, clock: TestClock) -> None:
    told = found(node, clock)
    assert told["recovery_key"].level is Level.danger
    assert "mboka recovery-key" in told["recovery_key"].todo
    assert told["not_yet_safe"].level is Level.todo
    # Four operations of the tablet, and the enrolment this server wrote itself.
    assert "5 opérations sur cette machine seulement, dont 1 écrites ici" in told["not_yet_safe"].found


def test_a_backup_grows_old_and_its_file_may_be_gone(node: TestNode, clock: TestClock) -> None:
    file = make_safe(node, clock)
    clock.forward(timedelta(hours=40))
    assert levels(node, clock)["backup"] is Level.todo
    clock.forward(timedelta(days=8))
    assert levels(node, clock)["backup"] is Level.danger
    assert levels(node, clock)["silent"] is Level.todo
    file.unlink()
    assert "n'est plus là" in found(node, clock)["backup"].found


def test_a_province_out_of_reach_is_told_by_how_long_something_waits(
    node: TestNode, clock: TestClock
) -> None:
    make_safe(node, clock)
    clock.forward(timedelta(days=8))
    assert "province" not in levels(node, clock)
    node.push(node.tablet("CD-KN-017"), *household_of(1))
    assert levels(node, clock)["province"] is Level.danger
    with node.database.write() as connection:
        late = stamp(clock.now() - timedelta(days=2))
        connection.execute(node_table.update().values(relayed_at=late))
    assert levels(node, clock)["province"] is Level.todo


def test_a_clock_behind_what_is_stored_or_far_from_the_province_is_noticed(
    node: TestNode, clock: TestClock
) -> None:
    make_safe(node, clock)
    clock.forward(timedelta(hours=-3))
    assert levels(node, clock)["clock"] is Level.danger
    assert "3 heures" in found(node, clock)["clock"].found
    clock.forward(timedelta(hours=3))
    for offset, level in ((600.0, Level.todo), (-600.0, Level.todo), (200_000.0, Level.danger)):
        with node.database.write() as connection:
            connection.execute(node_table.update().values(upstream_offset=offset))
        assert levels(node, clock)["clock"] is level


def test_gaps_forks_conflicts_and_lines_aside_are_counted(node: TestNode, clock: TestClock) -> None:
    make_safe(node, clock)
    tablet, clerk = node.tablet("CD-KN-017"), node.tablet("CD-KN-017", role="clerk")
    person = new("person", {"nom": "Mbuyi"})
    node.push(tablet, person)
    node.push(clerk, {"kind": "person", "id": person["id"], "set": {"nom": "Mbuya"}}, b"{")
    copy = tablet.clone()
    for each, name in ((tablet, "Un"), (copy, "Deux")):
        node.push(each, new("person", {"nom": name}))
    told = found(node, clock)
    assert {"conflicts", "quarantine", "chains"} <= set(levels(node, clock))
    assert told["conflicts"].found.startswith("1 conflit ")
    assert told["quarantine"].found.startswith("1 ligne mise de côté")
    assert "1 numéro en double" in told["chains"].found
    with node.database.write() as connection:
        connection.execute(device_contact.update().values(prev_gap=True))
    # The three tablets, and the server itself.
    assert "4 chaînes" in found(node, clock)["chains"].found


def test_a_folder_that_is_not_the_databases_is_noticed(node: TestNode, clock: TestClock) -> None:
    make_safe(node, clock)
    with node.database.write() as connection:
        connection.execute(node_table.update().values(feed="11111111-1111-4111-8111-111111111111"))
    assert levels(node, clock)["identity"] is Level.todo
    (folder(node) / "node.json").rename(folder(node) / "node.away")
    assert levels(node, clock)["identity"] is Level.danger


def test_a_node_that_catches_up_or_whose_database_is_older_than_its_folder_is_told_so(
    node: TestNode, clock: TestClock
) -> None:
    make_safe(node, clock)
    with node.database.write() as connection:
        connection.execute(node_table.update().values(catching_up=True))
    assert levels(node, clock) == {"catching_up": Level.todo}
    Identity.read(folder(node)).write(folder(node), Marks(7, 10_000))
    assert levels(node, clock)["identity"] is Level.todo


def test_an_older_schema_ends_the_examination(node: TestNode, clock: TestClock) -> None:
    with node.database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '2026_11_22_ledger'"))
    told = found(node, clock)
    assert told["schema"].level is Level.danger
    assert "mboka upgrade" in told["schema"].todo


def test_a_commune_without_the_provinces_certificate_is_told_how_to_get_it(
    database: Database, tmp_path: Path, clock: TestClock
) -> None:
    alone = make_node(database, tmp_path, kind="commune", clock=clock)
    assert "upstream join" in found(alone, clock)["node_cert"].todo


def test_a_full_disk_is_told_before_it_is_full(
    node: TestNode, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_safe(node, clock)
    for limit, level in (("DISK_LOW", Level.todo), ("DISK_FULL", Level.danger)):
        monkeypatch.setattr(doctor, limit, 1 << 60)
        assert levels(node, clock) == {"disk": level}


def test_a_tls_certificate_is_watched_before_it_ends(
    node: TestNode, clock: TestClock, tmp_path: Path
) -> None:
    make_safe(node, clock)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "commune.example")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    start = clock.now()
    signed = builder.not_valid_before(start).not_valid_after(start + timedelta(days=30)).sign(key, SHA256())
    file = tmp_path / "cert.pem"
    from cryptography.hazmat.primitives.serialization import Encoding

    file.write_bytes(signed.public_bytes(Encoding.PEM))
    for days, level in ((0, Level.fine), (15, Level.todo), (16, Level.danger)):
        clock.forward(timedelta(days=days))
        assert found(node, clock, tls_cert=file)["tls"].level is level
    file.write_bytes(b"nothing")
    assert found(node, clock, tls_cert=file)["tls"].level is Level.danger


def test_a_damaged_database_file_is_found(tmp_path: Path, clock: TestClock) -> None:
    (tmp_path / "mboka.db").write_bytes(b"SQLite format 3\x00" + b"\xff" * 8192)
    told = examine(Settings(data=tmp_path), clock=clock)
    assert told[-1].code == "database_unreadable"
    assert told[-1].level is Level.danger


def test_the_command_ends_with_the_worst_level_and_changes_nothing(
    node: TestNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save(folder(node), {"database_url": node.database.url.render_as_string(hide_password=False)})
    before = {each.name: each.read_bytes() for each in folder(node).iterdir()}
    for words, inside in ((["--json"], '"recovery_key"'), ([], "✗ Aucune clé de secours")):
        monkeypatch.setattr(sys, "argv", ["mboka", "doctor", "--data", str(folder(node)), *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr().out
        assert left.value.code == 2
        assert inside in said
        if words:
            assert json.loads(said)["level"] == 2
        else:
            assert len([line for line in said.splitlines() if line[:1] in "✓!✗"]) == len(said.splitlines())
    assert {each.name: each.read_bytes() for each in folder(node).iterdir()} == before
