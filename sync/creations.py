"""Lines that write down something new in the ordinary way, a whole batch at a time, decoded straight into its fields.

Says of every other line only that it wants the reading of `sync.protocol`, with which it agrees. Pure, no I/O.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from operator import attrgetter, or_
from typing import Any, Literal

import msgspec

from sync.catalogue import CATALOGUE, Codes, Register, are_uuid4, checker, exact_type, is_exact
from sync.protocol import LINE_BYTES, is_canonical

_KEY_END = b'":'
_ASKS_A_CLOSER_LOOK = (b"\\", b'" ', b'"\t', b'"\r')


class FieldValues(msgspec.Struct, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """One attribute per field, None where it was left out; read like a mapping of the values there are."""

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a field, `default` where it was left out."""
        found = getattr(self, name, None)
        return default if found is None else found


class Created(msgspec.Struct, gc=False, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind"):
    """One creation; the class of a kind bears its name. Anything else an operation may say makes it no such line."""

    id: str
    set: FieldValues
    new: bool = False
    act: Literal["set"] = "set"
    ev: Literal["declared"] = "declared"
    by: str | None = None
    at: str | None = None


class CreationReader:
    """Reads the creations of some kinds; `kinds` maps each to the fields wanted, in the order of `Created.set`."""

    def __init__(self, kinds: Mapping[str, Sequence[str]], codes: Codes) -> None:
        if len(kinds) < 2:
            raise ValueError("of a single kind a line without one would be read")
        structs = [_struct(kind, fields, codes) for kind, fields in kinds.items()]
        self._decode = msgspec.json.Decoder(reduce(or_, structs)).decode
        self._encode = msgspec.json.Encoder().encode_lines
        self._checks = {kind: _Columns(kind, fields, codes=codes) for kind, fields in kinds.items()}

    def read(self, raws: Sequence[bytes]) -> list[Created | None]:
        """The creation each line (bytes without LF) is, None for a line that is not plainly one.

        No value of a creation is doubtful, no id is twice among them, and dates are cut to their precision.
        """
        found = self._typed(raws)
        groups: dict[type[Created], list[int]] = {}
        for at, each in enumerate(found):
            if each is not None:
                groups.setdefault(type(each), []).append(at)
        for struct, places in groups.items():
            for refused in self._checks[struct.__name__].doubtful([found[at] for at in places]):
                found[places[refused]] = None
        return found

    def _typed(self, raws: Sequence[bytes]) -> list[Created | None]:
        decode = self._decode
        try:
            whole: list[Created] = [decode(raw) for raw in raws]
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return [self._one(raw) for raw in raws]
        joined = b"\n".join(raws)
        if (
            any(each in joined for each in _ASKS_A_CLOSER_LOOK)
            or joined.count(_KEY_END) != self._encode(whole).count(_KEY_END)
            or max(map(len, raws), default=0) > LINE_BYTES
        ):
            return [self._one(raw) for raw in raws]
        return [*whole]

    def _one(self, raw: bytes) -> Created | None:
        """One line with its keys counted: where each is followed at once by its colon, as many stand in the line as in
        the shortest way to write what was read, unless one stands there twice."""
        try:
            found: Created = self._decode(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        if len(raw) > LINE_BYTES:
            return None
        if not any(each in raw for each in _ASKS_A_CLOSER_LOOK) and (
            raw.count(_KEY_END) == self._encode([found]).count(_KEY_END)
        ):
            return found
        return found if is_canonical(raw) else None


def _struct(kind: str, fields: Iterable[str], codes: Codes) -> Any:
    known = CATALOGUE[kind].fields
    # A value that may be anything must be looked at to its depth: it is left to the ordinary reading.
    typed: list[tuple[str, Any, Any]] = [
        (name, None if known[name].type == "json" else exact_type(known[name], codes) | None, None)
        for name in fields
    ]
    values = msgspec.defstruct(f"{kind}_values", typed, bases=(FieldValues,), gc=False)
    return msgspec.defstruct(kind, [("set", values)], bases=(Created,), tag=kind, gc=False)


class _Columns:
    """What a type cannot say of a kind's values, checked column by column."""

    def __init__(self, kind: str, fields: Iterable[str], *, codes: Codes) -> None:
        known = [CATALOGUE[kind].fields[name] for name in fields]
        self._ids = [attrgetter(f"set.{each.name}") for each in known if each.type == "id"]
        self._lists = [attrgetter(f"set.{each.name}") for each in known if each.type == "ids"]
        self._others: list[tuple[Callable[[Any], Any], Callable[[Any], bool]]] = [
            (attrgetter(f"set.{each.name}"), checker(kind, each.name, codes))
            for each in known
            if each.type not in ("id", "ids") and not is_exact(each, codes)
        ]
        self._cut = CATALOGUE[kind].cut

    def doubtful(self, made: Sequence[Any]) -> set[int]:
        """Positions of creations to be read closely; cuts the dates of the others to their precision, in place."""
        found: set[int] = set()
        if not all(map(attrgetter("new"), made)):
            found |= {at for at, each in enumerate(made) if not each.new}
        identities = [each.id for each in made]
        found |= _not_ids(identities)
        if len(set(identities)) != len(identities):
            times = Counter(identities)
            found |= {at for at, each in enumerate(identities) if times[each] > 1}
        for get in self._ids:
            found |= _not_ids([*map(get, made)])
        for get in self._lists:
            found |= {
                at for at, each in enumerate(map(get, made)) if each is not None and not are_uuid4(each)
            }
        for read, fits in self._others:
            column = [*map(read, made)]
            bad = {each for each in set(column) if each is not None and not fits(each)}
            if bad:
                found |= {at for at, each in enumerate(column) if each in bad}
        for register in self._cut:
            _cut(register, made)
        return found


def _not_ids(column: Sequence[str | None]) -> set[int]:
    if are_uuid4([*filter(None, column)]) and "" not in column:
        return set()
    return {at for at, each in enumerate(column) if each is not None and not are_uuid4([each])}


def _cut(register: Register, made: Sequence[Any]) -> None:
    """Dates that fit (protocol section 9): a doubtful one is of a line that is read again anyway."""
    lead, cuts = register.name, register.cuts
    precisions = [*map(attrgetter(f"set.{register.precision}"), made)]
    if cuts.keys().isdisjoint(precisions):
        return
    for each, precision in zip(made, precisions, strict=True):
        length, written = cuts.get(precision), getattr(each.set, lead)
        if length is not None and written is not None and len(written) > length:
            setattr(each.set, lead, written[:length])
