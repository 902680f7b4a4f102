"""What travels over REST about households and persons. Checks form only: whether a code is known or a date can be
is the question of corrections.py."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue

from app.ledger.values import readable
from sync.catalogue import is_date, is_uuid4

_PARTIAL = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")

Tenure = Literal["owner", "tenant", "co_owner", "free"]
Relation = Literal[
    "head", "spouse", "child", "grandchild", "parent", "sibling", "nephew_niece", "cousin", "uncle_aunt",
    "guardian", "ward", "other_relative", "unrelated",
]  # fmt: skip
Sex = Literal["M", "F"]
Precision = Literal["day", "month", "year", "estimated", "unknown"]
MaritalStatus = Literal["single", "married", "divorced", "widowed", "union"]
BirthAct = Literal["seen", "said", "none", "unknown"]
Status = Literal["present", "absent", "moved", "dead"]
Evidence = Literal["document", "declared", "estimated"]


def _partial_date(text: str) -> str:
    if is_date(text):
        return text
    if not _PARTIAL.fullmatch(text):
        raise ValueError("Une date de la forme AAAA, AAAA-MM ou AAAA-MM-JJ est attendue.")
    if text < "1850":
        raise ValueError("La date est antérieure à 1850.")
    raise ValueError("Cette date n'existe pas dans le calendrier.")


def _entity(text: str) -> str:
    if not is_uuid4(text):
        raise ValueError("Un identifiant UUID version 4 en minuscules est attendu.")
    return text


def _field(description: str, *examples: Any) -> Any:
    return Field(None, description=description, examples=[*examples])


Name = Annotated[str, Field(max_length=200), AfterValidator(readable)]
Words = Annotated[str, Field(max_length=2000), AfterValidator(readable)]
Code = Annotated[str, Field(max_length=40), AfterValidator(readable)]
PartialDate = Annotated[str, AfterValidator(_partial_date)]
EntityId = Annotated[str, AfterValidator(_entity)]
Line = Annotated[int, Field(strict=True, ge=1, le=9999)]
Latitude = Annotated[int, Field(strict=True, ge=-90_000_000, le=90_000_000)]
Longitude = Annotated[int, Field(strict=True, ge=-180_000_000, le=180_000_000)]
Metres = Annotated[float, Field(strict=True, ge=0, le=100_000, allow_inf_nan=False)]


class HouseholdFields(BaseModel):
    """The fields of a household (protocol, section 9)."""

    commune: Code | None = _field("Code de la commune ; à défaut celle du quartier.", "CD-KN-017")
    quartier: Code | None = _field("Code du quartier.", "1017090")
    avenue: Name | None = _field("Avenue.", "Kasaï")
    number: Name | None = _field("Numéro de la parcelle.", "12 bis")
    card: Name | None = _field("Numéro de la fiche de ménage en papier.", "03-0117")
    tenure: Tenure | None = _field("Propriétaire, locataire, copropriétaire ou logé gratuitement.", "tenant")
    head: EntityId | None = _field("Chef de ménage (identifiant de personne).")
    lat: Latitude | None = _field("Latitude en millionièmes de degré.", -4_326_500)
    lon: Longitude | None = _field("Longitude en millionièmes de degré.", 15_272_400)
    accuracy: Metres | None = _field("Précision de la position, en mètres.", 8)


class PersonFields(BaseModel):
    """The fields of a person (protocol, section 9)."""

    household: EntityId | None = _field("Ménage où la personne vit.", "0c0b1a52-8f63-4a4e-bb0f-9a3a4e9a7a10")
    line: Line | None = _field("Rang sur la fiche.", 3)
    relation: Relation | None = _field("Lien avec le chef de ménage.", "child")
    relation_words: Name | None = _field("Lien tel qu'écrit sur la fiche.", "fils")
    nom: Name | None = _field("Nom, exactement comme écrit.", "MBUYI")
    postnom: Name | None = _field("Post-nom, en un ou plusieurs mots.", "KALALA")
    prenom: Name | None = _field("Prénom.", "Grâce")
    sex: Sex | None = _field("Sexe.", "F")
    birth_date: PartialDate | None = _field("Date de naissance : AAAA, AAAA-MM ou AAAA-MM-JJ.", "1987-05")
    birth_precision: Precision | None = _field("Ce que l'on sait de la date.", "month")
    birth_words: Name | None = _field("Date telle qu'écrite sur le papier.", "vers mai 1987")
    birth_place: Name | None = _field("Lieu de naissance.", "Kinshasa")
    nationality: Code | None = _field("Pays (ISO 3166-1, deux lettres) ou indeterminate.", "CD")
    marital_status: MaritalStatus | None = _field("État matrimonial.", "married")
    occupation: Name | None = _field("Profession.", "vendeuse")
    phone: Name | None = _field("Téléphone.", "+243810000000")
    mother: EntityId | None = _field("Mère (identifiant de personne).")
    father: EntityId | None = _field("Père (identifiant de personne).")
    mother_name: Name | None = _field("Nom de la mère.", "KAPINGA POMBI")
    father_name: Name | None = _field("Nom du père.", "NYEMBO ILUNGA")
    birth_act: BirthAct | None = _field("Acte de naissance : vu, affirmé, aucun, inconnu.", "seen")
    birth_act_ref: Name | None = _field(
        "Référence de l'acte ; après enregistrement : bureau, volume/année et numéro.",
        "CD-KN-017-01 vol. III/2019 n° 412",
    )
    status: Status | None = _field("Présence.", "present")


class Strict(BaseModel):
    """Refuses members it does not know; `evidence` is not a field but says what stands behind the values."""

    model_config = ConfigDict(extra="forbid")

    evidence: Evidence = Field(
        "declared", description="Sur quoi reposent les valeurs envoyées.", examples=["document"]
    )


class HouseholdIn(Strict, HouseholdFields):
    """Ménage à inscrire, ou les champs à changer (un champ absent ne change pas, null efface)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"quartier": "1017090", "avenue": "Kasaï", "number": "12 bis", "tenure": "tenant"}]
        },
    )


