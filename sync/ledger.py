"""Pure decisions of the ledger: who may write what, and which operation numbers are held. No storage, no folding."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from sync.catalogue import CATALOGUE
from sync.protocol import ACTS, Operation

_AGENT_ACTS = frozenset({"set", "void"})
_ACTS_OF_ROLE = {"agent": _AGENT_ACTS, "clerk": ACTS, "node": ACTS, "province": ACTS}
_SERVER_ROLES = frozenset({"node", "province"})


def refusal(operation: Operation, *, role: str) -> str | None:
    """Return why an operation is quarantined (`unknown_act`, `beyond_role`) or None when it may be folded.

    A pure function of the grant's role and the operation (protocol section 3, "Who may write"). Kinds this program
    does not know are left to servers, so that a newer node is not held up by an older one.
    """
    if operation.act not in ACTS:
        return "unknown_act"
    if operation.act not in _ACTS_OF_ROLE.get(role, ()):
        return "beyond_role"
    kind = CATALOGUE.get(operation.kind)
    if (kind is None or kind.server_made) and role not in _SERVER_ROLES:
        return "beyond_role"
    if kind is not None and kind.immutable and not (operation.new and operation.act == "set"):
        return "beyond_role"
    return None


class Ranges:
    """A compact sorted set of positive integers, kept as disjoint, non-adjacent inclusive ranges."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    @classmethod
    def from_list(cls, ranges: Iterable[Sequence[int]]) -> "Ranges":
        """Build from `[[a, b], …]`, in any order, overlapping or not."""
        found = cls()
        for first, last in ranges:
            found.add(first, last)
        return found

    def to_list(self) -> list[list[int]]:
        """Return `[[a, b], …]`, sorted; the form of `have` and of storage."""
        return [[first, last] for first, last in zip(self._starts, self._ends, strict=True)]

    def add(self, first: int, last: int) -> None:
        """Add the numbers `first` … `last`, both included; ValueError when `last` < `first`."""
        if last < first:
            raise ValueError("last < first")
        low = bisect_left(self._ends, first - 1)
        high = bisect_left(self._starts, last + 2)
        if low < high:
            first = min(first, self._starts[low])
            last = max(last, self._ends[high - 1])
        self._starts[low:high] = [first]
        self._ends[low:high] = [last]

    def has_any(self, first: int, last: int) -> bool:
        """Tell whether any number from `first` to `last`, both included, is in the set."""
        at = bisect_left(self._ends, first)
        return at < len(self._starts) and self._starts[at] <= last

    @property
    def through(self) -> int:
        """The greatest n such that 1 … n are all held; 0 when 1 is not."""
        return self._ends[0] if self._starts and self._starts[0] <= 1 else 0

    def holes(self) -> list[list[int]]:
        """Return the ranges missing between 1 and the greatest number held."""
        missing: list[list[int]] = []
        expected = 1
        for first, last in zip(self._starts, self._ends, strict=True):
            if first > expected:
                missing.append([expected, first - 1])
            expected = last + 1
        return missing

    def __contains__(self, n: int) -> bool:
        at = bisect_left(self._ends, n)
        return at < len(self._starts) and self._starts[at] <= n

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and self.to_list() == other.to_list()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Ranges({self.to_list()})"
