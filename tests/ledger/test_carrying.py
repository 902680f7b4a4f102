"""Batches and receipts carried on a USB key count as over the network: once, whoever carries them, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa

from app.cli import main
from app.errors import Problem
from app.ledger import carrying
from app.ledger.relay import accept_bundle
from app.ledger.tables import batch
from app.settings import save
from sync import carrying as files
from sync.answers import SyncError
from sync.bundle import Record, read_bundle, write_bundle
from sync.carrying import Exported, Receiver, export, open_file, receiver_of, seal_file, take_file
from sync.client import Tablet
from sync.seal import Key, sign_detached
from tests.ledger.pair import Two
from tests.ledger.test_receipts import persons_counted
from tests.nodes import TestNode, household_of
from tests.sync.devices import again, enrol
from tests.sync.network import HOME, Network


@pytest.fixture
def network(two: Two) -> Network:
    """The line to the commune; the province is out of reach."""
    return Network({HOME: two.commune.app})


@pytest.fixture
def tablet(two: Two, network: Network, tmp_path: Path) -> Tablet:
    """A tablet enrolled at the commune with three batches nobody has seen."""
    made = enrol(two.commune, network, tmp_path / "tablet")
    for _ in range(3):
        made.save(household_of(2))
        made.seal()
    made.save(household_of(1))
    network.applications.clear()
    return made


def carry(tablet: Tablet, file: Path, to: str | None = None) -> Exported:
    *_, done = export(tablet, file, receiver=receiver_of(tablet, to))
    return done


def hand_over(node: TestNode, file: Path, answer: Path | None = None) -> carrying.Taken:
    taken = carrying.take_file(node.door, file)
    if answer is not None:
        assert list(carrying.answer(node.door, taken, file=answer)) == [answer]
    return taken


def bring_back(tablet: Tablet, file: Path) -> tuple[int, int]:
    """(new receipts, operations settled)."""
    found = take_file(tablet, file)
    assert (found.refused, found.strange) == (0, 0)
    return found.receipts, tablet.status()["settled"]


def test_work_goes_up_and_receipts_come_down_without_any_network(
    two: Two, tablet: Tablet, tmp_path: Path
) -> None:
    done = carry(tablet, tmp_path / "up")
    assert (done.files, done.batches, done.operations) == ((tmp_path / "up",), 4, 15)
    taken = hand_over(two.commune, tmp_path / "up", tmp_path / "back")
    assert (taken.batches, taken.refused, persons_counted(two.commune)) == (4, 0, 7)
    assert bring_back(tablet, tmp_path / "back") == (4, 0)
    assert tablet.status()["received"] == 15
    # The commune's own work and the tablet's go on to the province in one file.
    assert sum(count for _, count in carrying.export(two.commune.door, tmp_path / "to-province")) >= 4
    hand_over(two.province, tmp_path / "to-province", tmp_path / "from-province")
    assert persons_counted(two.province) == 7
    assert hand_over(two.commune, tmp_path / "from-province").receipts >= 4
    assert list(carrying.export(two.commune.door, tmp_path / "nothing")) == []
    hand_over(two.commune, tmp_path / "up", tmp_path / "back2")
    assert bring_back(tablet, tmp_path / "back2") == (4, 15)
    assert (persons_counted(two.commune), persons_counted(two.province)) == (7, 7)


def test_a_tablet_may_carry_its_work_to_the_province_itself(two: Two, tablet: Tablet, tmp_path: Path) -> None:
    carry(tablet, tmp_path / "up", "province")
    assert hand_over(two.province, tmp_path / "up", tmp_path / "back").batches == 4
    assert bring_back(tablet, tmp_path / "back") == (4, 15)


def test_a_file_taken_twice_counts_once_and_gives_the_same_receipts(
    two: Two, tablet: Tablet, tmp_path: Path
) -> None:
    carry(tablet, tmp_path / "up")
    first = hand_over(two.commune, tmp_path / "up")
    second = hand_over(two.commune, tmp_path / "up")
    assert first.answers == second.answers
    assert persons_counted(two.commune) == 7


def test_after_carrying_the_network_brings_the_receipts_and_nothing_is_sent_again(
    two: Two, tablet: Tablet, network: Network, tmp_path: Path
) -> None:
    carry(tablet, tmp_path / "up")
    hand_over(two.commune, tmp_path / "up")
    network.applications[HOME] = two.commune.app
    again(tablet, network).push()
    assert network.sent("/batches") == []
    assert tablet.status()["received"] == 15
    two.relay()
    again(tablet, network).fetch_receipts()
    assert tablet.status()["settled"] == 15


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def changed(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + (b"A" if data[middle : middle + 1] != b"A" else b"B") + data[middle + 1 :]


@pytest.mark.parametrize("spoil", [cut, changed, lambda _data: b"", lambda _data: b"une photo"])
def test_a_file_that_was_cut_or_changed_is_taken_not_at_all_and_said_so(
    two: Two, tablet: Tablet, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    carry(tablet, tmp_path / "up")
    hand_over(two.commune, tmp_path / "up", tmp_path / "back")
    for name in ("up", "back"):
        (tmp_path / name).write_bytes(spoil((tmp_path / name).read_bytes()))
    with pytest.raises(Problem) as refused:
        carrying.take_file(two.commune.door, tmp_path / "up")
    assert (refused.value.type.code, "rien n'a été pris" in refused.value.detail) == (
        "bundle_unreadable",
        True,
    )
    with pytest.raises(SyncError, match="rien n'a été pris"):
        take_file(tablet, tmp_path / "back")
    assert tablet.status()["received"] == 0


def test_a_file_for_another_server_opens_nowhere_else(two: Two, tablet: Tablet, tmp_path: Path) -> None:
    carry(tablet, tmp_path / "up")
    with pytest.raises(Problem):
        carrying.take_file(two.province.door, tmp_path / "up")
    assert b"Mbuyi" not in (tmp_path / "up").read_bytes()
    assert persons_counted(two.province) == 0


def test_what_a_stranger_wrote_into_a_file_counts_for_nothing(
    two: Two, tablet: Tablet, tmp_path: Path
) -> None:
    """Anybody can encrypt to a server's public key: only the signatures inside count."""
    carry(tablet, tmp_path / "up")
    door = two.commune.door
    opened = list(read_bundle(open_file((tmp_path / "up").read_bytes(), door.identity.key)))
    forged = Record("batch", opened[1].body + b"{}\n", opened[1].signature)
    receipt = orjson.dumps({"node": two.province.door.identity.dev, "sha256": opened[1].sha256()})
    false = Record(
        "receipt",
        receipt,
        sign_detached(Key.generate(), receipt, kid=door.standing.upstream_node or "", typ="receipt"),
    )
    content = write_bundle([forged, false, *opened])
    (tmp_path / "mixed").write_bytes(
        seal_file(content, Receiver(door.identity.dev, door.identity.key.public))
    )
    taken = carrying.take_file(door, tmp_path / "mixed")
    assert (taken.batches, taken.refused) == (4, 2)
    with pytest.raises(Problem) as nobody:
        list(carrying.answer(door, taken, file=tmp_path / "answer"))
    assert nobody.value.type.code == "bundle_no_carrier"
    assert settled(two.commune) == 0


