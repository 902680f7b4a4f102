"""The catalogue of kinds, fields and registers, read once from `fields_v1.json`.

Says what a field is, which register it belongs to and whether a value is doubtful; it neither stores nor folds values.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from importlib import resources
from typing import Annotated, Any, Literal

import msgspec
import orjson

OLDEST_YEAR = 1850
GREATEST_INTEGER = (1 << 53) - 1
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?")
_DATETIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)

Codes = Mapping[str, Container[str]]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a kind: its `type` names a check, `codes` the list a code is looked up in."""

    name: str
    type: str
    values: frozenset[str]
    register: str
    codes: str | None = None
    least: int | None = None
    most: int | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Register:
    """Fields written, replaced and shown together, named by the first; `cuts` maps a precision to a length."""

    name: str
    fields: tuple[str, ...]
    merge: str
    first: str | None = None
    date: bool = False
    precision: str | None = None
    cuts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of entity; `immutable` ones (registered acts) are written once; `cut` registers have a precision."""

    name: str
    fields: dict[str, Field]
    registers: dict[str, Register]
    server_made: bool
    hidden_from_agents: frozenset[str]
    immutable: bool = False
    cut: tuple[Register, ...] = ()
    register_of: Mapping[str, Register] = field(default_factory=dict)


def is_uuid4(text: object) -> bool:
    """Tell whether `text` is a lower-case UUID version 4 in its 36-character form (RFC 9562)."""
    return isinstance(text, str) and _UUID4.fullmatch(text) is not None


# A reference recurs: a household's id stands in each of its members.
_is_reference = lru_cache(maxsize=1 << 14)(is_uuid4)


@lru_cache(maxsize=1 << 16)
def is_date(text: str) -> bool:
    """Tell whether `text` is `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, from 1850 on, and exists in the calendar."""
    found = _DATE.fullmatch(text)
    if found is None or int(found[1]) < OLDEST_YEAR:
        return False
    try:
        date(int(found[1]), int(found[2] or 1), int(found[3] or 1))
    except ValueError:
        return False
    return True


def _is_datetime(text: str) -> bool:
    if _DATETIME.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _fits_text(_: Field, value: Any, codes: Codes) -> bool:
    return isinstance(value, str)


def _fits_id(_: Field, value: Any, codes: Codes) -> bool:
    return is_uuid4(value)


def _fits_ids(_: Field, value: Any, codes: Codes) -> bool:
    return isinstance(value, list) and all(is_uuid4(item) for item in value)


def _fits_date(_: Field, value: Any, codes: Codes) -> bool:
    return isinstance(value, str) and is_date(value)


def _fits_datetime(_: Field, value: Any, codes: Codes) -> bool:
    return isinstance(value, str) and _is_datetime(value)


def _fits_time(_: Field, value: Any, codes: Codes) -> bool:
    return isinstance(value, str) and _TIME.fullmatch(value) is not None


def _fits_number(known: Field, value: Any, codes: Codes) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (known.least is None or value >= known.least) and (known.most is None or value <= known.most)


def _fits_int(known: Field, value: Any, codes: Codes) -> bool:
    # 5 and 5.0 are one value to the merge, so they are one value here.
    return (not isinstance(value, float) or value.is_integer()) and _fits_number(known, value, codes)


def _fits_enum(known: Field, value: Any, codes: Codes) -> bool:
    return isinstance(value, str) and value in known.values


def _fits_code(known: Field, value: Any, codes: Codes) -> bool:
    if not isinstance(value, str):
        return False
    return (
        known.codes is None
        or known.codes not in codes
        or value in known.values
        or value in codes[known.codes]
    )


def _fits_bool(_: Field, value: Any, codes: Codes) -> bool:
    return isinstance(value, bool)


def _fits_json(_: Field, value: Any, codes: Codes) -> bool:
    return True


_FITS: dict[str, Callable[[Field, Any, Codes], bool]] = {
    "text": _fits_text,
    "id": _fits_id,
    "ids": _fits_ids,
    "date": _fits_date,
    "datetime": _fits_datetime,
    "time": _fits_time,
    "int": _fits_int,
    "number": _fits_number,
    "enum": _fits_enum,
    "code": _fits_code,
    "bool": _fits_bool,
    "json": _fits_json,
}


def _read_register(names: list[str], described: Mapping[str, Any], extra: Mapping[str, Any]) -> Register:
    lead = described["fields"][names[0]]
    precision = extra.get("precision", {})
    return Register(
        name=names[0],
        fields=tuple(names),
        merge=lead.get("merge", described["merge"]),
        first=lead.get("first"),
        date=lead["type"] == "date",
        precision=precision.get("field"),
        cuts=precision.get("cut", {}),
    )


def _read_kind(name: str, described: Mapping[str, Any]) -> Kind:
    registers: dict[str, Register] = {}
    of_field: dict[str, str] = {}
    for extra in described["registers"]:
        register = _read_register(extra["fields"], described, extra)
        registers[register.name] = register
        of_field |= dict.fromkeys(register.fields, register.name)
    for single in described["fields"]:
        if single not in of_field:
            registers[single] = _read_register([single], described, {})
    fields = {
        each: Field(
            name=each,
            type=known["type"],
            values=frozenset(known.get("values", ())),
            register=of_field.get(each, each),
            codes=known.get("list"),
            least=known.get("min"),
            most=known.get("max"),
            group=known["group"],
        )
        for each, known in described["fields"].items()
    }
    return Kind(
        name=name,
        fields=fields,
        registers=registers,
        server_made=described.get("server_made", False),
        hidden_from_agents=frozenset(
            each for each, known in described["fields"].items() if known.get("hidden_from_agents")
        ),
        immutable=described.get("immutable", False),
        cut=tuple(each for each in registers.values() if each.precision is not None),
        register_of={each: registers[known.register] for each, known in fields.items()},
    )


def _read_catalogue() -> dict[str, Kind]:
    described = orjson.loads(resources.files("sync").joinpath("fields_v1.json").read_bytes())
    return {name: _read_kind(name, kind) for name, kind in described["kinds"].items()}


CATALOGUE: dict[str, Kind] = _read_catalogue()


@lru_cache(maxsize=1 << 12)
def _unknown_register(name: str) -> Register:
    return Register(name=name, fields=(name,), merge="later")


def register_of(kind: str, field: str) -> Register:
    """Return the register a field is written in; an unknown kind or field is a register of its own, class `later`."""
    known = CATALOGUE.get(kind)
    found = known.register_of.get(field) if known is not None else None
    return found if found is not None else _unknown_register(field)


def is_doubtful(kind: str, field: str, value: Any, codes: Codes) -> bool:
    """Tell whether a known field holds a value outside its type or list.

    `codes` maps the list names `commune`, `quartier`, `country` to the codes in force; a list not given is not
    checked. `null` and unknown fields are never doubtful (protocol section 3).
    """
    if value is None:
        return False
    known = CATALOGUE.get(kind)
    found = known.fields.get(field) if known is not None else None
    return found is not None and not _FITS[found.type](found, value, codes)


def doubtful_fields(kind: str, values: Mapping[str, Any], codes: Codes) -> list[str]:
    """Return the doubtful fields of `values` (field → value), sorted; the bulk form of `is_doubtful`."""
    known = CATALOGUE.get(kind)
    if known is None:
        return []
    found = [
        name
        for name, value in values.items()
        if value is not None
        and (each := known.fields.get(name)) is not None
        and not _FITS[each.type](each, value, codes)
    ]
    return sorted(found)


def checker(kind: str, field: str, codes: Codes) -> Callable[[Any], bool]:
    """Return the check of one known field as a function of its (non-null) value: `is_doubtful` for a loop over rows."""
    found = CATALOGUE[kind].fields[field]
    if found.type == "text":
        return _is_text
    if found.type in ("enum", "code"):
        known = codes.get(found.codes or "") if found.type == "code" else ()
        if isinstance(known, tuple | frozenset):
            listed = found.values.union(known)
            return lambda value: type(value) is str and value in listed
    if found.type == "id":
        return lambda value: type(value) is str and _is_reference(value)
    fits = _FITS[found.type]
    return lambda value: fits(found, value, codes)


def _is_text(value: Any) -> bool:
    return type(value) is str


def quick_check(kind: str, fields: Iterable[str], *, codes: Codes) -> Callable[[dict[str, Any]], bool]:
    """Return a test that `values` (without nulls) are all among `fields`, of the right type and list.

    It may say no of values that are right (`checker` then says so field by field), never yes of a doubtful one.
    """
    known = {name: CATALOGUE[kind].fields[name] for name in fields}
    types: list[tuple[str, Any, Any]] = [
        (name, exact_type(each, codes), msgspec.UNSET) for name, each in known.items()
    ]
    typed = msgspec.defstruct("Typed", types, forbid_unknown_fields=True, gc=False)
    closer = [(name, checker(kind, name, codes)) for name, each in known.items() if not is_exact(each, codes)]

    def fits(values: dict[str, Any]) -> bool:
        try:
            msgspec.convert(values, typed)
        except msgspec.ValidationError:
            return False
        for name, check in closer:
            value = values.get(name)
            if value is not None and not check(value):
                return False
        return True

    return fits


_TYPES: dict[str, Any] = {"ids": list[str], "bool": bool, "json": Any}


def exact_type(field: Field, codes: Codes) -> Any:
    """The type to decode a field's value with: every value that fits the field and is no `null` has it, but for an
    integer written as a float and numbers beyond ±(2^53-1)."""
    if field.type == "enum":
        return Literal[tuple(sorted(field.values))]
    if field.type == "code" and isinstance(listed := codes.get(field.codes or ""), frozenset):
        return Literal[tuple(sorted(field.values | listed))]
    if field.type in ("int", "number"):
        least = -GREATEST_INTEGER if field.least is None else field.least
        most = GREATEST_INTEGER if field.most is None else field.most
        return Annotated[int if field.type == "int" else float, msgspec.Meta(ge=least, le=most)]
    return _TYPES.get(field.type, str)


def is_exact(field: Field, codes: Codes) -> bool:
    """Whether a value of the field's `exact_type` is never doubtful; `checker` must be asked of the others."""
    if field.type == "code":
        return field.codes is None or field.codes not in codes or isinstance(codes[field.codes], frozenset)
    return field.type in ("text", "enum", "int", "number", "bool", "json")


def are_uuid4(texts: Sequence[str]) -> bool:
    """Tell whether each of many texts is what `is_uuid4` asks for, at a small part of its cost."""
    joined = "\n".join((*texts, "")).encode("utf-8", "surrogatepass")
    return (
        joined.translate(_SHAPE) == _UUID_SHAPE * len(texts)
        and joined[14::37].count(b"4") == len(texts)
        and not joined[19::37].strip(b"89ab")
    )


_UUID_SHAPE = b"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh\n"
_SHAPE = bytes(
    ord("h") if chr(each) in "0123456789abcdef" else each if chr(each) in "-\n" else 0 for each in range(256)
)
