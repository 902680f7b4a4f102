"""The calls of officers about themselves: sessions, password, second factor; and who read a person's file."""

from __future__ import annotations

from collections.abc import Mapping

from tests.access.call import ELSEWHERE, NOBODY, Call
from tests.nodes import TestNode

WHY = {"Purpose": "demande%20de%20l%27int%C3%A9ress%C3%A9"}
CALLS: list[Call] = [
    Call("GET", "/v1/sessions", "own session"),
    Call("DELETE", "/v1/sessions/{session_id}", "own session", "404 session_unknown", path=f"/v1/sessions/{NOBODY}"),
    Call(
        "POST", "/v1/officers/me/password", "own session", "422 invalid_input", body={"old": "x"},
    ),
    Call("POST", "/v1/officers/me/factor", "own session", "422 invalid_input", body={}),
    Call("POST", "/v1/officers/me/factor/confirmation", "own session", "422 invalid_input", body={}),
    Call("DELETE", "/v1/officers/me/factor", "own session", "422 invalid_input", body={}),
    Call(
        "DELETE", "/v1/officers/{officer_id}/factor", "officers", "404 no_second_factor",
        path="/v1/officers/{spare}/factor",
    ),
    Call(
        "GET", "/v1/persons/{id}/readers", "readers", elsewhere=ELSEWHERE, path="/v1/persons/{person}/readers",
        headers=WHY,
    ),
    Call(
        "GET", "/v1/persons/{id}/readers", "readers", elsewhere=ELSEWHERE,
        path="/v1/persons/{person}/readers?format=text", headers=WHY,
    ),
]  # fmt: skip


def plant(_node: TestNode, _ids: Mapping[str, str]) -> dict[str, str]:
    """Nothing more than what the matrix has planted."""
    return {}
