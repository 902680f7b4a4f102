"""Two servers that got the same operations hold the same register, cases and figures: however the operations were cut
into batches, in whatever order these came, some of them twice; one server on SQLite, the other on PostgreSQL."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from app.audit import verify
from sync.catalogue import CATALOGUE
from sync.protocol import Header, write_batch, write_line
from sync.seal import Key, make_grant, make_node_cert
from tests.conftest import Engines, TestClock
from tests.lasting import ENGINES, lasting_database
from tests.ledger import state
from tests.nodes import Tablet, TestNode, make_node, new

COMMUNES = ("CD-KN-017", "CD-KN-013", "CD-KN-017")
ROLES = ("agent", "agent", "clerk")
NAMES = st.sampled_from(["Mbuyi", "Mbuya", "MBUYI", "é", "e\u0301"])
FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "household": {
        "quartier": st.sampled_from(["1017010", "1017021", "9999999"]),
        "commune": st.sampled_from(["CD-KN-017", "CD-KN-013"]),
        "avenue": NAMES,
        "tenure": st.sampled_from(["owner", "king", 3]),
    },
    "person": {
        "nom": NAMES,
        "prenom": NAMES,
        "sex": st.sampled_from(["M", "F", "X"]),
        "birth_date": st.sampled_from(["1987", "1987-05", "1987-05-03", "1990", "hier"]),
        "birth_precision": st.sampled_from(["year", "day"]),
        "phone": st.sampled_from(["1", "2", None]),
        "status": st.sampled_from(["present", "moved", "dead"]),
        "line": st.sampled_from([1, 1.0, True]),
        "nationality": st.sampled_from(["CD", "AO", "nulle part"]),
        "tomorrow": st.sampled_from([{"a": [1, 2.5]}, "x"]),
    },
    "visit": {"outcome": st.sampled_from(["completed", "refused"]), "note": NAMES},
}
Delivery = tuple[int, int, list[bytes]]


class Pair:
    """Two communes of one province and the tablets of two communes that hand in at both."""

    def __init__(self, nodes: tuple[TestNode, TestNode], tablets: tuple[Tablet, ...]) -> None:
        self.nodes = nodes
        self.tablets = tablets


def tablets_of(province: Key) -> tuple[Tablet, ...]:
    """Enrolled by a third server of the same province: known to neither node."""
    server, other = Key.generate(), str(uuid.uuid4())
    cert = make_node_cert(
        province,
        province_node=str(uuid.uuid4()),
        node=other,
        kind="commune",
        key=server.public.jwk(),
        areas=sorted(set(COMMUNES)),
    )
    made = []
    for commune, role in zip(COMMUNES, ROLES, strict=True):
        key, dev, agent = Key.generate(), str(uuid.uuid4()), str(uuid.uuid4())
        grant = make_grant(
            server,
            node=other,
            dev=dev,
            key=key.public.jwk(),
            agent=agent,
            role=role,
            areas=[commune],
            expires="2027-01-01T00:00:00.000Z",
            node_cert=cert,
        )
        made.append(Tablet(dev, key, grant, agent))
    return tuple(made)


@pytest.fixture(scope="module")
def pair(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    province, clock = Key.generate(), TestClock(datetime(2026, 2, 2, 9, 0, tzinfo=UTC))
    one, two = (tmp_path_factory.mktemp(name) for name in ENGINES)
    with (
        lasting_database(engines, ENGINES[0], one) as first,
        lasting_database(engines, ENGINES[1], two) as second,
    ):
        nodes = tuple(
            make_node(database, home, kind="commune", clock=clock)
            for database, home in ((first, one), (second, two))
        )
        for node in nodes:
            node.join_a_province(province)
        yield Pair((nodes[0], nodes[1]), tablets_of(province))


# -- what tablets write ------------------------------------------------------------------------------------------


@st.composite
def values(draw: st.DrawFn, kind: str, *, homes: Sequence[str]) -> dict[str, Any]:
    fields = FIELDS[kind]
    names = draw(st.lists(st.sampled_from(sorted(fields)), min_size=1, max_size=3, unique=True))
    found = {name: draw(fields[name]) for name in names}
    if kind != "household" and draw(st.booleans()):
        found["household"] = draw(st.sampled_from(homes))
    return found


@st.composite
def acts(draw: st.DrawFn, kind: str, *, ids: Sequence[str], dots: Sequence[str]) -> dict[str, Any]:
    """What makes a line an act: an agent's merge is beyond his role, a target may not have come or be nobody."""
    seen = draw(st.lists(st.sampled_from(dots), min_size=1, unique=True)) if dots else []
    name = draw(st.sampled_from(["void", "void", "restore", "merge", "merge", "unmerge"]))
    if name == "void":
        registers = {CATALOGUE[kind].register_of[each].name for each in FIELDS[kind] if each != "tomorrow"}
        return {"act": name, "par": dict.fromkeys([*sorted(registers), "household", "tomorrow"], seen)}
    if name == "merge":
        par = dict.fromkeys(draw(st.lists(st.sampled_from(sorted(FIELDS[kind])), max_size=2)), seen)
        return {"act": name, "into": draw(st.sampled_from([*ids, "nobody"])), "par": par}
    return {"act": name, "par": {{"restore": "void", "unmerge": "merge"}[name]: seen}}


