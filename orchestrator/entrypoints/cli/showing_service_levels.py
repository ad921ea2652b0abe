"""Shows service levels on a terminal."""

from collections.abc import Iterable
from datetime import datetime

from rich.markup import escape
from rich.table import Table

from orchestrator.domain.money import in_pounds
from orchestrator.domain.service_levels.figures import in_percent
from orchestrator.domain.service_levels.incidents import Outcome
from orchestrator.domain.service_levels.rating import Rating
from orchestrator.domain.service_levels.report import IncidentLine, MeasureLine, Report, ServiceLine
from orchestrator.entrypoints.cli.output import console
from orchestrator.entrypoints.cli.showing_recovery import span
from orchestrator.entrypoints.cli.tables import new_table
from orchestrator.usecases.service_levels.closing import Closing
from orchestrator.usecases.service_levels.declaring import DeclarationView
from orchestrator.usecases.service_levels.reporting import AgencyLine

RATING_STYLE = {
    Rating.GOOD: "green",
    Rating.APPROACHING_TARGET: "yellow",
    Rating.REQUIRES_IMPROVEMENT: "red",
    Rating.INADEQUATE: "bold red",
    Rating.OTHER: "dim",
}
OUTCOME_STYLE = {Outcome.IN_TIME: "green", Outcome.LATE: "red", Outcome.RUNNING: "dim"}


def show_agencies(lines: Iterable[AgencyLine]) -> None:
    table = new_table("agency", "month", "lowest availability", "measured", "missed", "points", "credit")
    for line in lines:
        missed = ", ".join(line.missed)
        table.add_row(
            line.agency,
            line.month + ("" if line.closed else " [dim]so far[/]"),
            in_percent(line.lowest_availability),
            in_percent(line.coverage * 100),
            f"[red]{missed}[/]" if missed else "[green]nothing[/]" if line.judged else "[dim]nothing to judge[/]",
            str(line.points),
            in_pounds(line.credit),
        )
    console.print(table)


def show_report(report: Report) -> None:
    stated = f"version {report.version}" if report.version else "month so far"
    console.print(
        f"[bold]{escape(report.name)}[/], {report.month} [dim]({stated}; times in {report.time_zone}"
        f"{'; provisional' if report.provisional else ''})[/]"
    )
    console.print(_measures(report.measures))
    console.print(_services(report.services))
    if report.incidents:
        console.print(_incidents(report.incidents))
    credit, charges = in_pounds(report.credit), in_pounds(report.charges)
    console.print(f"{report.points} points; a credit of [bold]{credit}[/] on charges of {charges}")
    for note in report.credit_notes:
        console.print(f"  credit note for version {note.version}: {in_pounds(note.amount)}")


def show_closings(closings: Iterable[Closing]) -> None:
    table = new_table("agency", "month", "version", "missed", "points", "charges", "credit")
    for closing in closings:
        figures = closing.figures
        missed = ", ".join(sorted(figures.missed)) or "nothing"
        provisional = " [dim]provisional[/]" if figures.provisional else ""
        table.add_row(
            closing.agency, closing.month, f"{closing.version}{provisional}", missed, str(figures.points),
            in_pounds(figures.charges), in_pounds(figures.credit),
        )  # fmt: skip
    console.print(table)


def show_declarations(views: Iterable[DeclarationView]) -> None:
    table = new_table("no", "kind", "agency", "component", "from", "to", "accepted", "counts", "why")
    for view in views:
        counts = f"[yellow]no: {escape(view.objection)}[/]" if view.objection else "[green]yes[/]"
        until = f"{_minute(view.ends_at)}" + (f", over {_minute(view.ended_at)}" if view.ended_at else "")
        table.add_row(
            str(view.declaration), view.kind.value, view.agency, view.component or "all",
            _minute(view.starts_at), until, escape(view.accepted_by or ""), counts, escape(view.why),
        )  # fmt: skip
    console.print(table)


def _measures(lines: Iterable[MeasureLine]) -> Table:
    table = new_table("measure", "target", "achieved", "rating", "points")
    for line in lines:
        marks = [word for word, so in (("provisional", line.provisional), ("few enough late", line.forgiven)) if so]
        again = " [dim]missed twice in a row[/]" if line.missed and line.missed_before else ""
        table.add_row(
            line.measure,
            in_percent(line.target),
            in_percent(line.achieved) + (f" [dim]{', '.join(marks)}[/]" if marks else ""),
            f"[{RATING_STYLE[line.rating]}]{line.rating.value if line.achieved is not None else 'nothing to judge'}[/]",
            f"{line.points or ''}{again}",
        )
    return table


def _services(lines: Iterable[ServiceLine]) -> Table:
    table = new_table("service", "availability", "service time", "down", "not measured", "last seven days")
    for line in lines:
        table.add_row(
            line.component,
            in_percent(line.percent),
            span(line.eligible),
            f"[red]{span(line.bad)}[/]" if line.bad else "",
            f"[yellow]{span(line.unmeasured)}[/]" if line.unmeasured else "",
            "".join(_day(day.eligible, day.bad, day.unmeasured) for day in line.days[-7:]),
        )
    return table


def _day(eligible: int, bad: int, unmeasured: int) -> str:
    if bad:
        return "[red]▄[/]"
    if unmeasured:
        return "[yellow]▄[/]"
    return "[green]▄[/]" if eligible else "[dim]·[/]"


def _incidents(lines: Iterable[IncidentLine]) -> Table:
    table = new_table("incident", "priority", "reported", "response", "fix")
    for line in lines:
        clocks = [
            f"{span(clock.elapsed.total_seconds())} "
            f"[{OUTCOME_STYLE[clock.outcome]}]{clock.outcome.value.replace('_', ' ')}[/]"
            for clock in (line.response, line.fix)
        ]
        table.add_row(line.number, line.priority.upper(), _minute(line.reported_at), *clocks)
    return table


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}Z"