def settled(node: TestNode) -> int:
    with node.database.read() as connection:
        query = sa.select(sa.func.count()).where(batch.c.province_receipt.is_not(None))
        return int(connection.execute(query).scalar_one())


def test_receipts_of_the_province_count_in_a_bundle_over_the_network_too(
    two: Two, tablet: Tablet, tmp_path: Path
) -> None:
    carry(tablet, tmp_path / "up")
    hand_over(two.commune, tmp_path / "up")
    carry(tablet, tmp_path / "other", "province")
    receipts = [
        each for each in hand_over(two.province, tmp_path / "other").answers if each.type == "receipt"
    ]
    answer = accept_bundle(two.commune.door, write_bundle(receipts))
    assert (answer, settled(two.commune)) == (b"", 4)
    by_commune = hand_over(two.commune, tmp_path / "up").answers
    own = [each for each in by_commune if orjson.loads(each.body)["node"] == two.commune.door.identity.dev]
    refused = list(read_bundle(accept_bundle(two.commune.door, write_bundle(own))))
    assert [orjson.loads(each.body)["code"] for each in refused] == ["bad_signature"] * 4


def test_a_receipt_by_another_hand_settles_nothing_on_the_tablet(
    two: Two, tablet: Tablet, tmp_path: Path
) -> None:
    carry(tablet, tmp_path / "up", "province")
    taken = hand_over(two.province, tmp_path / "up")
    false = [
        Record(
            "receipt",
            each.body,
            sign_detached(Key.generate(), each.body, kid=orjson.loads(each.body)["node"], typ="receipt"),
        )
        for each in taken.answers
    ]
    refusal = orjson.dumps({"sha256": tablet.store.batches()[0].sha256, "code": "bad_signature"})
    (tmp_path / "false").write_bytes(
        seal_file(
            write_bundle([*false, Record("problem", refusal), Record("problem", b"?")]),
            Receiver(tablet.dev, tablet.key.public),
        )
    )
    found = take_file(tablet, tmp_path / "false")
    assert (found.receipts, found.strange, found.refused) == (0, 4, 1)
    assert tablet.status()["received"] == 0
    assert "refused" in {each["code"] for each in tablet.status()["alarms"]}


