"""What everything else stands on: the files people write, the clock, the database, and the way to the hosts."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.adapters.catalog_files.source import CatalogFiles
from orchestrator.adapters.clock import BootStopwatch, SystemClock
from orchestrator.bootstrap.installing import require_installation
from orchestrator.settings import Settings

if TYPE_CHECKING:
    import sqlalchemy as sa

    from orchestrator.adapters.database.store import SqlStore
    from orchestrator.ports.outside import SiteAccess
    from orchestrator.usecases.keys.rekeying import Rekeying
    from orchestrator.usecases.keys.rotating import Rotating


@dataclass(frozen=True)
class Records:
    settings: Settings

    @cached_property
    def source(self) -> CatalogFiles:
        s = self.settings
        return CatalogFiles(catalog_dir=s.catalog, inventories_dir=s.inventories, playbooks_dir=s.playbooks)

    @cached_property
    def clock(self) -> SystemClock:
        return SystemClock()

    @cached_property
    def stopwatch(self) -> BootStopwatch:
        return BootStopwatch()

    @cached_property
    def store(self) -> "SqlStore":
        from orchestrator.adapters.database.store import SqlStore

        self.require_installation()
        return SqlStore(self.database)

    @cached_property
    def database(self) -> "sa.Engine":
        from orchestrator.adapters.database.connection import connect

        database = self.settings.database
        return connect(self.settings.database_url, busy_milliseconds=int(database.busy_seconds * 1000))

    def require_installation(self) -> None:
        """Raise when a part of the installation is not, or no longer, where it belongs."""
        require_installation(self.settings, self.database)

    @cached_property
    def rotating(self) -> "Rotating":
        from orchestrator.adapters.database.marking import reseal_mark
        from orchestrator.adapters.keys.secret_box import SecretBox
        from orchestrator.usecases.keys.rotating import Rotating

        keys = SecretBox(self.settings.key_file)
        return Rotating(store=self.store, keys=keys, mark=partial(reseal_mark, self.database))

    @property
    def many_machines(self) -> bool:
        """Whether other machines may work on the same records."""
        return self.database.dialect.name != "sqlite"

    @cached_property
    def rekeying(self) -> "Rekeying":
        from orchestrator.adapters import authorized_keys
        from orchestrator.adapters.keys.site_keys import SiteKeyFiles, next_key
        from orchestrator.adapters.recovery_host import SshRecoveryHosts
        from orchestrator.usecases.keys.rekeying import Rekeying

        return Rekeying(
            source=self.source,
            keys=SiteKeyFiles(lambda site: self.access_of(site).key),
            by_key=SshRecoveryHosts(self.access_of),
            by_next=SshRecoveryHosts(lambda site: replace(access := self.access_of(site), key=next_key(access.key))),
            program=Path(authorized_keys.__file__).read_text(encoding="utf-8"),
        )

    def access_of(self, site: str) -> "SiteAccess":
        """How the hosts of a site are reached."""
        from orchestrator.ports.outside import SiteAccess

        folder = self.settings.site_folder(site).resolve()
        return SiteAccess(key=folder / "id_ed25519", known_hosts=folder / "known_hosts")
