"""The worked examples of vectors.yml, and their inputs."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from orchestrator.domain.calendars.local_time import stated_instant
from orchestrator.domain.service_levels.hours import ServiceHours

VECTORS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("vectors.yml").read_text())
LONDON = ZoneInfo(VECTORS["time_zone"])
HOURS = {
    name: ServiceHours.model_validate({"time_zone": VECTORS["time_zone"], "opening": opening})
    for name, opening in VECTORS["hours"].items()
}
OFFICE = HOURS["office"]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ACCEPTED = {"by": "Service owner, Cabinet Office", "at": LONG_AGO}
NO_NOTICE = timedelta(0)


def is_bank_holiday(day: date) -> bool:
    return day in VECTORS["bank_holidays"]


def london(text: str) -> datetime:
    return stated_instant(datetime.fromisoformat(text), LONDON)


def stretch(edges: list[str], **more: Any) -> dict[str, Any]:
    return {"start": london(edges[0]), "end": london(edges[1]), **more}