def test_a_large_bundle_is_several_files_that_are_taken_together(
    two: Two, tablet: Tablet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.portions, "__defaults__", (1500,))
    done = carry(tablet, tmp_path / "up")
    assert len(done.files) > 1
    assert [each.name for each in done.files] == [f"up.{at + 1}" for at in range(len(done.files))]
    assert files.files_of(tmp_path / "up") == list(done.files)
    for each in done.files:
        hand_over(two.commune, each)
    assert persons_counted(two.commune) == 7
    with pytest.raises(SyncError, match="existe déjà"):
        carry(tablet, tmp_path / "up")


def test_only_a_certificate_of_the_province_names_another_receiver(
    two: Two, tablet: Tablet, tmp_path: Path
) -> None:
    hello = two.province.client.get("/sync/v1/hello")
    (tmp_path / "hello.json").write_bytes(hello.content)
    (tmp_path / "cert").write_text(hello.json()["node_cert"])
    for name in ("hello.json", "cert"):
        receiver = receiver_of(tablet, files.read_certificate(tmp_path / name))
        assert receiver.id == two.province.door.identity.dev
    for strange in ("{}", "[]", "a.b.c"):
        (tmp_path / "cert").write_text(strange)
        with pytest.raises(SyncError):
            receiver_of(tablet, files.read_certificate(tmp_path / "cert"))


def test_a_province_has_nobody_to_carry_to(two: Two, tmp_path: Path) -> None:
    with pytest.raises(Problem) as refused:
        list(carrying.export(two.province.door, tmp_path / "up"))
    assert refused.value.type.code == "bundle_no_province"


def test_the_commands_carry_from_the_tablet_to_the_province_and_back(
    two: Two,
    tablet: Tablet,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sync.__main__ import main as device

    for node in (two.commune, two.province):
        url = node.database.url.render_as_string(hide_password=False)
        save(node.node.settings.data, {"database_url": url})

    def mboka(*words: object) -> None:
        monkeypatch.setattr("sys.argv", ["mboka", "bundle", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 0, capsys.readouterr()

    on_tablet = ["--data", str(tmp_path / "tablet")]
    commune, province = two.commune.node.settings.data, two.province.node.settings.data
    usb = tmp_path
    assert device([*on_tablet, "export", str(usb / "a")]) == 0
    mboka("import", usb / "a", "--data", commune)
    mboka("export", usb / "b", "--data", commune)
    mboka("import", usb / "b", "--data", province, "--answer", usb / "c")
    mboka("import", usb / "c", "--data", commune)
    mboka("import", usb / "a", "--data", commune, "--answer", usb / "d")
    assert device([*on_tablet, "import", str(usb / "d")]) == 0
    said = capsys.readouterr().out
    assert "4 lots écrits (15 opérations)." in said
    assert "8 nouveaux reçus" in said
    assert tablet.status()["settled"] == 15
    assert device([*on_tablet, "import", str(usb / "a")]) == 1
    assert "[unopened]" in capsys.readouterr().err
