"""The template environment. A page is one file without scripts; it loads nothing, and everything is escaped."""

from functools import lru_cache
from pathlib import Path

import jinja2

from orchestrator.adapters.pages import wording
from orchestrator.domain.money import in_pounds
from orchestrator.domain.service_levels.figures import in_percent

FILTERS = {
    "length": wording.length,
    "instant": wording.instant,
    "minute": wording.minute,
    "clock": wording.clock,
    "day": wording.day,
    "size": wording.size,
    "percent": in_percent,
    "pounds": in_pounds,
}


@lru_cache
def environment() -> jinja2.Environment:
    """The environment. Template names are relative to this folder."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    return made
