"""What travels over REST about margin notes, the act as it reads, and annulments. Checks form only."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model

from app.civil.schemas import BirthIn, Code, Delay, FullDate, Long, Mark, Short, Strict, Warned
from app.law.annotations import CHANGEABLE

Otp = Annotated[str, Field(min_length=1, max_length=40)]
_OTP = Field(None, description="Code du second facteur de l'officier qui signe.", examples=["492013"])
_CHANGEABLE = [field for fields in CHANGEABLE.values() for field in fields]


def _changeable() -> dict[str, Any]:
    """The same forms as in a declaration."""
    fields = BirthIn.model_fields
    return {name: (fields[name].rebuild_annotation(), fields[name]) for name in _CHANGEABLE}


ChangesIn = create_model(
    "ChangesIn",
    __base__=Strict,
    __doc__="Ce que la mention change : champ et nouvelle valeur ; null vide le champ.",
    **_changeable(),
)


class AnnotationIn(Strict):
    """Une mention marginale : l'acte lui-même n'est jamais modifié."""

    type: Code = Field(
        description="Type de mention : rectification, court_ordered_change, recognition, adoption, marriage, divorce, "
        "death, nationality, judgment (la liste en vigueur : GET /v1/law).",
        examples=["rectification"],
    )
    authority: Short | None = Field(
        None,
        description="Autorité qui a décidé ; celle de la liste par défaut.",
        examples=["président du tribunal de paix"],
    )
    court: Short | None = Field(
        None, description="Tribunal.", examples=["Tribunal de paix de Kinshasa/Ngaliema"]
    )
    reference: Mark = Field(description="Numéro de la décision ou de l'acte.", examples=["OR 12/2026"])
    date: FullDate = Field(description="Jour de la décision.", examples=["2026-06-30"])
    text: Annotated[Long, Field(max_length=4000)] | None = Field(
        None,
        description="Texte de la mention ; rédigé par le serveur s'il manque.",
        examples=["Rectification…"],
    )
    changes: ChangesIn | None = Field(
        None, description="Champs changés, selon le type.", examples=[{"nom": "Mbuya"}]
    )
    otp: Otp | None = _OTP


class Noted(BaseModel):
    """Une mention telle qu'elle est inscrite."""

    id: str = Field(description="Identifiant de la mention.")
    type: str | None = Field(None, description="Type.", examples=["rectification"])
    label: str | None = Field(None, description="Le type en français.", examples=["adoption"])
    authority: str | None = Field(None, description="Autorité.", examples=["président du tribunal de paix"])
    court: str | None = Field(
        None, description="Tribunal.", examples=["Tribunal de paix de Kinshasa/Ngaliema"]
    )
    reference: str | None = Field(None, description="Numéro.", examples=["OR 12/2026"])
    date: str | None = Field(None, description="Jour de la décision.", examples=["2026-06-30"])
    text: str | None = Field(None, description="Texte.", examples=["Rectification d'une erreur matérielle…"])
    changes: dict[str, Any] | None = Field(
        None, description="Champs changés ; null : vidé.", examples=[{"nom": "Mbuya"}]
    )
    recorded_on: str | None = Field(None, description="Jour de l'inscription.", examples=["2026-07-02"])
    recorded_by: str | None = Field(None, description="Officier qui l'a inscrite.")
    recorded_name: str | None = Field(None, description="Son nom.", examples=["Paul Ilunga"])
    confirmed_name: str | None = Field(
        None, description="Second officier, pour une annulation.", examples=["Anne Kanku"]
    )
    counts: bool = Field(True, description="La mention compte au jour demandé (`on`).", examples=[True])


class NoteWritten(Noted):
    """La mention inscrite, avec ce que quelqu'un doit encore regarder."""

    act: str = Field(description="L'acte.")
    warnings: list[Warned] = Field(description="Avertissements.")


_PLACE = ("commune", "office")
_LOOSE: dict[str, Any] = {"order": int, "witnesses": Any}


def _content() -> dict[str, Any]:
    """An act may hold more than a form would accept, so what is shown has no bounds."""
    return {
        name: (
            _LOOSE.get(name, str) | None,
            Field(None, description=known.description, examples=known.examples),
        )
        for name, known in BirthIn.model_fields.items()
        if name not in _PLACE
    }


ActContent = create_model(
    "ActContent", __doc__="Ce que dit l'acte ; un champ inconnu est null.", **_content()
)


