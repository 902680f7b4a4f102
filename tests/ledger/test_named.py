"""The named tests of the protocol (section 8): which test proves each of them, and those that have no better place.

Each is written where its rule lives; the table makes them findable and fails when one of them goes away.
"""

from __future__ import annotations

import ast
import itertools
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.conftest import TestClock
from tests.faults.leg import KINDS
from tests.ledger import state
from tests.ledger.pair import Two
from tests.nodes import TestNode, household_of, new

TESTS = Path(__file__).parents[1]
IN_THE_HARNESS = "faults/test_faults.py::test_a_slice_of_the_harness_ends_with_nothing_lost_or_doubled"
NAMED: dict[str, tuple[str, ...]] = {
    "ack lost and two parallel retries": (
        "ledger/test_receipts.py::test_retries_that_come_while_the_first_is_being_folded_count_once",
        "ledger/test_bundles.py::test_a_relay_whose_answer_was_lost_is_made_again_and_counts_once",
    ),
    "long transaction commits behind a later number": (
        "ledger/test_named.py::test_a_long_transaction_is_not_overtaken_by_a_later_number",
        "ledger/test_feed_concurrency.py::test_a_reader_misses_no_row_of_eight_concurrent_writers_nor_sees_one_rolled_back",
        "ledger/test_feed_concurrency.py::test_numbers_drawn_before_the_commit_they_belong_to_do_make_a_reader_miss_rows",
    ),
    "update weeks before its create": (
        "ledger/test_door.py::test_an_edit_that_comes_weeks_before_its_person_waits_and_then_counts",
        "journeys/test_tablet_journey.py::test_an_edit_that_arrives_before_its_person_waits_for_nothing",
    ),
    "commune restored from a 3-day-old backup": (
        "ledger/test_named.py::test_a_commune_restored_from_a_backup_of_three_days_ago_ends_as_its_province",
        "ledger/test_repair.py::test_a_commune_restored_from_an_old_copy_ends_as_an_untouched_twin_and_gives_no_number_twice",
    ),
    "province restored after saying settled": (
        "ledger/test_repair.py::test_a_province_restored_after_it_said_settled_gets_everything_again",
    ),
    "cloned tablet, the fork arriving first at the other node": (
        "ledger/test_operations.py::test_two_lines_under_one_number_are_known_as_such_on_both_sides",
        "ledger/test_convergence.py::test_a_cloned_tablets_two_lines_stand_beside_each_other_whichever_comes_first",
        "journeys/test_tablet_journey.py::test_a_fork_that_reaches_the_province_by_another_road_is_seen_there",
    ),
    "same household registered twice offline, merged, edited under the losing id, unmerged": (
        "ledger/test_acts.py::test_the_same_household_registered_twice_merged_edited_under_the_losing_id_and_unmerged",
        "journeys/test_acts_journey.py::"
        "test_one_household_written_down_twice_is_merged_edited_under_the_losing_id_and_parted_again",
    ),
    "merge cycle a→b, b→a": (
        "ledger/test_acts.py::test_a_cycle_is_shown_under_the_smallest_id_and_listed_until_one_is_undone",
        "journeys/test_acts_journey.py::test_two_clerks_who_merge_in_a_circle_are_listed_until_one_takes_it_back",
    ),
    "household moved A→B→A read in both area orders": (
        "ledger/test_feed.py::test_a_household_that_comes_back_is_held_whichever_area_is_read_first",
        "sync/test_store.py::test_a_family_that_moved_away_and_back_is_there_in_both_orders_of_reading",
    ),
    "moved / dead here while edited three weeks there by an agent then revoked, batches already relayed": (
        "ledger/test_revocation_relayed.py::"
        "test_moved_and_dead_here_while_an_agent_edited_three_weeks_there_and_was_revoked",
    ),
    "clocks at 1970, +20 years": (
        "sync/test_clocks.py::test_no_device_clock_changes_what_servers_and_tablets_show",
        "ledger/test_named.py::test_no_clock_moves_the_ninetieth_day_of_a_declaration",
    ),
    "clocks ±12 h around day 90": (
        "ledger/test_named.py::test_no_clock_moves_the_ninetieth_day_of_a_declaration",
    ),
    "one poison line in a full batch": (
        "journeys/test_refused_and_strange.py::test_one_poison_line_of_each_kind_in_a_full_batch_harms_no_neighbour",
        "ledger/test_door.py::test_one_poison_line_does_not_hold_up_its_neighbours",
    ),
    "NUL, surrogates, 2^53, 1e400 on both engines": (
        "ledger/test_named.py::test_what_no_database_could_keep_is_set_aside_whole",
        "journeys/test_refused_and_strange.py::test_one_poison_line_of_each_kind_in_a_full_batch_harms_no_neighbour",
    ),
    "forged `settled`": (
        "ledger/test_bundles.py::test_a_receipt_the_province_did_not_sign_settles_nothing",
        "sync/test_client.py::test_a_receipt_for_other_bytes_or_by_another_hand_is_none",
        "sync/test_end_to_end.py::test_a_receipt_of_the_commune_alone_never_settles",
    ),
    "new tablet on an old commune": (
        "sync/test_versions.py::test_keys_and_kinds_of_a_later_version_stay_in_the_bytes_and_hold_nothing_up",
        "sync/test_versions.py::test_fields_only_v2_knows_survive_what_v1_edits_and_reads",
    ),
    "tablet unknown to the province": (
        "ledger/test_receipts.py::test_an_unknown_tablet_is_asked_for_its_grant_and_taken_on_one_that_chains",
        "sync/test_end_to_end.py::test_work_taken_to_the_province_itself_and_relayed_as_well_is_counted_once",
    ),
    "40 % loss": (IN_THE_HARNESS,),
    "3 s round trip": (IN_THE_HARNESS,),
    "cut every 20 s": (IN_THE_HARNESS,),
    "captive portal": (
        IN_THE_HARNESS,
        "sync/test_client.py::test_a_captive_portal_is_never_taken_for_success",
    ),
    "full disk": (
        IN_THE_HARNESS,
        "sync/test_store.py::test_a_full_disk_is_said_in_french_and_loses_no_number",
    ),
    "power cut": (
        IN_THE_HARNESS,
        "faults/test_faults.py::test_a_power_cut_on_weak_settings_loses_what_was_acknowledged",
    ),
}
JOURNEYS: dict[str, tuple[str, ...]] = {
    "fork": (
        "journeys/test_tablet_journey.py::test_two_lines_of_one_dot_stay_visible_whichever_comes_first",
        "journeys/test_tablet_journey.py::test_a_fork_that_reaches_the_province_by_another_road_is_seen_there",
    ),
    "poison": (
        "journeys/test_refused_and_strange.py::test_one_poison_line_of_each_kind_in_a_full_batch_harms_no_neighbour",
    ),
    "out of order": (
        "journeys/test_tablet_journey.py::test_an_edit_that_arrives_before_its_person_waits_for_nothing",
    ),
    "concurrent edit": (
        "journeys/test_tablet_journey.py::test_two_agents_who_did_not_see_each_other_both_stay_readable",
    ),
    "resolution": (
        "journeys/test_acts_journey.py::"
        "test_a_clerk_settles_a_name_at_the_desk_and_the_tablets_and_the_province_show_it",
        "journeys/test_acts_journey.py::test_a_clerk_settles_a_name_on_his_tablet_and_an_agent_cannot",
    ),
    "merge cycle": (
        "journeys/test_acts_journey.py::test_two_clerks_who_merge_in_a_circle_are_listed_until_one_takes_it_back",
    ),
    "revocation": (
        "journeys/test_revocation_journey.py::"
        "test_what_a_revoked_tablet_wrote_later_is_set_aside_everywhere_and_comes_back_when_released",
    ),
}
"""What a client written from the protocol page alone lives through with real servers → the journeys."""
FAULTS = {
    "40 % loss": "40 % loss",
    "3 s round trip": "answer too late",
    "cut every 20 s": "line cut again and again",
    "captive portal": "captive portal",
    "full disk": "disk full",
    "power cut": "power cut",
}
"""Named test → the kind of fault `make faults` inflicts for it."""