@st.composite
def histories(draw: st.DrawFn, *, with_acts: bool) -> list[list[list[bytes]]]:
    """Per tablet, per operation number: the lines under that dot, two where the tablet was cloned.

    Ids and devices are written as small numbers, so that an example can be run again beside itself.
    """
    ids = {kind: [f"{kind}{at}" for at in range(3)] for kind in FIELDS}
    written: list[list[list[bytes]]] = [[] for _ in ROLES]
    dots: list[str] = []
    for _ in range(draw(st.integers(3, 14))):
        author = draw(st.integers(0, len(ROLES) - 1))
        kind = draw(st.sampled_from(sorted(FIELDS)))
        under: list[bytes] = []
        for _ in range(draw(st.sampled_from([1, 1, 1, 1, 2]))):
            told: dict[str, Any] = {"kind": kind, "id": draw(st.sampled_from(ids[kind]))}
            told["set"] = draw(values(kind, homes=ids["household"]))
            if with_acts and draw(st.integers(0, 2)) == 0:
                told |= draw(acts(kind, ids=ids[kind], dots=dots))
            if draw(st.booleans()):
                told["new"] = True
            if "act" not in told and draw(st.booleans()) and dots:
                seen = draw(st.lists(st.sampled_from(dots), min_size=1, max_size=3, unique=True))
                told["par"] = dict.fromkeys(told["set"], seen)
            if draw(st.integers(0, 3)) == 0:
                told["ev"] = draw(st.sampled_from(["act", "document", "estimated"]))
            line = write_line(told) if draw(st.integers(0, 9)) else b'{"kind":"person"'
            if line not in under:
                under.append(line)
        written[author].append(under)
        dots.append(f"{author}:{len(written[author])}")
    return written


@st.composite
def deliveries(draw: st.DrawFn, history: list[list[list[bytes]]]) -> list[Delivery]:
    """Batches (tablet, first number, lines) that bring every line at least once, in any order."""
    found: list[Delivery] = []
    for author, lines in enumerate(history):
        count = len(lines)
        if not count:
            continue
        cuts = sorted(draw(st.sets(st.integers(1, count - 1), max_size=3))) if count > 1 else []
        for start, end in zip([0, *cuts], [*cuts, count], strict=True):
            found.append((author, start + 1, [under[0] for under in lines[start:end]]))
        for at, under in enumerate(lines):
            if len(under) > 1:
                found.append((author, at + 1, [under[1]]))
        if draw(st.booleans()):
            start = draw(st.integers(0, count - 1))
            found.append((author, start + 1, [under[-1] for under in lines[start:]]))
    return draw(st.permutations(found))


@dataclass
class Run:
    """One example on both nodes: its own epoch and ids, and what the nodes counted before it."""

    pair: Pair
    ep: int = field(default_factory=lambda: random.SystemRandom().getrandbits(32))
    ids: dict[str, str] = field(default_factory=dict)
    before: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ids = {f"{kind}{at}": str(uuid.uuid4()) for kind in FIELDS for at in range(3)}
        self.before = [state.rollups(node) for node in self.pair.nodes]

    def real(self, lines: list[bytes]) -> list[bytes]:
        """The lines with real dots and ids in place of the small numbers."""
        names = {name.encode(): identity.encode() for name, identity in self.ids.items()}
        for at, tablet in enumerate(self.pair.tablets):
            names[f'"{at}:'.encode()] = f'"{tablet.dev}:{self.ep}:'.encode()
        for name, found in names.items():
            lines = [line.replace(name, found) for line in lines]
        return lines

    def hand_in(self, node: TestNode, batches: Sequence[Delivery]) -> None:
        for author, first, lines in batches:
            tablet = self.pair.tablets[author]
            header = Header(1, tablet.dev, self.ep, first, first + len(lines) - 1, None, tablet.agent)
            data, signature = tablet.seal_bytes(write_batch(header, self.real(lines)))
            receipt = node.door.accept(data, signature, grant=tablet.grant)
            assert node.door.accept(data, signature) == receipt

    def held(self, at: int) -> dict[str, Any]:
        """All that must be equal, as far as this example made it."""
        node, ids = self.pair.nodes[at], set(self.ids.values())
        counted = {
            name: {key: cells[key] - self.before[at][name].get(key, 0) for key in cells}
            for name, cells in state.rollups(node).items()
        }
        return {
            "rows": {key: row for key, row in state.rows(node).items() if key.split()[1] in ids},
            "conflicts": {case for case in state.conflicts(node) if case[1] in ids},
            "rollups": {(name, *key): n for name, cells in counted.items() for key, n in cells.items() if n},
            "waits": [each for each in state.waits(node) if f":{self.ep}:" in each[0]],
        }


