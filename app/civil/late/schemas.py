"""What travels over REST about files of the late procedure and campaigns. Checks form only."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.access.paging import Page
from app.civil.schemas import Code, Entity, FullDate, Long, Mark, Registered, Short, Strict

StepName = Literal["sent", "requested", "judged", "served", "no_appeal", "homologated", "closed"]
Stage = Literal["opened", "sent", "requested", "judged", "served", "no_appeal", "homologated", "closed"]
Age = Annotated[int, Field(ge=0, le=150)]
Court = Annotated[
    Short | None, Field(description="Tribunal.", examples=["Tribunal pour enfants de Kinshasa/Matete"])
]
Note = Annotated[Long | None, Field(description="Note.", examples=["Dossier complet."])]
CampaignId = Annotated[
    Entity | None,
    Field(
        description="Campagne à laquelle le dossier est joint.",
        examples=["7b0f2f4e-5f55-4c3a-9a0c-2f1e6a3d9b10"],
    ),
]


class ProcedureIn(Strict):
    """Ouverture du dossier d'une naissance hors délai."""

    path: Literal["judgment", "notoriety"] | None = Field(
        None,
        description="Jugement supplétif, ou acte de notoriété supplétif pour une naissance d'avant le Code ; par "
        "défaut celle que la date de naissance demande.",
        examples=["judgment"],
    )
    court: Court = None
    requester: Short | None = Field(None, description="Qui demande.", examples=["Marie Mbuyi Kapinga, mère"])
    campaign: CampaignId = None
    note: Note = None


class StepIn(Strict):
    """Une étape datée ; la même étape notée à nouveau est une correction."""

    step: StepName = Field(description="Étape.", examples=["judged"])
    on: FullDate = Field(description="Jour de l'étape.", examples=["2026-06-30"])
    court: Court = None
    number: Mark | None = Field(
        None,
        description="Numéro : de la requête, du jugement (RC, RCE…), du certificat, de l'homologation.",
        examples=["RCE 1204"],
    )
    outcome: Literal["granted", "refused", "withdrawn"] | None = Field(
        None, description="Issue du jugement ; accordé par défaut.", examples=["granted"]
    )
    to: Short | None = Field(None, description="À qui le jugement a été signifié.", examples=["le père"])
    slip: Mark | None = Field(None, description="Bordereau d'envoi.", examples=["B 12/2026"])
    campaign: CampaignId = None
    note: Note = None


class TranscriptionIn(Strict):
    """Où l'acte est inscrit, au registre de l'année en cours."""

    office: Code = Field(description="Bureau de l'état civil.", examples=["CD-KN-017-01"])
    volume: Mark = Field(description="Volume du registre de l'année.", examples=["1"])
    folio: Mark | None = Field(None, description="Feuillet.", examples=["12"])
    otp: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        None, description="Code du second facteur de l'officier qui signe.", examples=["492013"]
    )


class Transcribed(Registered):
    """L'acte dressé sur le jugement, la mention en marge, et le dossier clos."""

    procedure: str = Field(description="Le dossier.")
    annotation: str = Field(description="La mention de transcription en marge de l'acte.")


class ChildOut(BaseModel):
    """L'enfant, tel qu'il est déclaré."""

    nom: str | None = Field(None, description="Nom.", examples=["Mbuyi"])
    postnom: str | None = Field(None, description="Post-nom.", examples=["Kalala"])
    prenom: str | None = Field(None, description="Prénom.", examples=["Grâce"])
    sex: str | None = Field(None, description="Sexe.", examples=["F"])
    birth_date: str | None = Field(None, description="Date de naissance.", examples=["2019-05-02"])
    birth_precision: str | None = Field(None, description="Précision de la date.", examples=["day"])


class StepOut(BaseModel):
    """Une étape franchie et les jours passés à cette étape."""

    step: str = Field(description="Étape.", examples=["judged"])
    label: str = Field(description="En français.", examples=["Jugement rendu"])
    on: str = Field(description="Jour.", examples=["2026-06-30"])
    days: int = Field(description="Jours passés à cette étape.", examples=[12])
    court: str | None = Field(None, description="Tribunal.", examples=["Tribunal pour enfants"])
    number: str | None = Field(None, description="Numéro.", examples=["RCE 1204"])
    outcome: str | None = Field(None, description="Issue.", examples=["granted"])
    to: str | None = Field(None, description="À qui.", examples=["le père"])
    slip: str | None = Field(None, description="Bordereau.", examples=["B 12/2026"])


class NextOut(BaseModel):
    """Ce qu'il y a à faire."""

    step: str = Field(description="Étape suivante, ou transcription.", examples=["served"])
    label: str = Field(description="En français.", examples=["Jugement signifié"])
    to_do: str = Field(description="Ce qu'il faut faire.", examples=["Faire signifier le jugement."])


class ReasonOut(BaseModel):
    """Pourquoi le dossier ne peut pas avancer."""

    code: str = Field(description="Code stable.", examples=["birth_contested"])
    message: str = Field(description="Explication.", examples=["Le délai d'appel court jusqu'au 30/07/2026."])
    blocks: bool = Field(
        description="Empêche la transcription ; false : à vérifier (règle à confirmer).", examples=[False]
    )


