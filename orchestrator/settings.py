"""All settings. Each is an environment variable: ORCHESTRATOR_HOME, ORCHESTRATOR_DATABASE__URL, ..."""

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
            "A worker that has not renewed its lease for this many seconds counts as dead, and its runs go to others. "
            "Workers of the same machine notice within four seconds when its process has ended."
        ),
    )
    beat_seconds: float = Field(
        default=2.0, gt=0, le=HOUR, description="How often a worker renews its lease, in seconds."
    )
    tick_seconds: float = Field(
        default=0.4, gt=0, le=HOUR, description="How often a worker looks for queued runs, in seconds."
    )
    runs: int = Field(default=4, ge=1, le=1000, description="Concurrent runs on one worker.")
    steps: int = Field(
        default=4,
        ge=1,
        le=1000,
        description="Concurrent steps in one run, each an Ansible process.",
    )
    warm: bool = Field(
        default=True,
        description="Start every step from a process that has already imported Ansible. Off: each step starts Ansible.",
    )
    quick_modules: bool = Field(
        default=True,
        description="Warm steps send modules with their bytecode, which hosts read in one go and run in a Python that "
        "stays there for a minute. Off: modules are sent as Ansible packs them, at a third of the size.",
    )


class LimitSettings(BaseModel):
    runs: int = Field(
        default=16, ge=1, le=LARGE, description="Concurrent runs in total, whatever the workers could take."
    )
    site: int = Field(default=8, ge=1, le=LARGE, description="Concurrent runs at one site.")
    host: int = Field(
        default=4,
        ge=1,
        le=LARGE,
        description="Concurrent runs that touch one host. Of an exclusive component, one step at a time.",
    )


class RetentionSettings(BaseModel):
    days: int = Field(default=400, ge=1, le=CENTURY, description="How long events and unused plans are kept, in days.")
    backup_days: int = Field(
        default=62,
        ge=2,
        le=CENTURY,
        description="How long the records of single backups are kept, in days: until their month is closed.",
    )
    agencies: dict[str, Annotated[int, Field(ge=1, le=CENTURY)]] = Field(
        default={}, description='Retention of single agencies, in days, as JSON: {"cabinet-office": 2555}.'
    )


class RecoverySettings(BaseModel):
    canary_minutes: int = Field(
        default=15,
        ge=1,
        le=59,
        description="Minutes between canaries. Shorter intervals measure recovery points more finely.",
    )
    drills_per_host: int = Field(
        default=2, ge=1, le=16, description="Concurrent drills on one recovery host, for the calendar."
    )
    wait_seconds: float | None = Field(
        default=None,
        gt=0,
        le=30 * 24 * HOUR,
        description="How long a drill waits for the restored service. Default: the agency's promised recovery time.",
    )


class ProbingSettings(BaseModel):
    enabled: bool = Field(
        default=True, description="Whether serve probes live services. If several processes do, one probes at a time."
    )
    concurrency: int = Field(default=500, ge=1, le=10_000, description="Concurrent probes.")


class HttpSettings(BaseModel):
    host: str = Field(default="127.0.0.1", description="Address that serve listens on. Default: this machine only.")
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port that serve listens on.")
    hosts: list[str] = Field(
        default=["localhost", "127.0.0.1", "[::1]"],
        description='Host names and addresses that serve answers to, as JSON: ["orchestrator.example"], or "*.example" '
        "for its subdomains. Requests for other hosts are rejected.",
    )
    connections: int = Field(default=1000, ge=1, le=65535, description="Concurrent connections; further ones get 503.")


class Settings(BaseSettings):
    """The settings tree. Unknown variables are ignored; invalid values are refused when a command starts."""

    model_config = SettingsConfigDict(env_prefix="ORCHESTRATOR_", env_nested_delimiter="__")

    home: Path = Field(default=Path("var"), description="State directory: database, keys, access to sites. Private.")
    catalog: Path = Field(default=Path("catalog"), description="What is sold.")
    playbooks: Path = Field(default=Path("playbooks"), description="How it is built.")
    inventories: Path = Field(default=Path("inventories"), description="Where it is built.")
    cache: Path = Field(default=Path("~/.cache/shared-service-orchestrator"), description="What can be rebuilt.")
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
        """The earlier public keys that signed evidence."""
        return self.home / "evidence.keys"

    @property
    def evidence_head_file(self) -> Path:
        """How much evidence there is, signed every day."""
        return self.home / "evidence.head"

    def site_folder(self, site: str) -> Path:
        """The folder of a site's key and pinned host keys."""
        return self.home / "sites" / site
