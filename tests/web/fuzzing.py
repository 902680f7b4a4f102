"""Calls every operation of an API with what its description allows and forbids, made by schemathesis from one seed, and
holds the answers against the description. What stands on the node is tests/web/desk.py's business."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, Verbosity, assume, given, seed, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode, SerializationContext
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.web.client import InProcess

SEED = 20261126
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
# An answer without content is described without a type.
EMPTY = (204, 304)
# No client sends a longer address, and no server reads one.
LONGEST = 60_000
HOST = "http://mboka.example"


@schemathesis.serializer("application/x-ndjson")
def lines(_context: SerializationContext, value: Any) -> bytes:
    """A file of lines is sent as it is; what is no text, as Python writes it."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


Headers = Mapping[str, str]
Known = Mapping[str, Any]
Operation = APIOperation[Any, Any, Any, Any]


@dataclass(frozen=True)
class Planted:
    """What stands on the node for one operation: values that exist, by parameter (or what gives the present one), and a
    body it accepts: fields, or the bytes of a file."""

    parameters: Known = field(default_factory=dict)
    body: Known | bytes = field(default_factory=dict)


@dataclass
class Report:
    """How often each operation was called, what it answered, and every answer that should not be."""

    calls: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        """All calls."""
        return self.calls.total()

    def keep(self, label: str, fault: str, case: Case[Any]) -> None:
        """One example of each kind of fault is enough to find its cause."""
        self.faults.setdefault(f"{label}: {fault}", case.as_curl_command()[:1000])


def operations_of(application: FastAPI) -> list[Operation]:
    """Every operation the application describes."""
    schema = schemathesis.openapi.from_dict(application.openapi(), config=schemathesis.Config())
    found = list(schema.get_all_operations())
    broken = [each.err() for each in found if not isinstance(each, Ok)]
    assert broken == [], "the description cannot be read"
    return [each.ok() for each in found if isinstance(each, Ok)]


def fuzz(
    application: FastAPI,
    operation: Operation,
    *,
    count: int,
    report: Report,
    headers: Callable[[], Headers] = dict,
    planted: Planted | None = None,
) -> None:
    """Call `operation` up to `count` times; what it answered goes into the report. The same seed, the same calls."""
    client, label, here = InProcess(application), operation.label, planted or Planted()

    @seed(SEED)
    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate], verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cases(operation), st.randoms(use_true_random=False), st.integers(0, 3))
    def one(case: Case[Any], chance: Random, share: int) -> None:
        if share:
            plant_values(case, here, chance)
        answer = send(client, case, headers())
        report.calls[label] += 1
        report.answers[label, answer.status_code] += 1
        for fault in faults_of(case, answer):
            report.keep(label, fault, case)

    one()


def cases(operation: Operation) -> st.SearchStrategy[Case[Any]]:
    """Twice as often what the description allows as what it forbids."""
    allowed = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if not operation.body and not any(operation.iter_parameters()):
        return allowed
    return st.one_of(allowed, allowed, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))


def plant_values(case: Case[Any], planted: Planted, chance: Random) -> None:
    """Let the call be about something that exists: real values of parameters (some of them damaged), and a body that is
    accepted but for some generated fields or some bytes."""
    named = {name.lower(): value for name, value in planted.parameters.items()}
    declared = {each.name.lower(): each for each in case.operation.headers}
    for name in declared.keys() & named.keys():
        case.headers.setdefault(name, "")
    for part, share in ((case.path_parameters, 0.85), (case.query, 0.6), (case.headers, 0.8)):
        for name in list(part or ()):
            if name.lower() in named and chance.random() < share:
                value = named[name.lower()]
                part[name] = damaged(value() if callable(value) else value, chance)
    if isinstance(planted.body, bytes):
        if case.operation.body and chance.random() < 0.8:
            case.body = torn(planted.body, chance)
    elif planted.body and isinstance(case.body, dict):
        share = chance.choice((0.1, 0.1, 0.3))
        kept = {name: value for name, value in case.body.items() if chance.random() < share}
        case.body = {**planted.body, **kept}


def damaged(value: str, chance: Random) -> str:
    """The value itself, or one time in ten with one character cut or exchanged."""
    if not value or chance.random() < 0.9:
        return value
    at = chance.randrange(len(value))
    return value[:at] + chance.choice(("", "é", "0", "%", "A")) + value[at + 1 :]


def torn(data: bytes, chance: Random) -> bytes:
    """The bytes themselves, or cut, or with up to three others among them."""
    if not data or chance.random() < 0.3:
        return data
    if chance.random() < 0.2:
        return data[: chance.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        changed[chance.randrange(len(changed))] = chance.choice((0, 9, 10, 34, 48, 92, 123, 0xED, 0xFF))
    return bytes(changed)


def send(client: InProcess, case: Case[Any], headers: Headers) -> httpx.Response:
    """The answer of the application in this process to this case, asked with these headers."""
    said = case.as_transport_kwargs(base_url=HOST)
    said["headers"] = {k: v for k, v in said["headers"].items() if k.lower() not in OURS} | dict(headers)
    asked = requests.Request(**said).prepare()
    assume(len(str(asked.url)) < LONGEST)
    content = asked.body.encode() if isinstance(asked.body, str) else asked.body
    return client.request(
        str(asked.method), str(asked.url).removeprefix(HOST), content=content, headers=raw(asked.headers)
    )


OURS = {"authorization", "x-schemathesis-testcaseid", "content-length"}


def raw(headers: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    """Header values as bytes: they need not be ASCII."""
    return [
        (name.encode(), value if isinstance(value, bytes) else str(value).encode("latin-1", "replace"))
        for name, value in headers.items()
        if name.lower() != "content-length"
    ]


def faults_of(case: Case[Any], answer: httpx.Response) -> Iterable[str]:
    """Every way in which this answer is not one the description promises."""
    try:
        case.validate_response(answer, checks=list(CHECKS))
    except FailureGroup as group:
        yield from (describe(each, answer) for each in group.exceptions)
    except Failure as failure:
        yield describe(failure, answer)
    if answer.content and answer.status_code not in EMPTY:
        described = case.operation.responses.find_by_status_code(answer.status_code)
        if described is not None and not described.definition.get("content"):
            yield f"{answer.status_code} with a body of no described type ({answer.headers.get('content-type')})"


def describe(failure: BaseException, answer: httpx.Response) -> str:
    """What is wrong, without what differs from one call to the next."""
    message = str(getattr(failure, "message", failure))
    return f"{answer.status_code} {getattr(failure, 'title', type(failure).__name__)} {message.split(chr(10))[0]}"
