"""The recovery key: its public half stands in the node's folder and closes every backup; its private half, under a
passphrase, lies on paper or a USB stick away from the machine and alone opens them."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.errors import problem
from app.keeping_safe.envelope import key_name
from app.settings import write_durably

PUBLIC = "recovery.pem"
SHORTEST = 12
NO_RECOVERY_KEY = problem(
    "no_recovery_key",
    409,
    "Pas encore de clé de secours",
    "Faites-la d'abord : mboka recovery-key --data DOSSIER --to FICHIER, et gardez le fichier hors de cette machine.",
)
RECOVERY_KEY_EXISTS = problem(
    "recovery_key_exists",
    409,
    "Une clé de secours existe déjà",
    "Pour la changer : --replace. L'ancienne reste nécessaire pour les anciennes sauvegardes.",
)
PASSPHRASE_SHORT = problem(
    "passphrase_short",
    422,
    "Phrase de passe trop courte",
    f"Tapez au moins {SHORTEST} caractères, par exemple quatre mots sans lien entre eux.",
)
PASSPHRASE_WRONG = problem(
    "passphrase_wrong",
    422,
    "Clé de secours illisible",
    "Vérifiez la phrase de passe et le fichier de la clé.",
)
BESIDE_THE_DATA = problem(
    "recovery_key_beside_data",
    422,
    "La clé de secours ne reste pas dans le dossier du nœud",
    "Donnez --to sur une clé USB : ce qui brûle ou est volé avec la machine ne secourt personne.",
)


def make_recovery_key(data: Path, to: Path, *, passphrase: str, replace: bool = False) -> str:
    """Draw the pair, write the private half to `to` (PEM under the passphrase), the public half into the folder.

    Gives the key's short name. Raises `recovery_key_exists`, `passphrase_short`, `recovery_key_beside_data`.
    """
    if (data / PUBLIC).exists() and not replace:
        raise RECOVERY_KEY_EXISTS()
    if to.resolve().is_relative_to(data.resolve()):
        raise BESIDE_THE_DATA()
    if to.exists():
        raise RECOVERY_KEY_EXISTS(f"{to} existe déjà.")
    if len(passphrase) < SHORTEST:
        raise PASSPHRASE_SHORT()
    key = ec.generate_private_key(ec.SECP256R1())
    closed = serialization.BestAvailableEncryption(passphrase.encode())
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, closed)
    # The private half first: without it no backup can be opened again.
    write_durably(to, private)
    write_durably(data / PUBLIC, public_pem(key.public_key()))
    return key_name(key.public_key())


def public_pem(public: ec.EllipticCurvePublicKey) -> bytes:
    """The public half as it stands in the folder and inside a backup."""
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def read_public(data: Path) -> ec.EllipticCurvePublicKey:
    """The public half of the node in `data`; raises `no_recovery_key`."""
    try:
        key = serialization.load_pem_public_key((data / PUBLIC).read_bytes())
    except FileNotFoundError as error:
        raise NO_RECOVERY_KEY() from error
    except ValueError as error:
        raise NO_RECOVERY_KEY(f"{data / PUBLIC} est abîmé.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise NO_RECOVERY_KEY(f"{data / PUBLIC} n'est pas une clé P-256.")
    return key


def read_private(file: Path, *, passphrase: str) -> ec.EllipticCurvePrivateKey:
    """The private half; raises `passphrase_wrong`."""
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=passphrase.encode())
    except (OSError, ValueError, TypeError) as error:
        raise PASSPHRASE_WRONG() from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise PASSPHRASE_WRONG(f"{file} n'est pas une clé P-256.")
    return key
