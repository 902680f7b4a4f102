"""The description of the API is whole: French words for every call, parameter and field, an example of every body, and
problems for every error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Engines
from tests.lasting import lasting_database
from tests.nodes import make_node
from tests.web.client import InProcess

Named = list[tuple[str, dict[str, Any]]]
PROBLEM = "application/problem+json"
# Words that stand in English sentences and in no French one.
_ENGLISH = re.compile(
    r"\b(the|this|with|from|returns?|must|should|response|successful|of|is)\b", re.IGNORECASE
)


@pytest.fixture(scope="module")
def client(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    directory: Path = tmp_path_factory.mktemp("openapi")
    with lasting_database(engines, "sqlite", directory) as database:
        yield make_node(database, directory).client


@pytest.fixture(scope="module")
def document(client: InProcess) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> Named:
    """(method and path, operation) of every call."""
    return [
        (f"{method.upper()} {path}", operation)
        for path, calls in document["paths"].items()
        for method, operation in calls.items()
    ]


def without_french(texts: list[tuple[str, Any]]) -> list[str]:
    """The names of those texts that are missing or English (route and field names in backquotes do not count)."""
    return [
        f"{name}: {text}"
        for name, text in texts
        if not isinstance(text, str)
        or not text.strip()
        or _ENGLISH.search(re.sub(r"`[^`]*`|\([^)]*\)", "", text))
    ]


def test_the_description_is_openapi_3_1_and_says_who_speaks(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "Mboka"
    assert len(operations(document)) > 35


def test_an_address_that_ends_before_its_id_is_not_found(client: InProcess) -> None:
    answer = client.get("/v1/quarantine/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_missing_or_english_text_would_be_seen() -> None:
    texts = [
        ("a", None),
        ("b", ""),
        ("c", "Successful Response"),
        ("d", "Le nom, tel qu'il est déclaré."),
        ("e", 7),
    ]
    assert [name.partition(":")[0] for name in without_french(texts)] == ["a", "b", "c", "e"]


def test_every_call_has_a_french_summary_and_description(document: dict[str, Any]) -> None:
    texts = [
        (f"{name} {part}", call.get(part))
        for name, call in operations(document)
        for part in ("summary", "description")
    ]
    assert without_french(texts) == []
    summaries = [call["summary"] for _name, call in operations(document)]
    assert len(set(summaries)) == len(summaries), "two calls have one name"


def test_every_parameter_is_described_in_french(document: dict[str, Any]) -> None:
    texts = [
        (f"{name} {parameter['name']}", parameter.get("description"))
        for name, call in operations(document)
        for parameter in call.get("parameters", [])
    ]
    assert len(texts) > 40
    assert without_french(texts) == []


def test_every_answer_is_described_in_french(document: dict[str, Any]) -> None:
    texts = [
        (f"{name} {status}", answer.get("description"))
        for name, call in operations(document)
        for status, answer in call["responses"].items()
    ]
    assert without_french(texts) == []


def test_every_field_is_described_in_french(document: dict[str, Any]) -> None:
    texts = [
        (f"{name}.{field}", described.get("description"))
        for name, schema in document["components"]["schemas"].items()
        for field, described in schema.get("properties", {}).items()
    ]
    assert len(texts) > 150
    assert without_french(texts) == []


def test_every_error_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    for name, call in operations(document):
        errors = {status: answer for status, answer in call["responses"].items() if status[0] in "45"}
        assert {"4XX", "5XX"} <= set(errors), name
        for answer in errors.values():
            assert list(answer["content"]) == [PROBLEM], name
            assert set(answer["content"][PROBLEM]["schema"]["required"]) >= {
                "type",
                "title",
                "status",
                "code",
                "detail",
            }
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    def shown(schema: dict[str, Any]) -> bool:
        if "$ref" in schema:
            return shown(schemas[schema["$ref"].rpartition("/")[2]])
        if "example" in schema or "examples" in schema or "const" in schema or "enum" in schema:
            return True
        if "anyOf" in schema:
            return any(shown(each) for each in schema["anyOf"])
        return bool(schema.get("properties")) and all(shown(each) for each in schema["properties"].values())

    bodies = [
        (name, content)
        for name, call in operations(document)
        for content in call.get("requestBody", {}).get("content", {}).values()
    ]
    assert len(bodies) >= 16
    assert [
        name for name, content in bodies if "example" not in content and not shown(content["schema"])
    ] == []


def test_every_call_that_needs_a_login_says_so(document: dict[str, Any]) -> None:
    open_calls = {name for name, call in operations(document) if not call.get("security")}
    assert open_calls == {
        "GET /health", "GET /v1/law", "POST /v1/sessions", "GET /sync/v1/hello", "POST /sync/v1/enrolments",
        "POST /sync/v1/sessions", "POST /sync/v1/batches", "POST /sync/v1/bundles", "GET /v1/keys", "GET /v1/annulled",
        "GET /verify",
    }  # fmt: skip


def test_the_calls_of_the_readme_are_calls_of_the_server(document: dict[str, Any]) -> None:
    page = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
    shown = {re.sub(r"\$[A-Z]+", "*", each) for each in re.findall(r"\$URL(/v1/[\w/$-]+)", page)}
    assert len(shown) > 8
    assert shown <= {re.sub(r"\{[^}]+\}", "*", path) for path in document["paths"]}
