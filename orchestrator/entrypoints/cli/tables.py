"""Tables as every command prints them: no borders, dim headings."""

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

PEOPLE = "people"
"""Who carries out a step without hosts."""


def new_table(*headings: str, right: Collection[str] = (), title: str | None = None) -> "Table":
    """An empty table. Without headings, rows add its columns. `right` names columns of figures.

    Rich is imported on first use: help is faster without it.
    """
    from rich.table import Table

    made = Table(
        box=None, padding=(0, 2, 0, 0), show_header=bool(headings), title=title, title_justify="left", title_style=""
    )
    for heading in headings:
        made.add_column(heading, header_style="dim", justify="right" if heading in right else "left")
    return made
