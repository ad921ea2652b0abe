"""Shows drills, backups and failovers on a terminal."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from orchestrator.domain.recovery.verdict import Verdict
from orchestrator.entrypoints.cli.output import console
from orchestrator.entrypoints.cli.tables import new_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestrator.domain.recovery.failover import Moved
    from orchestrator.domain.recovery.held_backups import HeldBackups
    from orchestrator.usecases.recovery.failing_over import MoveView
    from orchestrator.usecases.recovery.protecting import BackupView
    from orchestrator.usecases.recovery.recalling import DrillView
    from orchestrator.usecases.recovery.scheduling import Slot

VERDICT_STYLE = {
    Verdict.PASS: "bold green",
    Verdict.PASS_WITH_FINDINGS: "bold yellow",
    Verdict.FAIL: "bold red",
    Verdict.INCONCLUSIVE: "bold magenta",
    Verdict.INVALID: "bold magenta",
}


def show_drills(drills: "Iterable[DrillView]") -> None:
    table = new_table("drill", "agency", "component", "when", "state", "verdict", "recovery time", "lost at most")
    for drill in drills:
        table.add_row(
            str(drill.drill),
            drill.agency,
            drill.component,
            f"{drill.scheduled_at:%Y-%m-%d %H:%M}Z",
            drill.state.replace("_", " "),
            _verdict(drill),
            span(drill.rto_seconds),
            span(drill.rpo_seconds),
        )
    console.print(table)


def show_drill(drill: "DrillView") -> None:
    console.print(
        f"Drill {drill.drill}: [bold]{drill.component}[/] of [bold]{drill.agency}[/], {drill.state.replace('_', ' ')}"
        + (f", {_verdict(drill)}" if drill.verdict else "")
    )
    if drill.reason:
        console.print(f"  {escape(drill.reason)}")
    if drill.witnesses:
        console.print(f"  witnesses       {escape(', '.join(witness.who for witness in drill.witnesses))}")
    if drill.rto and drill.rpo:
        _show_measured(drill.rto, drill.rpo)
    if drill.integrity and drill.isolation and drill.cleanup:
        _show_checked(drill.integrity, drill.isolation, drill.cleanup)
    if drill.rto:
        console.print(f"The page for the auditor: orchestrator drill report {drill.drill}")


def _show_measured(rto: Any, rpo: Any) -> None:
    limit = rto["censored_limit_seconds"]
    recovery = f"> {span(limit)}" if limit is not None else span(rto["seconds"])
    parts = ", ".join(f"{name.replace('_', ' ')} {span(seconds)}" for name, seconds in rto["parts"].items())
    console.print(f"  recovery time   {recovery} [dim]({escape(parts)}; {rto['attempts']} attempts)[/]")
    if rpo["seconds"] is None:
        console.print("  recovery point  not measured")
    else:
        between = f"{span(rpo['seconds'])} to {span(rpo['upper_seconds'])}"
        counted = f"{rpo['restored']} of {rpo['acknowledged']} records came back, {rpo['lost']} lost"
        console.print(f"  recovery point  {between} [dim]({counted})[/]")
    console.print(f"  worst moment    {span(rpo['worst_exposure_seconds'])} of work would have been lost")


def _show_checked(integrity: Any, isolation: Any, cleanup: Any) -> None:
    console.print(f"  integrity       level {integrity['level']} of 5")
    for check in integrity["checks"]:
        mark = "[green]✓[/]" if check["passed"] else "[red]✗[/]"
        console.print(f"    {mark} {check['level']} {escape(check['name'])} [dim]{escape(check['detail'])}[/]")
    tried = isolation["attempts"]
    blocked = sum(attempt["blocked"] for attempt in tried)
    proved = sum(attempt["blocked"] and bool(attempt.get("control")) for attempt in tried)
    shown = f"{proved} of them get through from the recovery host"
    console.print(f"  isolation       {blocked} of {len(tried)} attempts to get out were blocked; {shown}")
    left = ", ".join(cleanup["leftovers"])
    console.print(f"  cleanup         {'nothing is left' if cleanup['clean'] else f'[red]left: {escape(left)}[/]'}")


def show_calendar(slots: "Iterable[Slot]") -> None:
    table = new_table("agency", "component", "starts", "over by", "moment", "drill")
    for slot in slots:
        if slot.starts_at is None:
            why = f"[yellow]none: {(slot.skipped or '').replace('_', ' ')}[/]"
            table.add_row(slot.agency, slot.component, f"{slot.first} to {slot.until}", "", why, "")
            continue
        recorded = f"{slot.drill} {(slot.state or '').replace('_', ' ')}" if slot.drill else "[dim]foreseen[/]"
        ends = f"{slot.ends_by:%Y-%m-%d %H:%M}Z" if slot.ends_by else ""
        starts = f"{slot.starts_at:%a %Y-%m-%d %H:%M}Z"
        table.add_row(slot.agency, slot.component, starts, ends, slot.moment or "", recorded)
    console.print(table)


def show_backups(views: "Iterable[BackupView]", now: datetime) -> None:
    table = new_table("agency", "component", "every", "last", "next due", "worst exposure", "promised")
    for view in views:
        last = f"{span((now - view.last_started_at).total_seconds())} ago" if view.last_started_at else "[red]never[/]"
        late = view.worst_exposure_seconds is None or view.worst_exposure_seconds > view.objective_seconds
        exposure = span(view.worst_exposure_seconds)
        table.add_row(
            view.agency,
            view.component,
            span(view.every_seconds),
            last,
            f"{view.next_due_at:%Y-%m-%d %H:%M}Z" if view.next_due_at else "now",
            f"[red]{exposure}[/]" if late else exposure,
            span(view.objective_seconds),
        )
    console.print(table)


def show_moves(moves: "Iterable[MoveView]") -> None:
    figures = ("recovery time", "promised", "lost at most", "promised")
    table = new_table("run", "agency", "component", "kind", "state", "declared", "from", "to", *figures)
    for move in moves:
        table.add_row(
            str(move.run),
            move.agency,
            move.component,
            move.kind,
            move.state,
            f"{move.declared_at:%Y-%m-%d %H:%M:%S}Z",
            ", ".join(move.moved_from),
            ", ".join(move.moved_to),
            _against(move.rto_seconds, move.rto_objective_seconds),
            span(move.rto_objective_seconds),
            _against(move.rpo_seconds, move.rpo_objective_seconds),
            span(move.rpo_objective_seconds),
        )
    console.print(table)


def show_moved(moved: "Moved") -> None:
    """Show what a failover, or the return from one, has taken and lost."""
    took = _against(moved.rto_seconds, moved.rto_objective_seconds)
    lost = _against(moved.rpo_seconds, moved.rpo_objective_seconds)
    counted = f"; {moved.lost} of {moved.acknowledged} canaries lost" if moved.lost is not None else ""
    console.print(f"  recovery time   {took} [dim](promised {span(moved.rto_objective_seconds)})[/]")
    known = f", by its {moved.known_by}" if moved.known_by else ""
    console.print(f"  recovery point  {lost} [dim](promised {span(moved.rpo_objective_seconds)}{known}{counted})[/]")


def _against(seconds: float | None, objective: float) -> str:
    """A measurement, in red if it misses the objective."""
    return f"[red]{span(seconds)}[/]" if seconds is not None and seconds > objective else span(seconds)


def show_held(held: "Iterable[HeldBackups]", now: datetime) -> None:
    table = new_table("agency", "site", "host", "held since", "held until", "")
    for one in held:
        over = f"[yellow]over: orchestrator backup destroy {one.agency}[/]" if now >= one.until else ""
        table.add_row(one.agency, one.site, one.host, f"{one.since:%Y-%m-%d}", f"{one.until:%Y-%m-%d %H:%M}Z", over)
    console.print(table if table.rows else "No backups are held.")


def _verdict(drill: "DrillView") -> str:
    if drill.verdict is None:
        return ""
    return f"[{VERDICT_STYLE[drill.verdict]}]{drill.verdict.replace('_', ' ')}[/]"


def span(seconds: float | None) -> str:
    """A duration in readable units."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    if seconds >= 2 * 86400:
        return f"{int(seconds // 86400)} d {int(seconds % 86400 // 3600)} h"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
