"""Shows the findings of `doctor` on a terminal."""

from collections.abc import Iterable

from rich.markup import escape

from orchestrator.entrypoints.cli.output import console
from orchestrator.entrypoints.cli.tables import new_table
from orchestrator.usecases.examining import CheckState, Finding

MARK = {CheckState.PASSED: "[green]✓[/]", CheckState.FAILED: "[red]✗[/]", CheckState.UNKNOWN: "[dim]?[/]"}


def show_findings(findings: Iterable[Finding]) -> None:
    table = new_table()
    for finding in findings:
        lines = [finding.says, *(f"  {detail}" for detail in finding.details)]
        if finding.hint:
            lines.append(f"What to do: {finding.hint}")
        table.add_row(MARK[finding.standing], finding.check, escape("\n".join(lines)))
    console.print(table)
