"""Shows secrets on a terminal, never their values."""

from collections.abc import Iterable
from datetime import datetime

from orchestrator.entrypoints.cli.output import console
from orchestrator.entrypoints.cli.tables import new_table
from orchestrator.usecases.keys.renewing import SecretView


def show_secrets(views: Iterable[SecretView], now: datetime) -> None:
    table = new_table("agency", "component", "secret", "since", "days", "certificates end", "", right=("days",))
    for view in views:
        ends = f"{view.certificates_end:%Y-%m-%d}" if view.certificates_end else ""
        replaced = "[yellow]being replaced[/]" if view.replaced else ""
        made = f"{view.made_at:%Y-%m-%d}"
        table.add_row(view.agency, view.component, view.name, made, str((now - view.made_at).days), ends, replaced)
    console.print(table if table.rows else "There are no secrets yet: onboarding an agency creates its secrets.")
