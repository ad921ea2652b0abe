"""The page of a service report as HTML."""

from orchestrator.adapters.pages.environment import environment
from orchestrator.adapters.pages.report import pictures
from orchestrator.domain.service_levels.report import Report
from orchestrator.domain.service_levels.terms import Indicator

TITLES = {
    Indicator.AVAILABILITY: "Availability",
    Indicator.INCIDENT_RESPONSE: "Incidents answered in time",
    Indicator.INCIDENT_FIX: "Incidents fixed in time",
    Indicator.LEAD_TIME: "Onboarding in time",
    Indicator.BACKUPS: "Backups that succeeded",
    Indicator.DRILLS: "Recovery drills carried out and passed",
    Indicator.RECOVERY_TIME: "Drills that kept the recovery time",
    Indicator.RECOVERY_POINT: "Drills that kept the recovery point",
}


def draw(report: Report) -> str:
    """The page of one month."""
    return (
        environment()
        .get_template("report/page.html.j2")
        .render(
            r=report,
            missed=report.missed,
            heading=_heading(report),
            titles=TITLES,
            strips=[(service, pictures.strip(service)) for service in report.services],
            graphs=list(pictures.graphs(report.measures, report.trend)),
            geometry=pictures,
        )
    )


def _heading(report: Report) -> str:
    """The result of the month. Unmeasured promises are not reported as kept."""
    if report.missed:
        return f"{len(report.missed)} missed"
    if not report.judged:
        return "Nothing to judge"
    return "Kept as far as measured" if report.unseen else "All kept"
