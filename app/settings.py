"""All settings of a server in one frozen object: the only reader of the environment and of DIR's configuration file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

CONFIGURATION = "mboka.json"


class Settings(BaseSettings):
    """Every setting has a variable `MBOKA_<NAME>`; it wins over DIR/mboka.json, which wins over the default."""

    model_config = SettingsConfigDict(env_prefix="MBOKA_", frozen=True, extra="ignore")

    data: Path = Field(description="Directory of the node: database, keys, configuration.")
    database_url: str = Field(
        "", description="PostgreSQL address; empty = SQLite file mboka.db in the directory."
    )
    public_url: str = Field(
        "", description="Address tablets use for this server; empty = the one it last served on."
    )
    session_hours: float = Field(8.0, gt=0, description="Life of an officer's session, in hours.")
    signing_minutes: float = Field(
        10.0, ge=0, description="Time a session may sign acts after a code of the second factor, in minutes."
    )
    idle_minutes: float = Field(
        60.0, ge=0, description="Minutes without a request after which an officer's session ends; 0 = never."
    )
    requests_per_minute: int = Field(
        6000, ge=0, description="Requests an officer may make in a minute before 429; 0 = no limit."
    )
    device_requests_per_minute: int = Field(
        6000, ge=0, description="Requests a tablet's sessions may make in a minute before 429; 0 = no limit."
    )
    purpose_required: bool = Field(
        False, description="Refuse to show persons and births to an officer who has not said why he reads."
    )
    device_session_minutes: float = Field(720.0, gt=0, description="Life of a tablet's session, in minutes.")
    invitation_minutes: float = Field(15.0, gt=0, description="Life of an enrolment code, in minutes.")
    invitation_tries: int = Field(5, gt=0, description="Wrong proofs allowed before a code is closed.")
    grant_days: int = Field(
        365, gt=0, description="Life of a device's grant, in days; renewed at each session."
    )
    accepting: int = Field(
        4, gt=0, description="Batches accepted at the same time; more get 503 with Retry-After."
    )
    waiting: int = Field(64, gt=0, description="Batches that may wait for their turn before 503 is answered.")
    request_seconds: float = Field(
        300.0,
        gt=0,
        description="Time in which a request must have arrived whole, in seconds; twice that for bundles.",
    )
    pack_rows: int = Field(
        500, gt=0, description="Rows an area must have for a pack, and changed rows for a newer one."
    )
    reading: int = Field(
        1,
        ge=0,
        le=8,
        description="Processes that read batches beside the server; 0 = the server reads them itself.",
    )
    relay_seconds: float = Field(
        30.0, gt=0, description="Pause between two relays to the province, in seconds."
    )
    relay_bytes: int = Field(4 << 20, gt=0, description="Most batch bytes in one bundle to the province.")
    match_seconds: float = Field(
        20.0, gt=0, description="Pause between two searches for persons recorded twice, in seconds."
    )
    login_tries: int = Field(
        10, gt=0, description="Wrong passwords per person and quarter of an hour before 429."
    )
    visits: int = Field(
        300,
        gt=0,
        description="Visits of the public pages per address and minute before 429; 20 times as many in all.",
    )
    suppress_below: int = Field(
        5, ge=1, description="Planners see null for counts from 1 to this number less one."
    )
    suppress_nationality_below: int = Field(10, ge=1, description="The same for counts by nationality.")
    clock_ahead_hours: float = Field(
        24.0, gt=0, description="Lead over the province's clock from which registration stops."
    )
    law: Path | None = Field(
        None,
        description="Directory whose CSV files replace those of the law as shipped; empty = DIR/law, if it exists.",
    )
    log_level: str = Field("INFO", description="Least level of the log: DEBUG, INFO, WARNING or ERROR.")

    @property
    def url(self) -> str:
        """The database's SQLAlchemy address."""
        return self.database_url or f"sqlite:///{self.data / 'mboka.db'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then what `load` read from the file."""
        return env_settings, init_settings


def load(data: Path) -> Settings:
    """The settings of the node in `data`; raises FileNotFoundError where no `mboka init` has been."""
    stored: dict[str, Any] = json.loads((data / CONFIGURATION).read_text(encoding="utf-8"))
    return Settings(**{**stored, "data": data})


class UnreadableLaw(ValueError):
    """The directory of a jurist's law, or a file in it, cannot be read; the message is French."""


def law_files(settings: Settings) -> dict[str, str]:
    """The text of each CSV file of the law a jurist put beside the shipped ones, by name; raises UnreadableLaw."""
    directory = settings.law or settings.data / "law"
    if not directory.is_dir():
        if settings.law is None:
            return {}
        raise UnreadableLaw(f"{directory} : ce dossier de la loi (MBOKA_LAW) n'existe pas.")
    found = {}
    for path in sorted(directory.glob("*.csv")):
        try:
            found[path.name] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise UnreadableLaw(f"{path} : ce fichier de la loi n'est pas lisible en UTF-8.") from None
    return found


def save(data: Path, values: dict[str, Any]) -> None:
    """Write DIR/mboka.json so that it is whole after a power cut."""
    write_durably(data / CONFIGURATION, json.dumps(values, indent=2, sort_keys=True).encode() + b"\n")


def write_durably(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace a small file atomically: write beside it, fsync, rename, fsync the directory."""
    beside = path.with_name(path.name + ".new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(beside, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
