"""What travels over REST about the reads of a person's data."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from app.access.schemas import Role


class ReadingOut(BaseModel):
    """Une lecture des données de cette personne."""

    at: str = Field(description="Moment de la lecture (UTC).", examples=["2026-11-22T10:04:00.000Z"])
    name: str = Field(description="Qui a lu.", examples=["Marie Mbuyi Kalala"])
    role: Role = Field(description="Son rôle aujourd'hui.", examples=["clerk"])
    purpose: str | None = Field(None, description="Motif donné.", examples=["copie demandée par la mère"])
    kind: Literal["person", "birth"] = Field(
        description="Ce qui a été lu : la fiche de la personne ou sa naissance.", examples=["person"]
    )
    commune: str | None = Field(
        None, description="Commune des données au moment de la lecture.", examples=["CD-KN-017"]
    )
    route: str = Field(description="Par quel appel.", examples=["GET /v1/persons/{id}"])
