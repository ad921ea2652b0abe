"""Keys: replacing the key that seals secrets, the keys of sites, and agencies' secrets and certificates, and handing
out to people what they log in with."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.bootstrap.base import Base
from orchestrator.bootstrap.ordering import OrderingParts

if TYPE_CHECKING:
    from orchestrator.usecases.keys.handing_out import HandingOut
    from orchestrator.usecases.keys.rekeying import Rekeying
    from orchestrator.usecases.keys.renewing import Renewing
    from orchestrator.usecases.keys.rotating import Rotating


@dataclass(frozen=True)
class KeyParts:
    base: Base
    ordering: OrderingParts

    @cached_property
    def rotating(self) -> "Rotating":
        from orchestrator.adapters.database.marking import reseal_mark
        from orchestrator.usecases.keys.rotating import Rotating

        base = self.base
        return Rotating(store=base.store, keys=base.secrets, mark=partial(reseal_mark, base.database))

    @cached_property
    def renewing(self) -> "Renewing":
        from orchestrator.usecases.keys.renewing import Renewing

        base = self.base
        return Renewing(
            source=base.source,
            store=base.store,
            clock=base.clock,
            secrets=base.secrets,
            planning=self.ordering.planning,
            provisioning=self.ordering.provisioning,
        )

    @cached_property
    def handing_out(self) -> "HandingOut":
        from orchestrator.usecases.keys.handing_out import HandingOut

        return HandingOut(source=self.base.source, store=self.base.store, secrets=self.base.secrets)

    @cached_property
    def rekeying(self) -> "Rekeying":
        from orchestrator.adapters import authorized_keys
        from orchestrator.adapters.keys.site_keys import SiteKeyFiles, next_key
        from orchestrator.adapters.recovery_host import SshRecoveryHosts
        from orchestrator.usecases.keys.rekeying import Rekeying

        access_of = self.base.access_of
        return Rekeying(
            source=self.base.source,
            keys=SiteKeyFiles(lambda site: access_of(site).key),
            by_key=self.base.hosts,
            by_next=SshRecoveryHosts(lambda site: replace(access := access_of(site), key=next_key(access.key))),
            program=Path(authorized_keys.__file__).read_text(encoding="utf-8"),
        )
