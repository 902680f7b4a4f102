"""What a device remembers, in memory and on disk alike; and what only the disk must stand: kills, full disks."""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sync.sqlite_store import SqliteStore
from sync.store import Damaged, MemoryStore, Open, Page, Receipt, Sealed, Store

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    made: Store = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "tablet")
    made.begin_epoch(7)
    return made


def save(store: Store, *lines: bytes, marks: Sequence[str] = ()) -> int:
    return store.save(lambda _ep, _first: list(lines), marks)


def make(found: Open) -> Sealed:
    data = b"\n".join([b"header", *found.lines, b""])
    return Sealed(
        ep=found.ep,
        first=found.first,
        last=found.first + len(found.lines) - 1,
        sha256=hashlib.sha256(data).hexdigest(),
        prev=found.prev,
        signature="h..s",
        content=gzip.compress(data, mtime=0),
        size=len(data),
        contact=2,
        sealed_at=5.0,
    )


def seal(store: Store, *, most_operations: int = 5000, most_bytes: int = 1 << 20) -> Sealed:
    found = store.seal(make, most_operations=most_operations, most_bytes=most_bytes)
    assert found is not None
    return found


def receipt(
    sealed: Sealed, node: str, *, province: bool = False, at: str = "2026-02-02T09:00:00Z"
) -> Receipt:
    return Receipt(sealed.sha256, node, province, at, b"{}", "h..s")


def row(identity: str, *, rev: int, area: str = "A", **values: Any) -> dict[str, Any]:
    return {"kind": "person", "id": identity, "area": area, "seq": rev, "rev": rev, "set": values}


def leave(identity: str, *, rev: int, area: str = "A") -> dict[str, Any]:
    return {"kind": "person", "leave": identity, "area": area, "seq": rev, "rev": rev}


def apply(
    store: Store, *lines: dict[str, Any], feed: str = "f", more: bool = False, own: set[Any] | None = None
) -> None:
    after = {each["area"]: str(each["seq"]) for each in lines if "area" in each}
    store.apply(Page(list(lines), after, feed, more, {"7": [[1, 2]]}), lambda: own or set())


def test_numbers_follow_each_other_over_saves_and_start_anew_in_a_new_epoch(store: Store) -> None:
    given: list[tuple[int, int]] = []

    def number(ep: int, first: int) -> list[bytes]:
        given.append((ep, first))
        return [b"a", b"b"]

    assert store.save(number) == 2
    store.save(number)
    store.begin_epoch(9)
    store.save(number)
    assert given == [(7, 1), (7, 3), (9, 1)]
    assert store.epochs() == {7: 4, 9: 2}
    assert [(ep, n) for ep, n, _ in store.open_lines()] == [(7, 1), (7, 2), (7, 3), (7, 4), (9, 1), (9, 2)]


def test_a_save_that_is_refused_leaves_nothing_behind(store: Store) -> None:
    def refuse(_ep: int, _first: int) -> list[bytes]:
        raise ValueError

    with pytest.raises(ValueError):
        store.save(refuse, ["door"])
    assert store.epochs() == {7: 0}
    assert store.marked(["door"]) == set()


