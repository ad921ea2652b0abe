"""Changes: what agencies order, what it takes to deliver that, and what is left when they leave."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.bootstrap.service_levels import ServiceLevels
from orchestrator.usecases.ordering.planning import Ordering

if TYPE_CHECKING:
    from orchestrator.usecases.keys.renewing import Renewing
    from orchestrator.usecases.ordering.appraising import Appraising
    from orchestrator.usecases.ordering.batching import Batching
    from orchestrator.usecases.ordering.holding import Holding
    from orchestrator.usecases.ordering.provisioning import Provisioning
    from orchestrator.usecases.runs.assigning import Assigning


class Changes(ServiceLevels):
    @cached_property
    def ordering(self) -> Ordering:
        return Ordering(source=self.source, store=self.store, clock=self.clock)

    @cached_property
    def assigning(self) -> "Assigning":
        from orchestrator.adapters.keys.secret_box import SecretBox
        from orchestrator.usecases.runs.assigning import Assigning

        return Assigning(source=self.source, clock=self.clock, secrets=SecretBox(self.settings.key_file))

    @cached_property
    def appraising(self) -> "Appraising":
        from orchestrator.adapters import home_weights
        from orchestrator.adapters.recovery_host import SshRecoveryHosts
        from orchestrator.usecases.ordering.appraising import Appraising

        program = Path(home_weights.__file__).read_text(encoding="utf-8")
        hosts = SshRecoveryHosts(self.access_of)
        return Appraising(source=self.source, store=self.store, clock=self.clock, hosts=hosts, program=program)

    @cached_property
    def provisioning(self) -> "Provisioning":
        from orchestrator.usecases.ordering.provisioning import Provisioning

        return Provisioning(store=self.store, clock=self.clock, ordering=self.ordering, assigning=self.assigning)

    @cached_property
    def batching(self) -> "Batching":
        from orchestrator.usecases.ordering.batching import Batching

        return Batching(store=self.store, ordering=self.ordering)

    @cached_property
    def holding(self) -> "Holding":
        from orchestrator.usecases.ordering.holding import Holding

        return Holding(source=self.source, store=self.store, clock=self.clock, assigning=self.assigning)

    @cached_property
    def renewing(self) -> "Renewing":
        from orchestrator.usecases.keys.renewing import Renewing

        return Renewing(
            source=self.source,
            store=self.store,
            clock=self.clock,
            secrets=self.assigning.secrets,
            ordering=self.ordering,
            provisioning=self.provisioning,
        )