class PersonIn(Strict, PersonFields):
    """Personne à inscrire, ou les champs à changer (un champ absent ne change pas, null efface)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "household": "0c0b1a52-8f63-4a4e-bb0f-9a3a4e9a7a10",
                    "relation": "child",
                    "nom": "MBUYI",
                    "postnom": "KALALA",
                    "prenom": "Grâce",
                    "sex": "F",
                    "birth_date": "2019-04-12",
                }
            ]
        },
    )


class PersonAnswers(PersonFields):
    """Les réponses de l'officier là où les deux fiches diffèrent."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"birth_date": "2019-04-12"}]})


class HouseholdAnswers(HouseholdFields):
    """Les réponses de l'officier là où les deux fiches diffèrent."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"tenure": "tenant"}]})


class MergePerson(Strict):
    """La personne qui reste, et au besoin les valeurs qui valent désormais."""

    into: EntityId = Field(description="Fiche qui reste.", examples=["7d1c9b3e-52aa-4e0f-8b6d-90c3f1e2a745"])
    set: PersonAnswers | None = Field(None, description="Valeurs à écrire sur la fiche qui reste.")


class MergeHousehold(Strict):
    """Le ménage qui reste, et au besoin les valeurs qui valent désormais."""

    into: EntityId = Field(description="Fiche qui reste.", examples=["7d1c9b3e-52aa-4e0f-8b6d-90c3f1e2a745"])
    set: HouseholdAnswers | None = Field(None, description="Valeurs à écrire sur la fiche qui reste.")


class Standing(BaseModel):
    """One of several values that stand side by side."""

    value: Any = Field(description="Valeur ; un objet pour les champs écrits ensemble.", examples=["F"])
    ev: str = Field(description="Preuve : act, document, declared ou estimated.", examples=["declared"])
    by: str | None = Field(description="Qui l'a écrite.", examples=["6f9a0a6e-0a6e-4e7c-8f44-4a7a9f7e1c11"])
    by_name: str | None = Field(
        None, description="Son nom, si cette personne a un compte ici.", examples=["Marie Mbuyi"]
    )
    dot: str = Field(description="Opération qui l'a écrite.", examples=["3b241101-e2bb-4255-8caf:77:12"])


_DOUBTFUL = {
    "description": "Valeur douteuse, telle qu'un appareil l'a écrite : le champ est nommé dans `doubtful`."
}


class Record(BaseModel):
    """What every record shows beside its fields."""

    id: str = Field(
        description="Identifiant (UUID version 4).", examples=["0c0b1a52-8f63-4a4e-bb0f-9a3a4e9a7a10"]
    )
    etag: str = Field(
        description="À renvoyer en If-Match pour modifier.", examples=['"5f2b6c3e9a7d4c10b8e6f0a1d2c3b4a5"']
    )
    conflicts: dict[str, list[Standing]] | None = Field(
        None, description="Registres où plusieurs valeurs subsistent ; le champ montre la valeur provisoire."
    )
    void: bool | None = Field(
        None, description="Fiche annulée : visible par son identifiant seulement.", examples=[True]
    )
    merged_ids: list[str] | None = Field(
        None,
        description="Autres identifiants de cette fiche, fusionnés avec elle ; chacun d'eux y mène.",
        examples=[["7d1c9b3e-52aa-4e0f-8b6d-90c3f1e2a745"]],
    )
    doubtful: list[str] | None = Field(
        None, description="Champs gardés tels qu'écrits, mais comptés comme inconnus.", examples=[["line"]]
    )
    others: dict[str, Any] | None = Field(
        None, description="Champs d'une version plus récente, gardés sans être compris."
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """A doubtful value is shown as a device wrote it: of each field that devices write, the description says so."""
        described = handler(core)
        fields = handler.resolve_ref_schema(described)["properties"]
        for name in fields.keys() & (HouseholdFields.model_fields.keys() | PersonFields.model_fields.keys()):
            fields[name]["anyOf"] = [*fields[name]["anyOf"], _DOUBTFUL]
        return described


class PersonOut(Record, PersonFields):
    """Une personne ; les valeurs inconnues sont null."""

    commune: str | None = Field(None, description="Commune dont elle relève.", examples=["CD-KN-017"])
    quartier: str | None = Field(None, description="Quartier de son ménage.", examples=["1017090"])


class HouseholdOut(Record, HouseholdFields):
    """Un ménage, sans ses membres."""


class HouseholdWithMembers(HouseholdOut):
    """Un ménage et les personnes qui y vivent."""

    members: list[PersonOut] = Field(description="Dans l'ordre de la fiche.")


class Writing(BaseModel):
    """One value once written to a register."""

    value: Any = Field(
        description="Valeur écrite.", examples=[{"nom": "MBUYI", "postnom": "KALALA", "prenom": None}]
    )
    by: str | None = Field(description="Identifiant de la personne qui l'a écrite.")
    by_name: str | None = Field(
        None, description="Son nom, si elle a un compte ici.", examples=["Marie Mbuyi"]
    )
    at: str | None = Field(
        description="Heure de l'appareil (témoignage).", examples=["2026-11-22T09:14:03+01:00"]
    )
    received_at: str | None = Field(
        description="Arrivée sur ce serveur (UTC).", examples=["2026-11-22T08:20:00.000Z"]
    )
    dev: str = Field(description="Appareil ou serveur.")
    dot: str = Field(description="Opération.")
    ev: str = Field(description="Preuve.", examples=["declared"])
    role: str = Field(description="Rôle de l'appareil.", examples=["agent"])
    par: list[str] = Field(description="Opérations dont elle remplace la valeur.")
    live: bool = Field(description="Cette valeur subsiste-t-elle ?")
    shown: bool = Field(description="Est-ce la valeur montrée ?")
    under: str | None = Field(
        None,
        description="Identifiant sous lequel elle fut écrite, si ce n'est pas celui de la fiche.",
        examples=["7d1c9b3e-52aa-4e0f-8b6d-90c3f1e2a745"],
    )


class HistoryOut(BaseModel):
    """Tout ce qui a été écrit d'un dossier, registre par registre, dans l'ordre d'arrivée."""

    id: str = Field(description="Identifiant du dossier.")
    kind: Literal["household", "person"] = Field(description="Nature du dossier.")
    registers: dict[str, list[Writing]] = Field(
        description="Registre (nommé par son premier champ) et ses valeurs."
    )
    acts: list[Writing] | None = Field(
        None, description="Annulations, rétablissements, fusions et séparations ; `value` dit lequel."
    )
