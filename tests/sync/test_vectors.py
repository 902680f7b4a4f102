"""The wire vectors of v1: what an independent client may rely on, one file per question. Old vectors stay for ever."""

import hashlib
import json
from itertools import permutations
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from joserfc.jwk import ECKey

from sync import entity, merge, seal
from sync.answers import NotTheNode, read_page, read_receipt
from sync.bundle import Record, read_bundle
from sync.carrying import Unopened, open_file
from sync.catalogue import register_of
from sync.merge import Registers, canonical
from sync.protocol import Header, Unreadable, parse_dot, read_batch, read_line
from sync.store import MemoryStore

VECTORS = Path(__file__).parents[1] / "vectors" / "v1"
Case = dict[str, Any]
NONE: frozenset[str] = frozenset()


def the_line(case: Case) -> bytes:
    raw = bytes.fromhex(case["hex"]) if "hex" in case else str(case["line"]).encode()
    text, times = case.get("repeat", ("", 0))
    return raw.replace(b"@", text.encode() * times) if times else raw


def a_readable_line(case: Case) -> None:
    found = read_line(the_line(case), case["n"], dev=case["dev"], ep=case["ep"])
    assert msgspec.structs.asdict(found) == case["operation"]


def an_unreadable_line(case: Case) -> None:
    with pytest.raises(Unreadable) as caught:
        read_line(the_line(case), case["n"], dev=case["dev"], ep=case["ep"])
    assert caught.value.reason == case["unreadable"]


def a_readable_batch(case: Case) -> None:
    data = case["text"].encode()
    assert hashlib.sha256(data).hexdigest() == case["sha256"]
    found = read_batch(data)
    announced = {("from_" if name == "from" else name): value for name, value in case["header"].items()}
    assert found.header == Header(**announced)
    assert [line.reason for line in found.lines] == case["lines"]
    assert [line.n for line in found.lines] == list(range(announced["from_"], announced["to"] + 1))


def an_unreadable_batch(case: Case) -> None:
    with pytest.raises(Unreadable) as caught:
        read_batch(case["text"].encode())
    assert caught.value.reason == case["unreadable"]


def folded(case: Case) -> list[Registers]:
    """The registers for every order of arrival."""
    found: list[Registers] = []
    for order in permutations(case["operations"]):
        registers: Registers = {}
        for each in order:
            dev, ep, n = parse_dot(each["dot"])
            line = each["line"].encode()
            merge.add(
                registers,
                merge.writes_of(
                    read_line(line, n, dev=dev, ep=ep),
                    dot=each["dot"],
                    dev=dev,
                    ep=ep,
                    by=None,
                    role=each["role"],
                    line=hashlib.sha256(line).hexdigest(),
                ),
            )
        found.append(registers)
    return found


def a_fold(case: Case) -> None:
    for registers in folded(case):
        # Not ==: to Python 1 and True are one value.
        assert canonical(merge.show(case["kind"], registers, NONE)) == canonical(case["set"])
        assert case["conflict"] == sorted(
            name
            for name, writes in registers.items()
            if merge.in_conflict(register_of(case["kind"], name), writes, NONE)
        )


def a_fork(case: Case) -> None:
    register = register_of(case["kind"], case["register"])
    for registers in folded(case):
        standing = merge.live(register, registers[register.name], NONE)
        assert sorted(each.value for each in standing) == case["standing"]


def an_entity_with_acts(case: Case) -> None:
    orders = permutations(case["operations"]) if len(case["operations"]) < 5 else [case["operations"]] * 2
    for at, order in enumerate(orders):
        own: dict[str, Registers] = {}
        for each in order if at % 2 else reversed(order):
            dev, ep, n = parse_dot(each["dot"])
            line = each["line"].encode()
            operation = read_line(line, n, dev=dev, ep=ep)
            digest = hashlib.sha256(line).hexdigest()
            said = merge.writes_of(
                operation, dot=each["dot"], dev=dev, ep=ep, by=None, role=each["role"], line=digest
            )
            merge.add(own.setdefault(operation.id, {}), said)
        views = entity.view(case["kind"], own, forked=NONE)
        assert views.keys() == case["entities"].keys()
        for identity, due in case["entities"].items():
            assert_row(case["kind"], identity, views[identity], due=due)