@st.composite
def cases(draw: st.DrawFn, *, with_acts: bool) -> tuple[list[Delivery], list[Delivery]]:
    """One history, brought in two ways."""
    history = draw(histories(with_acts=with_acts))
    return draw(deliveries(history)), draw(deliveries(history))


# Not shrunk: each attempt costs two servers some twenty commits.
@settings(max_examples=20, deadline=None, database=None, phases=[Phase.generate])
@given(case=cases(with_acts=False))
def test_any_cut_order_and_repetition_gives_equal_registers_cases_and_figures(
    pair: Pair, case: tuple[list[Delivery], list[Delivery]]
) -> None:
    run = Run(pair)
    for node, batches in zip(pair.nodes, case, strict=True):
        run.hand_in(node, batches)
    assert run.held(0) == run.held(1)


def test_an_operation_only_one_of_the_two_got_is_seen(pair: Pair) -> None:
    """The comparison above can fail: one family more at one of the nodes, and they differ."""
    run = Run(pair)
    home, member = run.ids["household0"], run.ids["person0"]
    lines = [
        write_line(new("household", {"quartier": "1017010"}, identity=home)),
        write_line(new("person", {"household": home}, identity=member)),
    ]
    run.hand_in(pair.nodes[0], [(0, 1, lines)])
    one, two = run.held(0), run.held(1)
    assert one["rows"] != two["rows"]
    assert one["rollups"] != two["rollups"]
    run.hand_in(pair.nodes[1], [(0, 2, lines[1:]), (0, 1, lines)])
    assert run.held(0) == run.held(1)


def test_a_cloned_tablets_two_lines_stand_beside_each_other_whichever_comes_first(pair: Pair) -> None:
    run = Run(pair)
    one = run.ids["person0"]

    def works(work: str, seen: int) -> bytes:
        told = {"kind": "person", "id": one, "set": {"occupation": work}, "par": {"occupation": [seen]}}
        return write_line(told)

    made = write_line(new("person", {"nom": "Mbuyi", "occupation": "élève"}, identity=one))
    forks = [works("couturière", 1), works("vendeuse", 1)]
    for order, node in zip(((0, 1), (1, 0)), pair.nodes, strict=True):
        twice = [(0, 2, [forks[at]]) for at in order]
        run.hand_in(node, [(0, 1, [made]), *twice, (0, 3, [works("x", 2)])])
    found = [run.held(at) for at in range(2)]
    assert found[0] == found[1]
    live = found[0]["rows"][f"person {one}"]["conflict"]["occupation"]
    assert {each["value"] for each in live} == {"couturière", "vendeuse", "x"}


def test_an_audit_of_the_signed_bytes_finds_both_servers_in_order(pair: Pair) -> None:
    """The audit folds with code of its own: what both doors did alike is also what the operations say."""
    for node in pair.nodes:
        report = verify(node.database, key=node.door.identity.key.public)
        assert report.ok, report.first_difference
        assert report.operations > 0


# After the audit, which does not fold acts.
@settings(max_examples=30, deadline=None, database=None, phases=[Phase.generate])
@given(case=cases(with_acts=True))
def test_with_voids_and_merges_too_any_cut_order_and_repetition_gives_the_same(
    pair: Pair, case: tuple[list[Delivery], list[Delivery]]
) -> None:
    run = Run(pair)
    for node, batches in zip(pair.nodes, case, strict=True):
        run.hand_in(node, batches)
    assert run.held(0) == run.held(1)
