"""What travels over REST about declarations, acts, tasks and the server's date. Checks form only; whether a date or
code can be is the question of declaration.py."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from app.access.schemas import OptionalOtp
from sync.catalogue import is_date, is_uuid4

# Control characters, and the marks that turn the direction of writing: an act must read as it is stored.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_PARTIAL = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")


def _readable(text: str) -> str:
    if not text.isprintable() and _FORBIDDEN.search(text):
        raise ValueError("Le texte contient un caractère interdit.")
    if text.isspace():
        raise ValueError("Le texte ne contient que des blancs.")
    return text


def _partial_date(text: str) -> str:
    if is_date(text):
        return text
    if not _PARTIAL.fullmatch(text):
        raise ValueError("Une date de la forme AAAA, AAAA-MM ou AAAA-MM-JJ est attendue.")
    if text < "1850":
        raise ValueError("La date est antérieure à 1850.")
    raise ValueError("Cette date n'existe pas dans le calendrier.")


def _full_date(text: str) -> str:
    if len(text) != 10:
        raise ValueError("Une date complète de la forme AAAA-MM-JJ est attendue.")
    return _partial_date(text)


def _entity(text: str) -> str:
    if not is_uuid4(text):
        raise ValueError("Un identifiant UUID version 4 en minuscules est attendu.")
    return text


def _time(text: str) -> str:
    if not _TIME.fullmatch(text):
        raise ValueError("Une heure de la forme HH:MM est attendue.")
    return text


def _digits_as_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


Short = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_readable)]
Long = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_readable)]
Code = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_readable)]
Mark = Annotated[Code, BeforeValidator(_digits_as_text)]
Entity = Annotated[str, Field(max_length=100), AfterValidator(_entity)]
PartialDate = Annotated[str, Field(max_length=100), AfterValidator(_partial_date)]
FullDate = Annotated[str, Field(max_length=100), AfterValidator(_full_date)]
Time = Annotated[str, Field(max_length=100), AfterValidator(_time)]
Delay = Literal["in_delay", "out_of_delay", "undetermined"]
Marital = Literal["single", "married", "divorced", "widowed", "union"]


def _about(description: str, example: Any) -> Any:
    """An optional field with its French description and an example."""
    return Field(None, description=description, examples=[example])


class Strict(BaseModel):
    """Refuses members it does not know and never turns one JSON type into another."""

    model_config = ConfigDict(extra="forbid", strict=True)


class BirthIn(Strict):
    """Déclaration d'une naissance. Aucun champ n'est bloquant : ce qui manque est signalé dans `warnings`."""

    person: Entity | None = _about(
        "L'enfant, s'il est déjà une personne du registre.", "7b0f2f4e-5f55-4c3a-9a0c-2f1e6a3d9b10"
    )
    nom: Short | None = _about("Nom, tel qu'il est déclaré.", "Mbuyi")
    postnom: Short | None = _about("Post-nom (plusieurs mots possibles).", "Kalala")
    prenom: Short | None = _about("Prénom.", "Grâce")
    sex: Literal["M", "F"] | None = _about("Sexe.", "F")
    birth_date: PartialDate | None = _about("Date de naissance : AAAA, AAAA-MM ou AAAA-MM-JJ.", "2026-09-14")
    birth_precision: Literal["day", "month", "year", "estimated", "unknown"] | None = _about(
        "Précision de la date de naissance.", "day"
    )
    birth_words: Long | None = _about("La date telle que le papier la donne.", "vers la mi-septembre")
    birth_time: Time | None = _about("Heure de naissance.", "04:30")
    birth_place: Long | None = _about("Lieu de naissance.", "Maternité de Kintambo")
    facility: Literal["facility", "home", "journey", "other"] | None = _about(
        "Où : établissement, domicile, voyage, autre.", "facility"
    )
    multiple: Literal["single", "twin", "triplet", "more"] | None = _about("Naissance multiple.", "single")
    order: Annotated[int, Field(ge=1, le=20)] | None = _about("Rang dans la naissance multiple.", 1)
    declared_on: FullDate | None = _about(
        "Jour de la déclaration ; aujourd'hui à Kinshasa par défaut.", "2026-11-20"
    )
    mode: Literal["direct", "procuration", "judgment", "transcription", "other"] | None = _about(
        "Mode de déclaration.", "procuration"
    )
    paper: Literal["medical", "home_report", "journey_report", "judgment", "other"] | None = _about(
        "Pièce produite.", "medical"
    )
    paper_ref: Short | None = _about("Référence de la pièce.", "CN 0412/2026")
    declarant_name: Short | None = _about("Nom du déclarant.", "Jean Kabeya Ilunga")
    declarant_relation: Short | None = _about("Lien du déclarant avec l'enfant.", "père")
    mother: Entity | None = _about(
        "La mère, si elle est au registre.", "0c0b1a52-8f63-4a4e-bb0f-9a3a4e9a7a10"
    )
    father: Entity | None = _about("Le père, s'il est au registre.", "5e4f6f0e-9b0e-4d0c-8a53-1a1f0e6c0b22")
    mother_name: Short | None = _about("Noms de la mère.", "Marie Mbuyi Kapinga")
    father_name: Short | None = _about("Noms du père ; peut manquer.", "Jean Kabeya Ilunga")
    mother_birth_date: PartialDate | None = _about("Date de naissance de la mère.", "1998")
    mother_residence: Long | None = _about("Résidence de la mère.", "avenue Bangala n° 12, Kintambo")
    mother_quartier: Code | None = _about("Code du quartier de la mère.", "1002001")
    mother_nationality: Code | None = _about("Nationalité de la mère (ISO 3166-1) ou indeterminate.", "CD")
    mother_occupation: Short | None = _about("Profession de la mère.", "commerçante")
    mother_marital_status: Marital | None = _about("État civil de la mère.", "married")
    father_birth_date: PartialDate | None = _about("Date de naissance du père.", "1991-03")
    father_residence: Long | None = _about("Résidence du père.", "avenue Bangala n° 12, Kintambo")
    father_nationality: Code | None = _about("Nationalité du père (ISO 3166-1) ou indeterminate.", "CD")
    father_occupation: Short | None = _about("Profession du père.", "chauffeur")
    attendant: Literal["doctor", "midwife_nurse", "traditional", "none", "other", "unknown"] | None = _about(
        "Qui a assisté la mère.", "midwife_nurse"
    )
    witnesses: Annotated[list[Short], Field(max_length=10)] | None = _about("Témoins.", ["Thérèse Ngalula"])
    language: Short | None = _about("Langue de la déclaration.", "lingala")
    interpreter: Short | None = _about("Interprète.", "Paul Mukendi")
    campaign: Short | None = _about("Campagne (audience foraine…).", "Audience foraine 2026")
    commune: Code | None = _about("Commune ; celle de l'officier par défaut.", "CD-KN-017")
    office: Code | None = _about("Bureau de l'état civil.", "CD-KN-017-01")


class CorrectionIn(BirthIn):
    """Les champs à corriger d'une déclaration : un champ absent ne change pas, null l'efface."""

    declared_on: FullDate | None = _about("Jour de la déclaration ; il ne s'efface pas.", "2026-11-20")
    commune: Code | None = _about("Commune ; elle ne s'efface pas.", "CD-KN-017")


class JudgmentIn(Strict):
    """Jugement supplétif ou déclaratif de naissance."""

    court: Short = Field(description="Tribunal.", examples=["Tribunal pour enfants de Kinshasa/Matete"])
    number: Mark = Field(description="Numéro du jugement (RC, RCE…).", examples=["RCE 1204"])
    date: FullDate = Field(description="Jour du jugement.", examples=["2026-06-30"])


class RegistrationIn(Strict):
    """Où l'acte est inscrit. La date est celle du jour et le numéro est donné par le serveur."""

    office: Code = Field(description="Bureau de l'état civil.", examples=["CD-KN-017-01"])
    volume: Mark = Field(description="Volume du registre de l'année.", examples=["1"])
    folio: Mark | None = _about("Feuillet.", "12")
    judgment: JudgmentIn | None = Field(None, description="Obligatoire hors délai.")
    otp: OptionalOtp = None
    draft: Entity | None = _about(
        "Le projet lu au déclarant, s'il y en a un.", "6a0d3a56-6f0e-4b4e-8f5b-3d6d3a0f9b21"
    )


