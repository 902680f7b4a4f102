"""The headers that the calls of several packages share, as FastAPI reads and describes them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

from app.access.purpose import MOST

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Clé choisie par le client (UUID par exemple) : la même demande répétée reçoit la même réponse.",
        examples=["1f0f4e0c-6a0e-4a0e-9d53-0f6c0b1c7a11"],
    ),
]

Purpose = Annotated[
    str | None,
    Header(
        alias="Purpose",
        max_length=MOST * 12,
        description="Motif de cette consultation, en UTF-8 avec encodage pour cent ; il remplace celui de la session.",
        examples=["copie%20demand%C3%A9e%20par%20la%20m%C3%A8re"],
    ),
]

IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=1000,
        description="ETag de ce qui fut lu ; sans lui 428, périmé 412.",
        examples=['"5f2b6c3e9a7d4c10b8e6f0a1d2c3b4a5"'],
    ),
]
