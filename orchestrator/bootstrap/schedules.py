"""What is done automatically, and when. All times are UTC."""

from typing import TYPE_CHECKING

from orchestrator.adapters.scheduler import Schedule

if TYPE_CHECKING:
    from orchestrator.bootstrap import Application


def schedules(app: "Application") -> list[Schedule]:
    """Every schedule of `serve`, by name."""
    canaries = f"*/{app.settings.recovery.canary_minutes}"
    return [
        Schedule("certificates", {"hour": "1", "minute": "30"}, app.keys.renewing.renew_certificates),
        Schedule("drill calendar", {"hour": "2", "minute": "15"}, app.recovery.scheduling.plan_ahead),
        Schedule("retention", {"hour": "3", "minute": "30"}, app.engine.retaining.prune),
        Schedule("evidence head", {"hour": "4", "minute": "0"}, app.evidence.keep_head),
        Schedule("recovery", {"minute": "*"}, app.recovery.start_what_is_due),
        Schedule("work orders", {"minute": "*"}, app.engine.look_at_work),
        Schedule("incidents", {"minute": "*/5"}, app.probing.gathering.gather),
        Schedule("canaries", {"minute": canaries}, app.recovery.witnessing.write),
    ]
