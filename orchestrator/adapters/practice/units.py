"""Finds a host's units that do not keep running."""

from collections.abc import Iterator

from orchestrator.domain.estate.practice import UnsteadyUnit

UNITS = "systemctl show --all --type=service --property=Id,ActiveState,NRestarts '*'"
"""The shell command for a host."""
_RESTARTS = 2
"""How often a unit may restart. A unit with more restarts keeps crashing."""


def unsteady_units(host: str, said: str) -> list[UnsteadyUnit]:
    """Return the units that failed or restarted more than twice, by a host's output for UNITS."""
    units = [
        UnsteadyUnit(host=host, unit=told["Id"], state=told["ActiveState"], restarts=int(told.get("NRestarts") or 0))
        for told in _paragraphs(said)
    ]
    return [unit for unit in units if unit.state == "failed" or unit.restarts > _RESTARTS]


def _paragraphs(said: str) -> Iterator[dict[str, str]]:
    for paragraph in said.strip().split("\n\n"):
        yield dict(line.split("=", 1) for line in paragraph.splitlines())
