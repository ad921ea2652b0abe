"""Every knob there is, each an environment variable too: ORCHESTRATOR_HOME, ORCHESTRATOR_DATABASE__URL, ..."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

HOUR = 3600
"""In seconds."""
CENTURY = 36_525
"""In days."""
LARGE = 1_000_000


class DatabaseSettings(BaseModel):
    url: str | None = Field(
        default=None,
        description="sqlite:///FILE or postgresql://USER@HOST/NAME. Default: SQLite in HOME, which serves one machine.",
    )
    busy_seconds: float = Field(
        default=15.0,
        gt=0,
        le=HOUR,
        description="How long a writer waits for another before it gives up, in seconds.",
    )


class WorkerSettings(BaseModel):
    lease_seconds: float = Field(
        default=30.0,
        ge=2,
        le=HOUR,
        description=(
            "A worker that has not renewed its lease for so many seconds is dead and its runs go to another. One whose "
            "process has ended is missed by the workers of its machine within four."
        ),
    )
    beat_seconds: float = Field(
        default=2.0, gt=0, le=HOUR, description="How often a worker renews its lease, in seconds."
    )
    tick_seconds: float = Field(
        default=0.4, gt=0, le=HOUR, description="How often a worker looks for queued runs, in seconds; an indexed read."
    )
    runs: int = Field(default=4, ge=1, le=1000, description="Runs at the same time on one worker.")
    steps: int = Field(
        default=4,
        ge=1,
        le=1000,
        description="Ansible processes at the same time per run: independent steps go in parallel.",
    )
    warm: bool = Field(
        default=True,
        description="Start every step from a process that has imported Ansible already. Off: each starts Ansible anew.",
    )
    quick_modules: bool = Field(
        default=True,
        description="Steps that start warm send modules with bytecode, and hosts read them in one go; a host with "
        "another Python takes the source. Off: modules travel as Ansible packs them, a third of the bytes.",
    )


class LimitSettings(BaseModel):
    runs: int = Field(default=16, ge=1, le=LARGE, description="Runs at the same time, whatever the workers could take.")
    site: int = Field(default=8, ge=1, le=LARGE, description="Runs at the same time at one site.")
    host: int = Field(
        default=4,
        ge=1,
        le=LARGE,
        description="Runs at the same time that touch one host. Of an exclusive component, one step at a time.",
    )


class RetentionSettings(BaseModel):
    days: int = Field(
        default=400, ge=1, le=CENTURY, description="How long events are kept, and plans that were never applied."
    )
    backup_days: int = Field(
        default=62,
        ge=2,
        le=CENTURY,
        description="How long the records of single backups are kept, not the backups: until their month is closed.",
    )
    agencies: dict[str, Annotated[int, Field(ge=1, le=CENTURY)]] = Field(
        default={}, description='Other lengths for single agencies, in days, as JSON: {"cabinet-office": 2555}.'
    )


class RecoverySettings(BaseModel):
    canary_minutes: int = Field(
        default=15, ge=1, le=59, description="How far canaries are apart: how finely a recovery point is measured."
    )
    drills_per_host: int = Field(
        default=2, ge=1, le=16, description="Drills at the same time on one recovery host, for the calendar."
    )
    wait_seconds: float | None = Field(
        default=None,
        gt=0,
        le=30 * 24 * HOUR,
        description="How long a drill waits for the restored service. Default: as long as the agency was promised.",
    )


class ProbingSettings(BaseModel):
    enabled: bool = Field(
        default=True, description="Whether serve probes live services. Of several that do, one probes at a time."
    )
    concurrency: int = Field(default=500, ge=1, le=10_000, description="Probes at the same time.")


class HttpSettings(BaseModel):
    host: str = Field(default="127.0.0.1", description="Address that serve listens on; this machine only by default.")
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port that serve listens on.")
    hosts: list[str] = Field(
        default=["localhost", "127.0.0.1", "[::1]"],
        description='Names and addresses that serve answers to, as JSON: ["orchestrator.example"]; "*.example" for all '
        "below one. Whoever asks for another host is turned away.",
    )
    connections: int = Field(default=1000, ge=1, le=65535, description="Connections at the same time; more get 503.")


class Settings(BaseSettings):
    """The settings tree. Unknown variables are ignored; wrong values are refused when a command starts."""

    model_config = SettingsConfigDict(env_prefix="ORCHESTRATOR_", env_nested_delimiter="__")

    home: Path = Field(default=Path("var"), description="State: database, encryption key, access to sites. Private.")
    catalog: Path = Field(default=Path("catalog"), description="What is sold.")
    playbooks: Path = Field(default=Path("playbooks"), description="How it is built.")
    inventories: Path = Field(default=Path("inventories"), description="Where it is built.")
    cache: Path = Field(default=Path("~/.cache/shared-service-orchestrator"), description="What can be built again.")
    database: DatabaseSettings = DatabaseSettings()
    worker: WorkerSettings = WorkerSettings()
    limits: LimitSettings = LimitSettings()
    retention: RetentionSettings = RetentionSettings()
    recovery: RecoverySettings = RecoverySettings()
    probing: ProbingSettings = ProbingSettings()
    http: HttpSettings = HttpSettings()

    @property
    def database_url(self) -> str:
        return self.database.url or f"sqlite:///{self.home.resolve() / 'orchestrator.db'}"

    @property
    def key_file(self) -> Path:
        return self.home / "secret.key"

    @property
    def signing_key_file(self) -> Path:
        return self.home / "evidence.key"

    @property
    def signing_keys_file(self) -> Path:
        """The public keys that signed evidence before."""
        return self.home / "evidence.keys"

    @property
    def evidence_head_file(self) -> Path:
        """How much evidence there is, signed anew every day."""
        return self.home / "evidence.head"

    def site_folder(self, site: str) -> Path:
        """Where the key and the pinned host keys of a site are."""
        return self.home / "sites" / site