@cache
def functions(path: str) -> set[str]:
    source = (TESTS / path).read_text(encoding="utf-8")
    return {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("sentence", NAMED | JOURNEYS)
def test_every_named_test_of_the_protocol_is_where_the_table_says(sentence: str) -> None:
    for place in (NAMED | JOURNEYS)[sentence]:
        path, _, name = place.partition("::")
        assert name in functions(path), place


def test_every_named_fault_is_one_the_harness_inflicts() -> None:
    assert {sentence for sentence, places in NAMED.items() if IN_THE_HARNESS in places} == FAULTS.keys()
    assert set(FAULTS.values()) <= set(KINDS)


# -- a long transaction ------------------------------------------------------------------------------------------


@contextmanager
def first_commit_held(node: TestNode) -> Iterator[tuple[threading.Event, threading.Event]]:
    """The first writing transaction stops just before its commit: (it has come so far, let it go on)."""
    reached, free = threading.Event(), threading.Event()
    writers = itertools.count()

    def listen(connection: sa.Connection) -> None:
        options = connection.get_execution_options()
        writes = options.get("mboka_write") if node.database.is_sqlite else "isolation_level" not in options
        if writes and next(writers) == 0:
            reached.set()
            assert free.wait(60)

    sa.event.listen(node.database.engine, "commit", listen)
    try:
        yield reached, free
    finally:
        free.set()
        sa.event.remove(node.database.engine, "commit", listen)


def test_a_long_transaction_is_not_overtaken_by_a_later_number(node: TestNode) -> None:
    """The second batch waits for the number the first holds: whoever reads meanwhile sees neither, later both."""
    slow, quick, reader = (node.tablet("1017010") for _ in range(3))
    batches = {name: tablet.seal(household_of(1)) for name, tablet in (("slow", slow), ("quick", quick))}
    before = node.changes(reader)
    with first_commit_held(node) as (reached, free), ThreadPoolExecutor(2) as threads:
        first = threads.submit(node.push_sealed, *batches["slow"])
        assert reached.wait(60)
        second = threads.submit(node.push_sealed, *batches["quick"])
        while_waiting = node.changes(reader)
        assert not second.done()
        free.set()
        assert [each.result()["dispositions"] for each in (first, second)] == [{}, {}]
    assert while_waiting == before
    after = [row for row in node.changes(reader) if row not in before]
    numbers = {row["dot"].split(":")[0]: row["seq"] for row in after}
    assert numbers[slow.dev] < numbers[quick.dev]
    assert len(after) == 6


# -- three days lost ---------------------------------------------------------------------------------------------


def test_a_commune_restored_from_a_backup_of_three_days_ago_ends_as_its_province(two: Two) -> None:
    commune, tablet = two.commune, two.commune.tablet("1017010")
    family = household_of(2)
    commune.push(tablet, *family)
    two.exchange()
    backup = two.backup(commune)
    unsent = list[tuple[bytes, str]]()
    for day in range(3):
        two.clock.forward(timedelta(days=1))
        edit = {"kind": "person", "id": family[1]["id"], "set": {"phone": f"+24381000000{day}"}}
        unsent = [tablet.seal([*household_of(1), edit]), *unsent]
        commune.push_sealed(*unsent[0])
        if day < 2:
            two.exchange()
    lost = state.rows(commune)

    restored = two.restored(commune, backup)
    assert len(state.rows(restored)) == 4
    two.exchange(restored)
    assert len(state.rows(restored)) == 10
    # The last day had not been relayed: the tablet kept it and sends it again, newest first.
    for batch in unsent:
        restored.push_sealed(*batch)
    assert state.rows(restored) == lost
    two.exchange(restored)
    assert state.rows(two.province) == lost
    assert state.rollups(two.province) == state.rollups(restored)


# -- day 90 ------------------------------------------------------------------------------------------------------


def test_no_clock_moves_the_ninetieth_day_of_a_declaration(node: TestNode, clock: TestClock) -> None:
    """The delay runs from the birth to the day of the declaration, whatever tablets say and servers show meanwhile."""
    tablet, noon = node.tablet("1017010"), clock.moment
    said = [datetime(1970, 1, 1, tzinfo=noon.tzinfo), noon.replace(year=noon.year + 20)]
    said += [noon + timedelta(hours=hours) for hours in (-12, 0, 12)]
    declared = {"2026-02-02": ("in_delay", 90), "2026-02-03": ("out_of_delay", 91)}
    births = {}
    for at, (day, delay) in itertools.product(said, declared.items()):
        identity = str(uuid.uuid4())
        born = {"nom": "Mbuyi", "sex": "F", "birth_date": "2025-11-04", "birth_precision": "day"}
        line = new("birth", {**born, "commune": "CD-KN-017", "declared_on": day}, identity=identity)
        assert node.push(tablet, line | {"at": at.isoformat()})["dispositions"] == {}
        births[identity] = delay
    for step in (0, 12, 12, -24, -12):
        clock.forward(timedelta(hours=step))
        registrar = node.officer("registrar")
        for identity, delay in births.items():
            found = node.client.get(f"/v1/births/{identity}", headers=registrar).json()
            assert (found["delay"], found["delay_days"]) == delay, (step, identity)


# -- what no database could keep ---------------------------------------------------------------------------------


def test_what_no_database_could_keep_is_set_aside_whole(node: TestNode) -> None:
    """Either engine would choke on one of these: they never reach it, their bytes are kept, their neighbours count."""
    tablet, values = node.tablet("1017010"), [r'"\u0000"', r'"\ud800"', str(2**53), "1e400"]
    home = household_of(0)
    lines = [
        f'{{"kind":"household","id":"{home[0]["id"]}","set":{{"card":{value}}}}}'.encode() for value in values
    ]
    receipt = node.push(tablet, home[0], *lines, *household_of(1))
    assert {n: said["status"] for n, said in receipt["dispositions"].items()} == dict.fromkeys(
        "2345", "quarantined"
    )
    with node.database.read() as connection:
        kept = connection.execute(sa.text("SELECT line FROM quarantine ORDER BY id")).scalars().all()
    assert [bytes(line) for line in kept] == lines
    assert len(state.rows(node)) == 4
    assert "card" not in state.rows(node)[f"household {home[0]['id']}"]["set"]