class PaperAct(BirthIn):
    """Un acte déjà dressé sur papier : la déclaration et sa place dans le registre."""

    office: Code = Field(description="Bureau de l'état civil.", examples=["CD-KN-008-01"])
    year: int = Field(ge=1850, le=9999, description="Année du registre.", examples=[2011])
    volume: Mark = Field(description="Volume.", examples=["1"])
    number: int = Field(ge=1, le=999_999, description="Numéro de l'acte.", examples=[17])
    folio: Mark | None = _about("Feuillet.", "17")
    registered_on: FullDate = Field(description="Jour où l'acte a été dressé.", examples=["2011-03-02"])
    judgment: JudgmentIn | None = Field(None, description="Le jugement cité par l'acte.")


def paper_act_schema() -> dict[str, Any]:
    """One line of a reprise for the OpenAPI page, which already describes the judgment."""
    schema = PaperAct.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return schema


class ClockIn(Strict):
    """Confirmation de la date du serveur."""

    date: FullDate = Field(description="La date d'aujourd'hui à Kinshasa.", examples=["2026-11-22"])


class Warned(BaseModel):
    """Un avertissement : rien n'est refusé, mais quelqu'un doit regarder."""

    code: str = Field(description="Code stable.", examples=["mother_unknown"])
    field: str = Field(description="Champ.", examples=["mother"])
    message: str = Field(description="Explication.", examples=["Cette personne n'est pas au registre."])
    advice: str | None = Field(
        None, description="Que faire.", examples=["Cherchez-la au registre de la population."]
    )


