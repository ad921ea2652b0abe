"""`orchestrator plan` and `orchestrator apply` of a folder of call-offs: one summary, one question."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from orchestrator.bootstrap import Application
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.ordering.plan import Effect
from orchestrator.domain.runs.run import Run, RunState
from orchestrator.entrypoints.cli.asking import require_yes
from orchestrator.entrypoints.cli.following import carry_all, failure
from orchestrator.entrypoints.cli.options import Wishes
from orchestrator.entrypoints.cli.output import console, print_json, say
from orchestrator.entrypoints.cli.tables import new_table
from orchestrator.entrypoints.failures import WAITS_FOR_PEOPLE
from orchestrator.usecases.ordering.batching import Batch, Refused
from orchestrator.usecases.ordering.views import plan_view
from orchestrator.usecases.runs.views import RunView

NOTHING_APPLIED = "nothing was applied; fix the files, or apply the others with --keep-going"

SHOWN = 40
"""Maximum number of agencies that a summary lists."""


def plan_folder(app: Application, folder: Path, *, as_json: bool, renamed: bool) -> bool:
    """Show what applying every call-off in a folder would change, and return whether there are changes. Raises when one
    is refused."""
    batch = app.ordering.batching.plan(folder, renamed=renamed)
    if as_json:
        print_json(_document(batch) | {"plans": [_plan(one.file, plan_view(one.stored)) for one in batch.planned]})
    else:
        _show(batch)
    if error := _refusal(folder, batch.refused):
        raise error
    return bool(batch.to_do)


def apply_folder(app: Application, folder: Path, wishes: Wishes, *, yes: bool, keep_going: bool, renamed: bool) -> None:
    """Plan every call-off in a folder, ask once, and carry all plans out. When one is refused, nothing is applied
    unless `keep_going`."""
    batch = app.ordering.batching.without_those_in_the_way(app.ordering.batching.plan(folder, renamed=renamed))
    batch = app.ordering.batching.without_losses(batch, wishes.destroy)
    if not wishes.as_json:
        _show(batch)
    if not keep_going and (error := _refusal(folder, batch.refused, hint=NOTHING_APPLIED)):
        if wishes.as_json:
            print_json(_document(batch) | {"runs": []})
        raise error
    if batch.to_do and not yes:
        require_yes(f"Apply {_counted(len(batch.to_do), 'plan')}?")
    runs, late = app.ordering.batching.open_runs(batch, app.ordering.provisioning, wishes.run)
    ended = _carried(app, list(runs.values()), wishes)
    refused = (*batch.refused, *late)
    if wishes.as_json:
        document = _document(batch.model_copy(update={"refused": refused}))
        print_json(document | {"runs": [run.model_dump(mode="json", exclude={"steps"}) for run in ended]})
    failed = [] if wishes.no_follow else [error for run in ended if (error := failure(run))]
    if error := _failures(failed) or _refusal(folder, refused):
        raise error
    if any(run.state is RunState.WAITING for run in ended):
        say("Some runs wait for people: orchestrator work list")
        raise typer.Exit(WAITS_FOR_PEOPLE)


def _carried(app: Application, runs: list[Run], wishes: Wishes) -> list[RunView]:
    """The runs in their final state, or as queued."""
    if not wishes.no_follow:
        return carry_all(app, [run.id for run in runs])
    if runs and not app.engine.live_workers():
        say("No worker is running; the runs start when one does: orchestrator worker, or orchestrator serve")
    say(f"Queued: {_counted(len(runs), 'run')}")
    return [app.observing.run(run.id) for run in runs]


def _show(batch: Batch) -> None:
    figures = ("steps", "over the term")
    table = new_table("plan", "agency", "changes", *figures, "file", right=figures)
    for one in batch.planned[:SHOWN]:
        plan = one.stored.plan
        counted = {e: sum(c.effect is e for c in plan.changes) for e in Effect if e is not Effect.NONE}
        changes = [f"{n} to {effect}" for effect, n in counted.items() if n]
        words = ", ".join([*changes, *(["contract"] if plan.contract else [])]) or "none"
        cost = f"£{plan.cost.term_total:,.2f}"
        table.add_row(str(one.stored.id), plan.agency, words, str(len(plan.steps)), cost, escape(str(one.file)))
    console.print(table)
    if len(batch.planned) > SHOWN:
        console.print(f"... and {len(batch.planned) - SHOWN:,} more")
    for refused in batch.refused:
        for problem in refused.problems:
            console.print(f"[red]✗[/] {escape(problem)}")
    totals = batch.totals
    words = ", ".join(f"{n} to {effect}" for effect, n in totals.changes.items() if n) or "nothing to change"
    console.print(
        f"\n[bold]{_counted(totals.agencies, 'call-off')}, {totals.to_change} with changes: {words}[/]; "
        f"{_counted(totals.steps, 'step')} on {_counted(totals.hosts, 'host')}; "
        f"£{totals.per_year:,.2f} a year, £{totals.term_total:,.2f} over the terms; "
        f"{len(batch.refused)} refused"
    )


def _document(batch: Batch) -> dict[str, Any]:
    """The summary as JSON. Money is text, as everywhere."""
    refused = [one.model_dump(mode="json") for one in batch.refused]
    return {"summary": batch.totals.model_dump(mode="json"), "refused": refused}


def _plan(file: Path, view: Any) -> dict[str, Any]:
    return {"file": str(file), **view.model_dump(mode="json")}


def _refusal(folder: Path, refused: Iterable[Refused], *, hint: str | None = None) -> OrchestratorError | None:
    """One error for all refused files. Its kind is the first among theirs in the table of exit codes."""
    refused = tuple(refused)
    if not refused:
        return None
    kind = next(kind for kind in Kind if any(one.kind is kind for one in refused))
    details = tuple(problem for one in refused for problem in one.problems)
    count = _counted(len(refused), "file")
    return OrchestratorError(kind, f"{folder}: {count} refused", details=details, hint=hint)


def _failures(errors: list[OrchestratorError]) -> OrchestratorError | None:
    if not errors:
        return None
    kind = Kind.FAILED if any(error.kind is Kind.FAILED for error in errors) else errors[0].kind
    hint = "fix the cause, then apply again, or resume from the failed step: orchestrator run resume RUN"
    details = tuple(error.message for error in errors)
    return OrchestratorError(kind, f"{_counted(len(errors), 'run')} did not succeed", details=details, hint=hint)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
