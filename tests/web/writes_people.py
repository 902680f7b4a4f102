"""The writes of officers about themselves, for the tests with strange input."""

from __future__ import annotations

from typing import Any

WRITES: list[tuple[str, str, str | None, dict[str, Any]]] = [
    (
        "POST",
        "/v1/officers/me/password",
        "agent",
        {"old": "une phrase oubliée", "new": "une phrase nouvelle"},
    ),
    ("POST", "/v1/officers/me/factor", "agent", {"password": "une phrase oubliée"}),
    ("POST", "/v1/officers/me/factor/confirmation", "agent", {"otp": "123456"}),
    ("DELETE", "/v1/officers/me/factor", "registrar", {"otp": "123456"}),
]


def plant(_desk: object) -> dict[str, str]:
    """Nothing is needed."""
    return {}