class DelayOut(BaseModel):
    """La réponse de la loi sur le délai de déclaration."""

    delay: Delay = Field(description="Dans les délais, hors délai ou indéterminé.", examples=["in_delay"])
    delay_days: int | None = Field(description="Jours entre la naissance et la déclaration.", examples=[67])
    delay_limit: int | None = Field(description="Délai légal en jours.", examples=[90])
    delay_rule: str = Field(description="Comment le délai a été jugé.", examples=["Déclarée 67 jours après…"])
    delay_article: str = Field(description="Article appliqué.", examples=["art. 116 du Code de la famille"])


class Declared(DelayOut):
    """La déclaration reçue."""

    id: str = Field(
        description="Identifiant de la déclaration.", examples=["9f0c6f0e-5c43-4b8e-8f0e-0d3b6f1a2c33"]
    )
    warnings: list[Warned] = Field(description="Avertissements.")


class Registered(DelayOut):
    """L'acte dressé."""

    id: str = Field(description="Identifiant de l'acte.", examples=["3d1f2b7c-64a2-4a0f-9a55-6a1b0c9d8e77"])
    birth: str = Field(description="Identifiant de la déclaration.")
    commune: str = Field(description="Commune.", examples=["CD-KN-017"])
    office: str = Field(description="Bureau.", examples=["CD-KN-017-01"])
    year: int = Field(description="Année du registre.", examples=[2026])
    volume: str = Field(description="Volume.", examples=["1"])
    number: int = Field(description="Numéro de l'acte.", examples=[481])
    folio: str | None = Field(None, description="Feuillet.", examples=["12"])
    registered_on: str = Field(description="Jour de l'inscription.", examples=["2026-11-22"])
    person: str | None = Field(
        None, description="L'enfant au registre de la population ; null : tâche ouverte."
    )
    household: str | None = Field(None, description="Le ménage de l'enfant.")
    task: str | None = Field(None, description="Tâche ouverte quand la mère n'est pas une résidente connue.")
    warnings: list[Warned] = Field(description="Avertissements.")


class ActOut(BaseModel):
    """L'acte d'une naissance, tel qu'il est inscrit ; les champs inconnus manquent."""

    id: str = Field(description="Identifiant de l'acte.")
    office: str | None = Field(None, description="Bureau.", examples=["CD-KN-017-01"])
    year: int | None = Field(None, description="Année du registre.", examples=[2026])
    volume: str | None = Field(None, description="Volume.", examples=["1"])
    number: int | None = Field(None, description="Numéro de l'acte.", examples=[481])
    folio: str | None = Field(None, description="Feuillet.", examples=["12"])
    registered_on: str | None = Field(None, description="Jour de l'inscription.", examples=["2026-11-22"])
    origin: str | None = Field(None, description="registration : dressé ici ; reprise : repris du papier.")
    judgment: dict[str, str] | None = Field(None, description="Tribunal, numéro et date du jugement.")
    drawn_at: str | None = Field(None, description="Quand l'acte a été saisi (UTC).")
    drawn_by: str | None = Field(None, description="Officier qui l'a saisi.")
    person: str | None = Field(None, description="L'enfant au registre de la population.")


class BirthItem(DelayOut):
    """Une naissance dans une liste."""

    id: str = Field(description="Identifiant de la déclaration.")
    nom: str | None = Field(None, description="Nom.", examples=["Mbuyi"])
    postnom: str | None = Field(None, description="Post-nom.", examples=["Kalala"])
    prenom: str | None = Field(None, description="Prénom.", examples=["Grâce"])
    sex: str | None = Field(None, description="Sexe.", examples=["F"])
    birth_date: str | None = Field(None, description="Date de naissance.", examples=["2026-09-14"])
    birth_precision: str | None = Field(None, description="Précision de la date.", examples=["day"])
    declared_on: str | None = Field(None, description="Jour de la déclaration.", examples=["2026-11-20"])
    mode: str | None = Field(None, description="Mode de déclaration.", examples=["direct"])
    commune: str | None = Field(None, description="Commune.", examples=["CD-KN-017"])
    act: ActOut | None = Field(None, description="L'acte ; null tant que la naissance n'est pas enregistrée.")


