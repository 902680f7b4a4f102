"""What the tests of the fold are told in: operations entered by devices a, b and c, in any order of arrival."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from hypothesis import strategies as st

from sync import merge
from sync.catalogue import register_of
from sync.merge import Registers, Write
from sync.protocol import EVIDENCE, Operation, read_line, write_line

PERSON = "c3d6a1f4-8e2b-4f7a-a5d9-1b0c2e4f6a83"
DEVS = (
    "0b54e8a0-6f3c-4d2a-9c1e-2f0d4a6b8c10",
    "7d1c9b3e-52aa-4e0f-8b6d-90c3f1e2a745",
    "a1e7f902-3c4d-4b5e-9f60-718293a4b5c6",
)
NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Entered:
    """One operation as it arrives at a node: who, under which grant, with which bytes."""

    dev: str
    n: int
    role: str
    line: bytes

    @property
    def dot(self) -> str:
        return f"{self.dev}:7:{self.n}"

    def operation(self) -> Operation:
        return read_line(self.line, 1 << 20, dev=self.dev, ep=7)

    def writes(self) -> dict[str, Write]:
        digest = hashlib.sha256(self.line).hexdigest()
        return merge.writes_of(
            self.operation(), dot=self.dot, dev=self.dev, ep=7, by="officer", role=self.role, line=digest
        )


def entered(at: str, values: dict[str, Any], *seen: str, role: str = "agent", **more: Any) -> Entered:
    """`at` is a letter for the device and a number: "a3"; `seen` are such places, seen in every register written."""
    dots = [f"{DEVS['abc'.index(each[0])]}:7:{each[1:]}" for each in seen]
    registers = {register_of("person", name).name for name in values}
    line = {
        "kind": "person",
        "id": PERSON,
        "set": values,
        "par": {name: dots for name in registers if dots},
        **more,
    }
    return Entered(DEVS["abc".index(at[0])], int(at[1:]), role, write_line(line))


def fold(history: Iterable[Entered]) -> Registers:
    registers: Registers = {}
    for each in history:
        merge.add(registers, each.writes())
    return registers


def shown(*history: Entered) -> dict[str, Any]:
    """What is shown, the same for every order of arrival."""
    views = [merge.show("person", fold(order), NONE) for order in permutations(history)]
    assert all(view == views[0] for view in views)
    return views[0]


def open_cases(*history: Entered) -> set[str]:
    """The registers a person must look at, the same for every order of arrival."""
    views = [
        {
            name
            for name, writes in fold(order).items()
            if merge.in_conflict(register_of("person", name), writes, NONE)
        }
        for order in permutations(history)
    ]
    assert all(view == views[0] for view in views)
    return views[0]


TWO_AT_ONCE = [entered("a1", {"phone": "1"}), entered("b1", {"phone": "2"})]
RING = [
    Entered(
        DEVS[at], 1, "clerk", entered("a1", {"phone": str(at)}, "b1" if at == 0 else "a1", role="clerk").line
    )
    for at in (0, 1)
]

VALUES: dict[str, list[Any]] = {
    "nom": ["Mbuyi", "Ilunga", None],
    "prenom": ["Élise", "E\u0301lise", None],
    "sex": ["M", "F", None],
    "birth_date": ["1987", "1987-05", "1987-05-03", "1990", None],
    "birth_precision": ["day", "year"],
    "phone": ["1", 1, 1.0, True, None],
    "status": ["present", "dead", "moved"],
    "blood_group": [["A"], {"a": 1, "b": 2}, {"b": 2, "a": 1}],
}
ALL_DOTS = [f"{dev}:7:{n}" for dev in DEVS for n in range(1, 5)]


@st.composite
def histories(draw: st.DrawFn) -> list[Entered]:
    """Up to ten operations of three devices; some dots twice (forks), some parents later, missing or in a ring."""
    found: list[Entered] = []
    for _ in range(draw(st.integers(1, 10))):
        fields = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4, unique=True))
        values = {name: draw(st.sampled_from(VALUES[name])) for name in fields}
        dev, n = draw(st.sampled_from(DEVS)), draw(st.integers(1, 4))
        others = [dot for dot in ALL_DOTS if not dot.startswith(dev) or int(dot[-1]) < n]
        par = draw(
            st.dictionaries(
                st.sampled_from(fields), st.lists(st.sampled_from(others), max_size=3), max_size=3
            )
        )
        whole = {
            "kind": "person",
            "id": PERSON,
            "set": values,
            "par": par,
            "ev": draw(st.sampled_from(EVIDENCE)),
        }
        found.append(Entered(dev, n, draw(st.sampled_from(["agent", "clerk", "node"])), write_line(whole)))
    return found
