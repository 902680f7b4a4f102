"""A backup taken while the server works comes back whole on either engine, and a bad one changes nothing."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec

from app.clock import Clock
from app.database import Database
from app.errors import Problem
from app.keeping_safe import backup
from app.keeping_safe.contents import Counted, End, Manifest, Rows, read_records
from app.keeping_safe.envelope import PIECE, TAG, Opening, Stream
from app.keeping_safe.recovery import make_recovery_key, read_private
from app.keeping_safe.restore import restore
from app.law.registers import sheets_of_volume
from app.ledger.node import Identity
from app.ledger.tables import batch
from app.main import create_app
from app.node import Node
from app.settings import load
from tests.keeping_safe.history import (
    PASSPHRASE,
    backed_up,
    feed_of,
    folder,
    recovery_key,
    tables_of,
    write_acts,
)
from tests.ledger import state
from tests.nodes import TestNode, household_of
from tests.web.client import InProcess

DRAWN_ANEW = {"node"}


def restored(
    file: Path, key: ec.EllipticCurvePrivateKey, *, to: Path, url: str = "", replace: bool = False
) -> TestNode:
    """The backup restored into the folder `to` and opened as its server opens it."""
    to.mkdir(exist_ok=True)
    restore(
        to,
        file,
        recovery=key,
        database_url=url,
        replace=replace,
        clock=Clock(),
        told=lambda done, total: None,
    )
    made = Node.open(load(to))
    application = create_app(made)
    return TestNode(made, application, InProcess(application))


def contents(file: Path, key: ec.EllipticCurvePrivateKey) -> tuple[Manifest, End]:
    """The first and the last record of a backup."""
    records = list(read_records(Stream(Opening(file, recovery=key)).take))
    assert isinstance(records[0], Manifest)
    assert isinstance(records[-1], End)
    assert all(isinstance(each, Rows) for each in records[1:-1])
    return records[0], records[-1]


def same(found: dict[str, Counted], wanted: dict[str, Counted]) -> bool:
    return {n: c for n, c in found.items() if n not in DRAWN_ANEW} == {
        n: c for n, c in wanted.items() if n not in DRAWN_ANEW
    }


def test_a_backup_comes_back_row_by_row_on_the_other_engine_and_from_there_again(
    node: TestNode, tmp_path: Path, other_engine: str
) -> None:
    key, before = recovery_key(node), tables_of(node.database)
    backed_up(node, tmp_path / "one.mbk")
    there = restored(tmp_path / "one.mbk", key, to=tmp_path / "there", url=other_engine)
    assert same(tables_of(there.database), before)
    assert state.rows(there, "household", "person", "visit", "act") == state.rows(
        node, "household", "person", "visit", "act"
    )
    key = read_private(folder(node).with_name(f"{folder(node).name}.pem"), passphrase=PASSPHRASE)
    backed_up(there, tmp_path / "two.mbk")
    back = restored(tmp_path / "two.mbk", key, to=tmp_path / "back")
    assert same(tables_of(back.database), before)
    for each in (there, back):
        each.database.close()


def test_a_restored_node_is_itself_under_a_new_epoch_and_feed_and_goes_on_working(
    node: TestNode, tmp_path: Path, other_engine: str
) -> None:
    key = recovery_key(node)
    backed_up(node, tmp_path / "b.mbk")
    there = restored(tmp_path / "b.mbk", key, to=tmp_path / "there", url=other_engine)
    old, new = Identity.read(folder(node)), Identity.read(tmp_path / "there")
    assert (new.dev, new.key.pem()) == (old.dev, old.key.pem())
    assert new.ep != old.ep
    assert new.feed != old.feed
    assert feed_of(there.database) == (new.ep, new.feed)
    # The counters of PostgreSQL were moved on: what is written next takes numbers nobody has.
    write_acts(there)
    there.push(there.tablet("CD-KN-017"), *household_of(2))
    with pytest.raises(sa.exc.DatabaseError), there.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM act")
    with pytest.raises(sa.exc.IntegrityError), there.database.write() as connection:
        connection.exec_driver_sql("UPDATE conflict SET area = 1000000")
    there.database.close()


@pytest.mark.usefixtures("shipped_law")
def test_the_files_of_a_jurist_come_back_with_the_node(node: TestNode, tmp_path: Path) -> None:
    key = recovery_key(node)
    sheets = "in_force_from,in_force_to,sheets,source,status\n1988-08-01,,250,arrêté n° 12,verified\n"
    (folder(node) / "law").mkdir()
    (folder(node) / "law" / "register_sheets.csv").write_text(sheets, encoding="utf-8")
    backed_up(node, tmp_path / "b.mbk")
    there = restored(tmp_path / "b.mbk", key, to=tmp_path / "there")
    assert (tmp_path / "there" / "law" / "register_sheets.csv").read_text(encoding="utf-8") == sheets
    assert sheets_of_volume(date(2026, 2, 2)) == 250
    there.database.close()


def test_a_backup_is_one_moment_while_tablets_push(node: TestNode, tmp_path: Path) -> None:
    key, tablet, ended = recovery_key(node), node.tablet("CD-KN-017"), threading.Event()

    def push() -> None:
        while not ended.is_set():
            node.push(tablet, *household_of(2))

    pushing = [threading.Thread(target=push) for _ in range(1)]
    for each in pushing:
        each.start()
    try:
        done = [backed_up(node, tmp_path / f"{number}.mbk") for number in range(3)]
    finally:
        ended.set()
        for each in pushing:
            each.join(60)
    assert done[0]["batches"] < done[-1]["batches"]
    for number, told in enumerate(done):
        there = restored(tmp_path / f"{number}.mbk", key, to=tmp_path / f"n{number}")
        _, end = contents(tmp_path / f"{number}.mbk", key)
        found = tables_of(there.database)
        assert same(found, end.tables)
        with node.database.read() as connection:
            held = connection.execute(
                sa.select(sa.func.count()).where(batch.c.id <= told["batches"]).select_from(batch)
            ).scalar_one()
        assert found["batch"].rows == held
        # A batch is there with all it made or not at all.
        assert found["household"].rows * 2 + 6 - 4 <= found["person"].rows
        rows, opened = state.rows(there), state.rollups(there)
        assert sum(opened["census_cell"][k] for k in opened["census_cell"] if k[2] == "households") == sum(
            each.startswith("household") for each in rows
        )
        there.database.close()


def test_the_last_good_backup_is_remembered(node: TestNode, tmp_path: Path) -> None:
    assert backup.last_backup(folder(node)) is None
    recovery_key(node)
    done = backed_up(node, tmp_path / "b.mbk")
    assert backup.last_backup(folder(node)) == done
    assert backup.sha256_of(tmp_path / "b.mbk") == done["sha256"]
    assert (tmp_path / "b.mbk").stat().st_mode & 0o077 == 0
    assert list(tmp_path.glob("*.new")) == []


def test_nothing_of_a_family_or_a_key_can_be_read_in_the_file(node: TestNode, tmp_path: Path) -> None:
    recovery_key(node)
    backed_up(node, tmp_path / "b.mbk")
    written = (tmp_path / "b.mbk").read_bytes()
    for secret in (b"Mbuyi", b"PRIVATE", node.door.identity.dev.encode(), b"person"):
        assert secret not in written


def test_without_a_recovery_key_nothing_is_written(node: TestNode, tmp_path: Path) -> None:
    with pytest.raises(Problem) as refused:
        backed_up(node, tmp_path / "b.mbk")
    assert refused.value.type.code == "no_recovery_key"
    assert list(tmp_path.glob("b.mbk*")) == []


@pytest.mark.parametrize("place", [20, 200, 5000, -1, -20])
def test_a_flipped_byte_is_noticed_and_nothing_is_restored(
    node: TestNode, tmp_path: Path, place: int
) -> None:
    key, file = recovery_key(node), tmp_path / "b.mbk"
    backed_up(node, file)
    written = bytearray(file.read_bytes())
    written[place] ^= 1
    file.write_bytes(written)
    refuses(file, key, tmp_path / "new", "backup_damaged", "recovery_key_wrong")


@pytest.mark.parametrize("left", [0, 10, 300, 0.5, -1])
def test_a_cut_file_is_noticed_and_nothing_is_restored(node: TestNode, tmp_path: Path, left: float) -> None:
    key, file = recovery_key(node), tmp_path / "b.mbk"
    backed_up(node, file)
    written = file.read_bytes()
    file.write_bytes(written[: int(left * len(written)) if 0 < left < 1 else int(left)])
    refuses(file, key, tmp_path / "new", "backup_damaged")


def refuses(file: Path, key: ec.EllipticCurvePrivateKey, to: Path, *codes: str) -> None:
    """Restoring this file is refused with one of these codes and leaves the folder empty."""
    with pytest.raises(Problem) as refused:
        restored(file, key, to=to)
    assert refused.value.type.code in codes
    assert list(to.iterdir()) == []


def test_pieces_cut_at_their_border_moved_or_doubled_are_noticed(tmp_path: Path) -> None:
    from app.keeping_safe.envelope import Sealing

    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "sealed"
    sealing = Sealing(path, key.public_key())
    noise = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(40_000))
    sealing.write(noise)
    sealing.close()
    whole = path.read_bytes()
    assert b"".join(Opening(path, recovery=key).pieces()) == noise
    size = PIECE + TAG
    start = whole.index(b"}") + 1
    pieces = [whole[at : at + size] for at in range(start, len(whole), size)]
    assert len(pieces) > 3
    for wrong in (
        pieces[:-1],
        pieces[:2],
        [pieces[1], pieces[0], *pieces[2:]],
        [*pieces[:2], *pieces[1:]],
        pieces[1:],
    ):
        path.write_bytes(whole[:start] + b"".join(wrong))
        with pytest.raises(Problem, match="backup_damaged"):
            list(Opening(path, recovery=key).pieces())


def test_another_recovery_key_or_passphrase_is_named_as_the_reason(node: TestNode, tmp_path: Path) -> None:
    recovery_key(node)
    backed_up(node, tmp_path / "b.mbk")
    refuses(
        tmp_path / "b.mbk", ec.generate_private_key(ec.SECP256R1()), tmp_path / "new", "recovery_key_wrong"
    )
    with pytest.raises(Problem, match="passphrase_wrong"):
        read_private(folder(node).with_name(f"{folder(node).name}.pem"), passphrase="autre chose")


def test_the_recovery_key_stays_out_of_the_folder_and_is_not_replaced_by_accident(
    node: TestNode, tmp_path: Path
) -> None:
    data = folder(node)
    with pytest.raises(Problem, match="recovery_key_beside_data"):
        make_recovery_key(data, data / "usb" / "key.pem", passphrase=PASSPHRASE)
    with pytest.raises(Problem, match="passphrase_short"):
        make_recovery_key(data, tmp_path / "key.pem", passphrase="court")
    make_recovery_key(data, tmp_path / "key.pem", passphrase=PASSPHRASE)
    for to in (tmp_path / "key.pem", tmp_path / "second.pem"):
        with pytest.raises(Problem, match="recovery_key_exists"):
            make_recovery_key(data, to, passphrase=PASSPHRASE)
    make_recovery_key(data, tmp_path / "second.pem", passphrase=PASSPHRASE, replace=True)
    backed_up(node, tmp_path / "b.mbk")
    first = read_private(tmp_path / "key.pem", passphrase=PASSPHRASE)
    refuses(tmp_path / "b.mbk", first, tmp_path / "new", "recovery_key_wrong")


def test_a_register_that_is_there_is_not_overwritten(node: TestNode, tmp_path: Path, engine: str) -> None:
    key, data = recovery_key(node), tmp_path / "there"
    backed_up(node, tmp_path / "b.mbk")
    url = "" if engine == "sqlite" else node.database.url.render_as_string(hide_password=False)
    restored(tmp_path / "b.mbk", key, to=data).database.close()
    with pytest.raises(Problem, match="restore_not_empty"):
        restored(tmp_path / "b.mbk", key, to=data, url=url)
    if engine == "postgresql":
        with pytest.raises(Problem, match="restore_not_empty"):
            restored(tmp_path / "b.mbk", key, to=data, url=url, replace=True)
        return
    first = feed_of(opened(data))
    again = restored(tmp_path / "b.mbk", key, to=data, replace=True)
    (aside,) = data.glob("before-restore-*.db")
    assert feed_of(Database(f"sqlite:///{aside}")) == first
    assert feed_of(again.database) != first
    again.database.close()


def opened(data: Path) -> Database:
    return Database(load(data).url)


def test_a_folder_of_another_node_is_left_alone(node: TestNode, tmp_path: Path) -> None:
    key, data = recovery_key(node), tmp_path / "other"
    backed_up(node, tmp_path / "b.mbk")
    data.mkdir()
    Identity.draw().write(data)
    with pytest.raises(Problem, match="node_differs"):
        restored(tmp_path / "b.mbk", key, to=data)
    assert [each.name for each in data.iterdir()] == ["node.json"]


def test_only_the_newest_backups_of_this_node_are_kept(node: TestNode, tmp_path: Path) -> None:
    recovery_key(node)
    usb = tmp_path / "usb"
    usb.mkdir()
    strange = usb / "mboka-CD-KN-001-20200101T000000.mbk"
    strange.write_bytes(b"another commune's")
    for day in range(1, 5):
        (usb / f"mboka-CD-KN-017-2026010{day}T000000.mbk").write_bytes(b"old")
    done = backed_up(node, usb)
    removed = backup.remove_older(Path(done["file"]), keep=3)
    assert [each.name for each in removed] == [f"mboka-CD-KN-017-2026010{day}T000000.mbk" for day in (1, 2)]
    assert strange.exists()
    assert Path(done["file"]).exists()


def test_a_disk_that_takes_nothing_leaves_the_old_backup(
    node: TestNode, tmp_path: Path, fresh_database_url: Callable[[], str | None]
) -> None:
    recovery_key(node)
    backed_up(node, tmp_path / "b.mbk")
    before = (tmp_path / "b.mbk").read_bytes()
    (tmp_path / "b.mbk.new").mkdir()
    with pytest.raises(Problem, match="not_backed_up"):
        backed_up(node, tmp_path / "b.mbk")
    assert (tmp_path / "b.mbk").read_bytes() == before
    assert json.loads((folder(node) / "backup.json").read_text())["sha256"] == backup.sha256_of(
        tmp_path / "b.mbk"
    )
