"""Promised availability as OpenSLO documents, for other service-level tools.

https://github.com/OpenSLO/OpenSLO (v1). The two counters advance only in service time, so that tools without service
hours respect them too. Notice, acceptance and credits are beyond OpenSLO; the month's report has them.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from orchestrator.domain.identifiers import AgencyId, Identifier
from orchestrator.domain.service_levels.hours import ROUND_THE_CLOCK, ServiceHours
from orchestrator.domain.value import Value

VERSION = "openslo/v1"


class PromisedAvailability(Value):
    """The promise for one service. `target` is in percent; `since` is the agreement's first day."""

    agency: AgencyId
    component: Identifier
    title: str
    target: Decimal
    hours: ServiceHours
    since: str


def openslo(promises: list[PromisedAvailability]) -> Iterator[dict[str, Any]]:
    """A Service and an SLO for each promise, JSON-compatible."""
    for promise in promises:
        name = f"{promise.agency}-{promise.component}"
        title = f"{promise.title} of {promise.agency}"
        yield {
            "apiVersion": VERSION,
            "kind": "Service",
            "metadata": {"name": name, "displayName": title},
            "spec": {"description": f"In service: {in_words(promise.hours)}."},
        }
        yield {
            "apiVersion": VERSION,
            "kind": "SLO",
            "metadata": {"name": f"{name}-availability", "displayName": f"Availability: {title}"},
            "spec": {
                "description": "Service seconds that were not down, by the contract's clock.",
                "service": name,
                "indicator": {
                    "metadata": {"name": f"{name}-down"},
                    "spec": {"ratioMetric": {"counter": True} | _ratio(promise)},
                },
                "timeWindow": [
                    {
                        "duration": "1M",
                        "isRolling": False,
                        "calendar": {"startTime": f"{promise.since} 00:00:00", "timeZone": promise.hours.time_zone},
                    }
                ],
                "budgetingMethod": "Occurrences",
                "objectives": [{"displayName": "Promised", "target": float(promise.target / 100)}],
            },
        }


def in_words(hours: ServiceHours) -> str:
    """Service hours in one line."""
    if hours.opening == ROUND_THE_CLOCK:
        return "at any time"
    told = [f"{', '.join(o.days)} {o.opens:%H:%M} to {o.closes:%H:%M}" for o in hours.opening]
    closed = ", not on bank holidays" if hours.closed_on_bank_holidays else ""
    return f"{'; '.join(told)} in {hours.time_zone}{closed}"


def _ratio(promise: PromisedAvailability) -> dict[str, Any]:
    labels = f'{{agency="{promise.agency}",component="{promise.component}"}}'
    counters = {"bad": "orchestrator_sla_bad_seconds_total", "total": "orchestrator_sla_eligible_seconds_total"}
    return {
        part: {"metricSource": {"type": "Prometheus", "spec": {"query": f"{counter}{labels}"}}}
        for part, counter in counters.items()
    }
