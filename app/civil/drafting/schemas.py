"""What travels over REST about drafts of acts and their reading. Checks form only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from app.civil.schemas import Code, JudgmentIn, Long, Mark, Short, Strict, Warned

DraftStage = Literal["drawn", "read", "signed", "replaced"]


class DraftIn(Strict):
    """Où l'acte sera inscrit, et le jugement s'il en faut un."""

    office: Code = Field(description="Bureau de l'état civil.", examples=["CD-KN-017-01"])
    volume: Mark = Field(description="Volume du registre de l'année.", examples=["1"])
    folio: Mark | None = Field(None, description="Feuillet.", examples=["12"])
    judgment: JudgmentIn | None = Field(None, description="Obligatoire hors délai.")


class ReadingIn(Strict):
    """La lecture du projet d'acte : à qui, en quelle langue, par quel interprète."""

    to: Annotated[list[Short], Field(min_length=1, max_length=10)] = Field(
        description="À qui le projet a été lu.", examples=[["Jean Kabeya Ilunga", "Thérèse Ngalula"]]
    )
    language: Short = Field(description="Langue de la lecture.", examples=["lingala"])
    interpreter: Short | None = Field(None, description="Interprète.", examples=["Paul Mukendi"])
    remarks: Long | None = Field(None, description="Remarques faites à la lecture.", examples=["Aucune."])


class DraftOut(BaseModel):
    """Le projet d'acte d'une naissance."""

    id: str = Field(description="Identifiant du projet.", examples=["6a0d3a56-6f0e-4b4e-8f5b-3d6d3a0f9b21"])
    birth: str = Field(description="Identifiant de la déclaration.")
    stage: DraftStage = Field(
        description="drawn : établi ; read : lu ; signed : signé ; replaced : remplacé.", examples=["drawn"]
    )
    stale: bool = Field(
        description="Vrai si la déclaration a changé depuis : le projet ne peut plus être signé.",
        examples=[False],
    )
    text: str = Field(
        description="Texte de l'acte, un paragraphe par ligne.", examples=["Acte de naissance…"]
    )
    office: str = Field(description="Bureau.", examples=["CD-KN-017-01"])
    volume: str = Field(description="Volume.", examples=["1"])
    folio: str | None = Field(None, description="Feuillet.", examples=["12"])
    judgment: dict[str, str] | None = Field(None, description="Tribunal, numéro et date du jugement.")
    drawn_on: str = Field(description="Jour du projet à Kinshasa.", examples=["2026-11-22"])
    drawn_at: str = Field(description="Moment du projet (UTC).", examples=["2026-11-22T08:00:00.000Z"])
    drawn_name: str = Field(description="Qui l'a établi.", examples=["Prosper Ilunga"])
    read_at: str | None = Field(
        None, description="Moment de la lecture (UTC).", examples=["2026-11-22T08:10:00.000Z"]
    )
    read_to: list[str] | None = Field(None, description="À qui il a été lu.", examples=[["Jean Kabeya"]])
    read_language: str | None = Field(None, description="Langue de la lecture.", examples=["lingala"])
    interpreter: str | None = Field(None, description="Interprète.", examples=["Paul Mukendi"])
    remarks: str | None = Field(None, description="Remarques.", examples=["Aucune."])
    act: str | None = Field(None, description="L'acte signé sur ce projet.")
    warnings: list[Warned] = Field(description="Ce qu'il faut regarder avant de signer.")