class ActFile(BaseModel):
    """Un acte enregistré : tel qu'il a été dressé, et tel qu'il se lit à un jour donné avec ses mentions."""

    id: str = Field(description="Identifiant de l'acte.")
    birth: str | None = Field(None, description="La déclaration.")
    person: str | None = Field(None, description="L'enfant au registre de la population.")
    commune: str | None = Field(None, description="Commune.", examples=["CD-KN-017"])
    office: str | None = Field(None, description="Bureau.", examples=["CD-KN-017-01"])
    year: int | None = Field(None, description="Année du registre.", examples=[2026])
    volume: str | None = Field(None, description="Volume.", examples=["1"])
    number: int | None = Field(None, description="Numéro de l'acte.", examples=[481])
    folio: str | None = Field(None, description="Feuillet.", examples=["12"])
    registered_on: str | None = Field(None, description="Jour de l'inscription.", examples=["2026-11-22"])
    delay: Delay | None = Field(None, description="Délai.", examples=["in_delay"])
    judgment: dict[str, str | None] | None = Field(
        None, description="Tribunal, numéro et date du jugement supplétif."
    )
    on: str = Field(description="Le jour auquel l'acte est lu.", examples=["2026-11-22"])
    stands: bool = Field(description="L'acte est en vigueur ce jour-là.", examples=[True])
    line: str = Field(description="Ce qu'il faut savoir d'abord.", examples=["Acte en vigueur, 1 mention."])
    annulled: bool = Field(description="Un tribunal a annulé l'acte, quel que soit `on`.", examples=[False])
    reads: ActContent = Field(description="L'acte tel qu'il se lit.")
    original: ActContent = Field(description="L'acte tel qu'il a été dressé.")
    changed: list[str] = Field(description="Les champs que les mentions ont changés.", examples=[["nom"]])
    notes: list[Noted] = Field(description="Toutes les mentions, la plus ancienne décision d'abord.")


class AnnulmentIn(Strict):
    """La décision du tribunal qui annule l'acte. Un second officier la confirme."""

    court: Short = Field(description="Tribunal.", examples=["Tribunal de grande instance de Kinshasa/Gombe"])
    reference: Mark = Field(description="Numéro du jugement.", examples=["RC 31.204"])
    date: FullDate = Field(description="Jour du jugement.", examples=["2026-06-30"])
    text: Annotated[Long, Field(max_length=4000)] | None = Field(
        None,
        description="Texte de la mention ; rédigé par le serveur s'il manque.",
        examples=["Acte annulé…"],
    )


class ConfirmationIn(Strict):
    """Un second officier confirme l'annulation."""

    otp: Otp | None = _OTP


class WithdrawalIn(Strict):
    """L'annulation proposée est retirée."""

    note: Long | None = Field(None, description="Pourquoi.", examples=["Jugement frappé d'appel."])


class AnnulmentOut(BaseModel):
    """Une annulation : proposée, confirmée ou retirée."""

    id: str = Field(description="Identifiant de l'annulation.")
    act: str | None = Field(None, description="L'acte.")
    commune: str | None = Field(None, description="Commune.", examples=["CD-KN-017"])
    stage: Literal["proposed", "confirmed", "withdrawn"] | None = Field(
        None, description="État.", examples=["proposed"]
    )
    court: str | None = Field(None, description="Tribunal.", examples=["Tribunal de grande instance"])
    reference: str | None = Field(None, description="Numéro.", examples=["RC 31.204"])
    date: str | None = Field(None, description="Jour du jugement.", examples=["2026-06-30"])
    text: str | None = Field(None, description="Texte de la mention.", examples=["Acte ANNULÉ par jugement…"])
    proposed_on: str | None = Field(None, description="Proposée le.", examples=["2026-07-02"])
    proposed_by: str | None = Field(None, description="Officier qui l'a inscrite.")
    proposed_name: str | None = Field(None, description="Son nom.", examples=["Paul Ilunga"])
    confirmed_on: str | None = Field(None, description="Confirmée le.", examples=["2026-07-03"])
    confirmed_by: str | None = Field(None, description="Officier qui l'a confirmée.")
    confirmed_name: str | None = Field(None, description="Son nom.", examples=["Anne Kanku"])
    annotation: str | None = Field(None, description="La mention en marge de l'acte.")
    note: str | None = Field(None, description="Note du retrait.", examples=["Jugement frappé d'appel."])