class TaskOut(BaseModel):
    """Une tâche du préposé."""

    id: str = Field(description="Identifiant de la tâche.")
    what: str | None = Field(description="Ce qu'il y a à faire.", examples=["child_without_household"])
    birth: str | None = Field(description="La naissance.")
    act: str | None = Field(description="L'acte.")
    commune: str | None = Field(description="Commune.", examples=["CD-KN-017"])
    stage: str | None = Field(description="open ou done.", examples=["open"])
    note: str | None = Field(None, description="Note.")


class TaskDoneIn(Strict):
    """Une tâche est faite ; pour un enfant sans ménage, qui il est au registre de la population."""

    person: Entity | None = _about(
        "L'enfant, s'il vit dans un ménage de ce registre : l'acte lui est rattaché.",
        "7b0f2f4e-5f55-4c3a-9a0c-2f1e6a3d9b10",
    )
    note: Long | None = _about("Ce qui a été fait ou constaté.", "Recensé chez sa grand-mère.")


class TaskDone(TaskOut):
    """La tâche faite, et l'enfant rattaché à l'acte."""

    person: str | None = Field(None, description="L'enfant au registre de la population.")
    household: str | None = Field(None, description="Le ménage de l'enfant.")


class PaperPlace(BaseModel):
    """La place d'un acte dans les registres."""

    id: str = Field(description="Identifiant de l'acte.")
    office: str = Field(description="Bureau.", examples=["CD-KN-008-01"])
    year: int = Field(description="Année.", examples=[2011])
    volume: str = Field(description="Volume.", examples=["1"])
    number: int = Field(description="Numéro.", examples=[1])


class Imported(BaseModel):
    """Le résultat d'une reprise : tout le fichier, ou rien."""

    acts: int = Field(description="Actes repris.", examples=[1000])
    first: PaperPlace = Field(description="Le premier acte du fichier.")
    last: PaperPlace = Field(description="Le dernier acte du fichier.")
    delays: dict[Delay, int] = Field(
        description="Actes par délai.", examples=[{"in_delay": 833, "out_of_delay": 166, "undetermined": 1}]
    )


class ClockConfirmed(BaseModel):
    """La date confirmée."""

    date: str = Field(description="Date confirmée.", examples=["2026-11-22"])
    confirmed_at: str = Field(description="Heure du serveur (UTC).", examples=["2026-11-22T08:00:00.000Z"])
    holds_until: str = Field(description="Fin de validité (UTC).", examples=["2026-11-23T08:00:00.000Z"])


_LOOSE: dict[str, Any] = {"order": int, "witnesses": Any}


def _shown() -> dict[str, Any]:
    """A tablet's declaration may hold more than a form would accept, so what is shown has no bounds."""
    return {
        name: (
            _LOOSE.get(name, str) | None,
            Field(None, description=known.description, examples=known.examples),
        )
        for name, known in BirthIn.model_fields.items()
        if name not in BirthItem.model_fields
    }


class DraftMark(BaseModel):
    """Le projet d'acte d'une naissance, en bref."""

    id: str = Field(description="Identifiant du projet.")
    stage: str = Field(description="drawn, read, signed ou replaced.", examples=["read"])
    stale: bool = Field(description="Vrai si la déclaration a changé depuis.", examples=[False])


class _BirthFile(BirthItem):
    stage: Literal["declared", "drawn", "read", "registered", "delivered"] = Field(
        description="declared : déclarée ; drawn : projet établi ; read : projet lu ; registered : acte signé ; "
        "delivered : remis à quelqu'un.",
        examples=["registered"],
    )
    delivered_on: str | None = Field(
        None,
        description="Jour où un document de l'acte a été remis pour la première fois.",
        examples=["2026-11-26"],
    )
    text: str | None = Field(
        None,
        description="Texte de l'acte, un paragraphe par ligne ; null pour un acte repris du papier.",
        examples=["Acte de naissance n° 481 de l'année 2026, volume 1…"],
    )
    draft: DraftMark | None = Field(None, description="Le dernier projet d'acte (GET /v1/births/{id}/draft).")


BirthOut = create_model(
    "BirthOut",
    __base__=_BirthFile,
    __doc__="Une naissance : la déclaration entière, le délai et l'acte.",
    annulled_acts=(
        list[str],
        Field([], description="Les actes de cette naissance qu'un tribunal a annulés (GET /v1/acts/{id})."),
    ),
    **_shown(),
)

Corrected = create_model(
    "Corrected",
    __base__=BirthOut,
    __doc__="La déclaration corrigée, comme la montre GET /v1/births/{id}.",
    warnings=(list[Warned], Field(description="Ce qu'il faut regarder avant de dresser l'acte.")),
)