def assert_row(kind: str, identity: str, view: entity.View, *, due: Case) -> None:
    assert view.shown == due.get("merged_into", identity)
    if view.shown != identity:
        assert due == {"merged_into": view.shown, "set": {}}
        return
    assert view.hidden == due.get("void", False)
    if "set" in due:
        assert canonical(merge.show(kind, view.registers, NONE)) == canonical(due["set"])
    if not view.hidden:
        cases = entity.open_acts(kind, identity, registers=view.registers, forked=NONE, undone=NONE)
        for name, writes in view.registers.items():
            register = register_of(kind, name)
            if merge.in_conflict(register, writes, NONE):
                cases[name] = merge.live(register, writes, NONE)
        found = {name: sorted([each.dot, each.value] for each in writes) for name, writes in cases.items()}
        assert found == due.get("conflict", {})


def a_seal(case: Case) -> None:
    public = seal.PublicKey.from_jwk(case["key"])
    payload = bytes.fromhex(case["payload_hex"])
    if case["holds"]:
        seal.verify_detached(public, payload, case["signature"], kid=case["kid"], typ=case["typ"])
    else:
        with pytest.raises(seal.BadSignature):
            seal.verify_detached(public, payload, case["signature"], kid=case["kid"], typ=case["typ"])


def a_token(case: Case) -> None:
    what, token = case["what"], case["token"]

    def check() -> dict[str, Any]:
        if what == "node_cert":
            return seal.check_node_cert(token, case["province"])
        if what == "grant":
            return seal.check_grant(token, case["province"])
        public = seal.PublicKey.from_jwk(case["key"])
        return seal.verify_compact(public, token, kid=case["kid"], typ=what)

    if case["holds"]:
        assert check() == case["claims"]
    else:
        with pytest.raises(seal.BadSignature):
            check()


def a_receipt(case: Case) -> None:
    keys = {case["node"]: seal.PublicKey.from_jwk(case["node_key"])}
    province = seal.PublicKey.from_jwk(case["province_key"])
    text, signature = case["receipt"].encode(), case["signature"]
    found = read_receipt(text, signature, dev=case["dev"], keys=keys, province=province)
    outcome = "nothing"
    if found is not None and found.sha256 == case["sha256"]:
        outcome = "settled" if found.province else "received"
    assert outcome == case["outcome"]


def a_bundle(case: Case) -> None:
    found = list(read_bundle(bytes.fromhex(case["hex"])))
    assert found == [
        Record(each["type"], bytes.fromhex(each["hex"]), each.get("signature"), each.get("grant"))
        for each in case["records"]
    ]


def a_file(case: Case) -> None:
    key = seal.Key.from_pem(ECKey.import_key(case["key"]).as_pem(private=True))
    if case["hex"] is None:
        with pytest.raises(Unopened):
            open_file(case["file"].encode(), key)
    else:
        assert open_file(case["file"].encode(), key).hex() == case["hex"]


def pages(case: Case) -> None:
    store = MemoryStore()
    for text in case["pages"]:
        try:
            page = read_page(httpx.Response(200, content=text.encode()))
        except NotTheNode:
            continue
        store.apply(page, set)
    assert {" ".join(whose): row.rev for whose, row in store._rows.items()} == case["rows"]
    assert store.positions() == case["positions"]


CHECKS = {
    "acts.json": an_entity_with_acts,
    "lines_good.json": a_readable_line,
    "lines_bad.json": an_unreadable_line,
    "batches_good.json": a_readable_batch,
    "batches_bad.json": an_unreadable_batch,
    "folds.json": a_fold,
    "forks.json": a_fork,
    "seals.json": a_seal,
    "tokens.json": a_token,
    "receipts.json": a_receipt,
    "bundles.json": a_bundle,
    "files.json": a_file,
    "pages.json": pages,
}
CASES = [
    pytest.param(name, case, id=f"{name}: {case['name']}")
    for name in sorted(CHECKS)
    for case in json.loads((VECTORS / name).read_text("utf-8"))["cases"]
]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_vector_has_the_outcome_written_beside_it(name: str, case: Case) -> None:
    CHECKS[name](case)


def test_no_file_of_vectors_is_left_out() -> None:
    assert {path.name for path in VECTORS.glob("*.json")} == set(CHECKS)
    assert {path.name for path in VECTORS.iterdir()} - set(CHECKS) == {"README.md", "SHA256SUMS"}
    readme = (VECTORS / "README.md").read_text("utf-8")
    assert [name for name in CHECKS if f"`{name}`" not in readme] == []


def test_vectors_once_written_never_change() -> None:
    """A new question is a new file and a new line of the list; a line of the list is never another one."""
    listed = [line.split("  ") for line in (VECTORS / "SHA256SUMS").read_text("utf-8").splitlines()]
    assert sorted(name for _, name in listed) == sorted(CHECKS)
    for digest, name in listed:
        assert hashlib.sha256((VECTORS / name).read_bytes()).hexdigest() == digest, name
