"""What travels over REST about officers and sessions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sync.catalogue import is_date

Role = Literal["agent", "clerk", "registrar", "delegate", "supervisor", "planner", "admin"]
# Generous bounds: the rules, with their own codes, are in officers.py.
Password = Annotated[
    str, Field(max_length=1000, description="Mot de passe.", examples=["trois manguiers au marché"])
]
_OTP = Field(
    description="Code à usage unique du téléphone (six chiffres) ou code de secours, si un second facteur est inscrit.",
    examples=["492039"],
)
Otp = Annotated[str, Field(max_length=40), _OTP]
# What a call that signs takes: `otp: OptionalOtp = None`.
OptionalOtp = Annotated[Annotated[str, Field(max_length=40)] | None, _OTP]
Commune = Annotated[
    str | None,
    Field(
        max_length=16, description="Code de la commune ; null = toute la province.", examples=["CD-KN-017"]
    ),
]


def _day(text: str) -> str:
    if not is_date(text) or len(text) != 10:
        raise ValueError("Une date de la forme AAAA-MM-JJ est attendue.")
    return text


Day = Annotated[str, Field(max_length=10), AfterValidator(_day)]


class Strict(BaseModel):
    """Refuses members it does not know."""

    model_config = ConfigDict(extra="forbid", regex_engine="rust-regex")


class SessionIn(Strict):
    """Ouverture d'une session d'officier."""

    username: str = Field(min_length=1, max_length=200, description="Identifiant.", examples=["m.mbuyi"])
    password: Password
    purpose: str | None = Field(
        None,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="Motif des consultations de cette session ; il est inscrit au journal des lectures.",
        examples=["déclaration de naissance"],
    )
    otp: OptionalOtp = None


class SessionOut(BaseModel):
    """Session ouverte : le jeton n'est montré qu'une fois."""

    token: str = Field(
        description="Jeton à envoyer : Authorization: Bearer …",
        examples=["2fQ0Zr1n3l0bq7oY5pJtV8sK4xWc9dHe6uAiBgTmRyU"],
    )
    expires_at: str = Field(description="Fin de la session (UTC).", examples=["2026-11-22T18:00:00.000Z"])
    role: Role = Field(description="Rôle de l'officier.", examples=["clerk"])
    commune: Commune = None


class OtpIn(Strict):
    """La preuve que l'officier a son téléphone ou un code de secours."""

    otp: Otp


class PasswordIn(Strict):
    """Changement de son propre mot de passe."""

    old: Password
    new: Password


class OwnSession(BaseModel):
    """Une session ouverte de l'officier, sans son jeton."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(
        description="Identifiant de la session (UUID).", examples=["3a1f8a0e-65a4-4d1c-9c5e-6f2f0a1b7c20"]
    )
    purpose: str | None = Field(
        None, description="Motif des consultations.", examples=["déclaration de naissance"]
    )
    created_at: str = Field(description="Ouverture (UTC).", examples=["2026-11-22T10:00:00.000Z"])
    expires_at: str = Field(description="Fin (UTC).", examples=["2026-11-22T18:00:00.000Z"])
    current: bool = Field(description="true = la session qui demande.", examples=[True])
    signs_until: str | None = Field(
        None,
        description="Jusqu'à quand la session qui demande signe sans nouveau code (UTC).",
        examples=["2026-11-22T10:10:00.000Z"],
    )


class FactorIn(Strict):
    """Demande d'un second facteur."""

    password: Password


class FactorOut(BaseModel):
    """Un secret à photographier : montré une seule fois, sans effet avant sa confirmation."""

    secret: str = Field(
        description="Secret en base32, à saisir si l'appareil photo ne lit pas le code.",
        examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"],
    )
    otpauth: str = Field(
        description="Adresse otpauth:// pour une application de codes.",
        examples=["otpauth://totp/Mboka:m.mbuyi?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Mboka"],
    )
    qr: str = Field(description="La même adresse en QR code : texte SVG.", examples=["<svg …></svg>"])


class RecoveryOut(BaseModel):
    """Les codes de secours : à imprimer et à garder loin du téléphone. Chacun sert une fois."""

    recovery: list[str] = Field(
        description="Dix codes de secours, montrés une seule fois.",
        examples=[["M5QX-7LTA-2KDE-J4WN-PR6C-ZB3H"]],
    )


class OfficeDates(Strict):
    """Les dates de fonction d'un officier."""

    office_from: Day | None = Field(
        None, description="Premier jour en fonction ; null = sans date.", examples=["2026-01-05"]
    )
    office_to: Day | None = Field(
        None, description="Dernier jour en fonction ; null = sans fin.", examples=["2026-12-31"]
    )
    appointed_by: str | None = Field(
        None,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="Acte de nomination ou de délégation.",
        examples=["Arrêté n° 12/2026 du bourgmestre"],
    )


class OfficerIn(OfficeDates):
    """Nouvel officier."""

    username: str = Field(
        min_length=1, max_length=200, description="Identifiant, en minuscules.", examples=["m.mbuyi"]
    )
    name: str = Field(
        min_length=1, max_length=400, description="Nom complet.", examples=["Marie Mbuyi Kalala"]
    )
    role: Role = Field(description="Rôle.", examples=["clerk"])
    commune: Commune = None
    password: Password


class OfficerPatch(OfficeDates):
    """Ce qui change pour un officier ; un champ absent ne change pas."""

    name: str = Field("", max_length=400, description="Nom complet.", examples=["Marie Mbuyi Kalala"])
    role: Role = Field("agent", description="Rôle.", examples=["registrar"])
    commune: Commune = None
    disabled: bool = Field(
        False, description="true ferme le compte et ses sessions, false le rouvre.", examples=[True]
    )
    password: Password = ""


class OfficerOut(BaseModel):
    """Un officier, sans son mot de passe."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(
        description="Identifiant interne (UUID).", examples=["0c0b1a52-8f63-4a4e-bb0f-9a3a4e9a7a10"]
    )
    username: str = Field(description="Identifiant de connexion.", examples=["m.mbuyi"])
    name: str = Field(description="Nom complet.", examples=["Marie Mbuyi Kalala"])
    role: Role = Field(description="Rôle.", examples=["clerk"])
    commune: Commune = None
    created_at: str = Field(description="Création du compte (UTC).", examples=["2026-11-22T08:00:00.000Z"])
    disabled_at: str | None = Field(
        None, description="Fermeture du compte (UTC) ; null = ouvert.", examples=[None]
    )
    office_from: str | None = Field(
        None, description="Premier jour en fonction ; null = sans date.", examples=["2026-01-05"]
    )
    office_to: str | None = Field(
        None, description="Dernier jour en fonction ; null = sans fin.", examples=["2026-12-31"]
    )
    appointed_by: str | None = Field(
        None,
        description="Acte de nomination ou de délégation.",
        examples=["Arrêté n° 12/2026 du bourgmestre"],
    )