class ProcedureOut(BaseModel):
    """Un dossier de la procédure hors délai."""

    id: str = Field(description="Identifiant du dossier.")
    birth: str | None = Field(None, description="La déclaration.")
    commune: str | None = Field(None, description="Commune.", examples=["CD-KN-017"])
    office: str | None = Field(None, description="Bureau.", examples=["CD-KN-017-01"])
    child: ChildOut = Field(description="L'enfant.")
    path: str | None = Field(None, description="Voie.", examples=["judgment"])
    path_label: str | None = Field(None, description="En français.", examples=["jugement supplétif"])
    stage: str = Field(description="Où en est le dossier.", examples=["requested"])
    stage_label: str = Field(description="En français.", examples=["Requête déposée"])
    since: str | None = Field(None, description="Depuis quel jour.", examples=["2026-05-02"])
    days: int = Field(description="Jours d'attente à cette étape.", examples=[45])
    court: str | None = Field(
        None, description="Tribunal nommé au dossier.", examples=["Tribunal pour enfants"]
    )
    court_kind: str = Field(
        description="Tribunal compétent, par l'âge au jour de la requête.", examples=["children"]
    )
    court_name: str | None = Field(None, description="En français.", examples=["tribunal pour enfants"])
    court_explanation: str = Field(description="Pourquoi.", examples=["Âge au jour de la requête : 7 ans…"])
    requester: str | None = Field(None, description="Qui demande.", examples=["Marie Mbuyi, mère"])
    campaign: str | None = Field(None, description="Campagne.")
    campaign_name: str | None = Field(None, description="Son nom.", examples=["Audience foraine 2026"])
    fee_waived: bool | None = Field(
        None,
        description="Gratuit grâce à la campagne ; null : cela dépend de la date exacte.",
        examples=[True],
    )
    fee_explanation: str = Field(description="Pourquoi.", examples=["Gratuit : 7 ans…"])
    steps: list[StepOut] = Field(description="Les étapes franchies.")
    next: NextOut | None = Field(None, description="L'étape suivante ; null : dossier clos.")
    blocked: list[ReasonOut] = Field(description="Pourquoi le dossier ne peut pas encore avancer.")
    opened_on: str | None = Field(None, description="Ouvert le.", examples=["2026-05-02"])
    transcribed_on: str | None = Field(None, description="Transcrit le.", examples=["2026-08-10"])
    act: str | None = Field(None, description="L'acte.")
    closed_on: str | None = Field(None, description="Clos le.", examples=["2026-08-10"])
    closed_reason: str | None = Field(None, description="Pourquoi.", examples=["transcrit"])
    note: str | None = Field(None, description="Note.", examples=["Dossier complet."])


class WrittenOut(BaseModel):
    """Une valeur écrite un jour dans le dossier."""

    field: str = Field(description="Champ.", examples=["judged_on"])
    value: Any = Field(description="Valeur.", examples=["2026-06-30"])
    at: str | None = Field(None, description="Reçue le (UTC).", examples=["2026-07-01T08:00:00.000Z"])
    by: str | None = Field(None, description="Officier.")
    by_name: str | None = Field(None, description="Son nom.", examples=["Marie Mbuyi"])
    stands: bool = Field(description="Vaut encore ; false : corrigée depuis.", examples=[True])


class ProcedureFile(ProcedureOut):
    """Un dossier entier, avec tout ce qui y a été écrit."""

    history: list[WrittenOut] = Field(description="Toutes les valeurs écrites, la plus ancienne d'abord.")


class Tray(Page[ProcedureOut]):
    """Les dossiers qui attendent."""

    counts: dict[str, int] = Field(
        description="Dossiers par étape, clos compris.", examples=[{"requested": 12, "judged": 3}]
    )


class CampaignIn(Strict):
    """Une campagne (audience foraine) : ses dates, ses âges, sa gratuité."""

    name: Short = Field(description="Nom.", examples=["Audience foraine de juin 2026"])
    commune: Code | None = Field(
        None, description="Commune ; celle de l'officier par défaut.", examples=["CD-KN-017"]
    )
    starts_on: FullDate = Field(description="Premier jour.", examples=["2026-06-01"])
    ends_on: FullDate | None = Field(None, description="Dernier jour.", examples=["2026-06-30"])
    least_age: Age | None = Field(None, description="Âge le plus petit (ans).", examples=[0])
    most_age: Age | None = Field(None, description="Âge le plus grand (ans).", examples=[17])
    court: Court = None
    fee_waived: bool = Field(False, description="Gratuité.", examples=[True])
    decision: Short | None = Field(
        None, description="La décision qui l'accorde.", examples=["Circulaire n° 4/2026"]
    )
    note: Note = None


class CampaignOut(BaseModel):
    """Une campagne et ce qui en est venu."""

    id: str = Field(description="Identifiant de la campagne.")
    name: str | None = Field(None, description="Nom.", examples=["Audience foraine de juin 2026"])
    commune: str | None = Field(None, description="Commune.", examples=["CD-KN-017"])
    starts_on: str | None = Field(None, description="Premier jour.", examples=["2026-06-01"])
    ends_on: str | None = Field(None, description="Dernier jour.", examples=["2026-06-30"])
    least_age: int | None = Field(None, description="Âge le plus petit.", examples=[0])
    most_age: int | None = Field(None, description="Âge le plus grand.", examples=[17])
    court: str | None = Field(None, description="Tribunal.", examples=["Tribunal pour enfants"])
    fee_waived: bool | None = Field(None, description="Gratuité.", examples=[True])
    decision: str | None = Field(None, description="Décision.", examples=["Circulaire n° 4/2026"])
    note: str | None = Field(None, description="Note.", examples=["Au marché."])
    procedures: int = Field(description="Dossiers joints.", examples=[120])
    waiting: int = Field(description="Dossiers qui attendent encore.", examples=[20])
    acts: int = Field(description="Actes dressés.", examples=[100])
