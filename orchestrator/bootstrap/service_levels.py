"""Service levels: what is declared, judged, closed and reported."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from orchestrator.bootstrap.base import Base

if TYPE_CHECKING:
    from orchestrator.domain.service_levels.report import Report
    from orchestrator.usecases.service_levels.closing import MonthEnd
    from orchestrator.usecases.service_levels.declaring import Declaring
    from orchestrator.usecases.service_levels.judging import Judging
    from orchestrator.usecases.service_levels.metering import Metering
    from orchestrator.usecases.service_levels.reporting import Reporting


@dataclass(frozen=True)
class ServiceLevelParts:
    base: Base

    @cached_property
    def judging(self) -> "Judging":
        from orchestrator.adapters.bank_holidays import is_bank_holiday
        from orchestrator.usecases.service_levels.judging import Judging

        return Judging(source=self.base.source, clock=self.base.clock, is_bank_holiday=is_bank_holiday)

    @cached_property
    def metering(self) -> "Metering":
        from orchestrator.adapters.bank_holidays import edition, is_bank_holiday
        from orchestrator.usecases.service_levels.contracts import Contracts
        from orchestrator.usecases.service_levels.metering import Metering

        return Metering(Contracts(self.base.source, is_bank_holiday, holidays=edition()))

    @cached_property
    def month_end(self) -> "MonthEnd":
        from orchestrator.usecases.service_levels.closing import MonthEnd

        return MonthEnd(store=self.base.store, judging=self.judging)

    @cached_property
    def declaring(self) -> "Declaring":
        from orchestrator.usecases.service_levels.declaring import Declaring

        return Declaring(source=self.base.source, store=self.base.store, clock=self.base.clock)

    @cached_property
    def reporting(self) -> "Reporting":
        from orchestrator.usecases.service_levels.reporting import Reporting

        return Reporting(store=self.base.store, judging=self.judging)

    def openslo(self, agency: str | None = None) -> str:
        """What is promised, as OpenSLO documents in YAML."""
        from orchestrator.adapters.yaml_stream import write_stream
        from orchestrator.domain.service_levels.openslo import openslo

        return write_stream(openslo(self.reporting.promises(agency)))

    def draw_report(self, report: "Report") -> str:
        """The HTML page of a month."""
        from orchestrator.adapters.pages.report.page import draw

        return draw(report)