def test_eight_threads_never_give_one_number_twice(store: Store) -> None:
    threads = [
        threading.Thread(target=lambda: [save(store, b"x", b"y") for _ in range(20)]) for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [n for _, n, _ in store.open_lines()] == list(range(1, 321))


def test_marks_are_remembered_with_the_lines_they_came_with(store: Store) -> None:
    save(store, b"a", marks=["door 1"])
    assert store.marked(["door 1", "door 2"]) == {"door 1"}


def test_a_batch_takes_what_fits_and_at_least_one_line(store: Store) -> None:
    save(store, b"x" * 50, b"y" * 9, b"z" * 9, b"w" * 9)
    found = [seal(store, most_bytes=20), seal(store, most_bytes=20), seal(store, most_bytes=20)]
    assert [(each.first, each.last) for each in found] == [(1, 1), (2, 3), (4, 4)]
    assert store.seal(make, most_operations=1, most_bytes=20) is None
    assert store.open_lines() == []


def test_each_batch_names_the_one_before_it_in_its_epoch_and_old_epochs_go_first(store: Store) -> None:
    save(store, b"a", b"b", b"c")
    store.begin_epoch(9)
    save(store, b"d")
    found = [seal(store, most_operations=2) for _ in range(3)]
    assert [(each.ep, each.first, each.prev) for each in found] == [
        (7, 1, None),
        (7, 3, found[0].sha256),
        (9, 1, None),
    ]
    assert [each.sha256 for each in store.batches()] == [each.sha256 for each in found]


def test_a_batch_is_received_and_settled_by_the_receipts_held(store: Store) -> None:
    save(store, b"a")
    sealed = seal(store)
    stranger = Receipt("0" * 64, "commune", False, "2026-02-02T09:00:00Z", b"{}", "h..s")
    assert store.keep_receipts([receipt(sealed, "commune"), stranger]) == (1, [stranger])
    assert store.keep_receipts([receipt(sealed, "commune")]) == (0, [])
    assert store.batches()[0].nodes == {"commune"}
    assert store.batches()[0].settled_at is None
    store.keep_receipts([receipt(sealed, "province", province=True, at="2026-02-03T09:00:00Z")])
    assert store.batches()[0].nodes == {"commune", "province"}
    assert store.batches()[0].settled_at == "2026-02-03T09:00:00Z"


def test_deleted_bytes_are_gone_and_what_they_were_is_still_known(store: Store) -> None:
    save(store, b"a")
    sealed = seal(store)
    assert gzip.decompress(store.content(sealed.sha256)) == b"header\na\n"
    store.forget([sealed.sha256])
    with pytest.raises(KeyError):
        store.content(sealed.sha256)
    held = store.batches()[0]
    assert (held.kept, held.first, held.last, held.contact, held.sealed_at) == (False, 1, 1, 2, 5.0)


def test_tries_and_a_refusal_are_noted_and_a_new_try_lifts_the_refusal(store: Store) -> None:
    save(store, b"a")
    sealed = seal(store)
    store.note_try(sealed.sha256)
    store.note_try(sealed.sha256, "bad_signature")
    assert (store.batches()[0].tries, store.batches()[0].refused) == (1, "bad_signature")
    store.note_try(sealed.sha256)
    assert (store.batches()[0].tries, store.batches()[0].refused) == (2, None)


def test_an_older_line_about_a_person_never_replaces_a_newer_one(store: Store) -> None:
    apply(store, row("p", rev=3, nom="Ilunga"))
    apply(store, row("p", rev=2, nom="Mbuyi"), row("p", rev=3, nom="Kalala"))
    found = store.row("person", "p")
    assert found is not None
    assert found["set"] == {"nom": "Ilunga"}
    assert store.count_rows() == {"person": 1}
    assert store.facts()["have"] == {"7": [[1, 2]]}


@pytest.mark.parametrize("areas", [("A", "B"), ("B", "A")])
def test_a_family_that_moved_away_and_back_is_there_in_both_orders_of_reading(
    store: Store, areas: tuple[str, str]
) -> None:
    apply(store, row("p", rev=1, area="A"))
    news = {"A": [row("p", rev=3, area="A")], "B": [leave("p", rev=3, area="B")]}
    for area in areas:
        apply(store, *news[area])
    assert store.count_rows() == {"person": 1}


@pytest.mark.parametrize("areas", [("A", "B"), ("B", "A")])
def test_a_family_that_moved_is_held_once_in_both_orders_of_reading(
    store: Store, areas: tuple[str, str]
) -> None:
    apply(store, row("p", rev=1, area="A"))
    news = {"A": [leave("p", rev=2, area="A")], "B": [row("p", rev=2, area="B")]}
    for area in areas:
        apply(store, *news[area])
    found = store.row("person", "p")
    assert found is not None
    assert found["area"] == "B"


def test_who_left_for_an_area_not_read_here_is_no_longer_shown(store: Store) -> None:
    apply(store, row("p", rev=1), row("q", rev=1))
    apply(store, leave("p", rev=2))
    assert store.row("person", "p") is None
    assert store.count_rows() == {"person": 1}


def test_a_withdrawn_area_is_emptied_except_of_own_work_not_settled(store: Store) -> None:
    apply(store, row("p", rev=1), row("q", rev=1), row("r", rev=1, area="B"))
    apply(store, {"drop": "A"}, own={("person", "q")})
    assert [store.row("person", each) is not None for each in "pqr"] == [False, True, True]
    assert store.positions() == {"B": "1"}


def test_a_restored_server_is_read_from_the_start_and_old_rows_stay_until_that_is_done(store: Store) -> None:
    apply(store, row("p", rev=9, nom="Ilunga"), row("q", rev=9), row("own", rev=9))
    store.restart()
    assert store.positions() == {}
    apply(store, row("p", rev=2, nom="Mbuyi"), feed="g", more=True)
    assert store.count_rows() == {"person": 3}
    apply(store, row("r", rev=3), feed="g", own={("person", "own")})
    assert [store.row("person", each) is not None for each in ("p", "q", "r", "own")] == [
        True,
        False,
        True,
        True,
    ]
    found = store.row("person", "p")
    assert found is not None
    assert found["set"] == {"nom": "Mbuyi"}
    assert store.positions() == {"A": "3"}


def test_rows_met_again_unchanged_survive_a_second_reading(store: Store) -> None:
    apply(store, row("p", rev=2))
    store.restart()
    apply(store, row("p", rev=2))
    assert store.count_rows() == {"person": 1}


def test_dropping_the_rows_leaves_the_outbox_alone(store: Store) -> None:
    save(store, b"a", b"b")
    seal(store, most_operations=1)
    apply(store, row("p", rev=1))
    store.drop_rows()
    assert (store.count_rows(), store.positions()) == ({}, {})
    assert (len(store.batches()), len(store.open_lines())) == (1, 1)


# only on disk ------------------------------------------------------------------------------------------


def test_everything_is_there_after_the_program_ended(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path)
    first.begin_epoch(7)
    first.remember({"grant": "g"})
    save(first, b"a", b"b", marks=["door"])
    sealed = seal(first, most_operations=1)
    first.keep_receipts([receipt(sealed, "province", province=True)])
    apply(first, row("p", rev=1))
    first.close()
    second = SqliteStore(tmp_path)
    assert second.facts()["grant"] == "g"
    assert second.epochs() == {7: 2}
    assert second.open_lines() == [(7, 2, b"b")]
    assert second.content(sealed.sha256) == sealed.content
    assert second.batches()[0].settled_at == "2026-02-02T09:00:00Z"
    assert (second.marked(["door"]), second.count_rows()) == ({"door"}, {"person": 1})


def test_nobody_else_on_the_machine_can_read_the_key(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "tablet").close()
    assert (tmp_path / "tablet" / "outbox.sqlite").stat().st_mode & 0o077 == 0
    assert (tmp_path / "tablet").stat().st_mode & 0o077 == 0


def test_an_outbox_of_a_newer_program_or_a_broken_file_is_not_touched(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "newer").close()
    with sqlite3.connect(tmp_path / "newer" / "outbox.sqlite") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(Damaged, match="autre version"):
        SqliteStore(tmp_path / "newer")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "outbox.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(Damaged, match="ne peut pas s'ouvrir"):
        SqliteStore(tmp_path / "broken")


def test_a_full_disk_is_said_in_french_and_loses_no_number(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.begin_epoch(7)
    save(store, b"a")
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(Damaged, match="Rien n'a été enregistré"):
        save(store, *[b"x" * 60_000] * 10)
    store._db.execute("PRAGMA max_page_count=100000")
    assert store.epochs() == {7: 1}
    save(store, b"b")
    assert store.open_lines() == [(7, 1, b"a"), (7, 2, b"b")]


KILLED = """
import sys
from pathlib import Path
from sync.sqlite_store import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
store.begin_epoch(7)
while True:
    store.save(lambda ep, first: [b"%d" % n for n in range(first, first + 10)])
    print(store.epochs()[7], flush=True)
"""


def test_a_tablet_killed_while_writing_keeps_whole_saves_and_all_it_confirmed(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    confirmed = [int(process.stdout.readline()) for _ in range(20)]
    os.kill(process.pid, signal.SIGKILL)
    confirmed += [int(line) for line in process.stdout.read().split()]
    process.stdout.close()
    process.wait()
    lines = SqliteStore(tmp_path).open_lines()
    assert len(lines) >= confirmed[-1] >= 200
    assert len(lines) % 10 == 0
    assert [line for _, _, line in lines] == [b"%d" % n for n in range(1, len(lines) + 1)]
