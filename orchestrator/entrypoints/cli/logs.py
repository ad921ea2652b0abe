"""The output of steps, step by step."""

from dataclasses import dataclass

import typer

from orchestrator.domain.events import Event, StepFinished, StepPrinted, StepStarted, StepTold
from orchestrator.entrypoints.cli.output import console


@dataclass
class Pages:
    """Shows events as they arrive; parallel steps are interleaved. `step`: show only this one."""

    step: str | None
    as_json: bool
    _shown: str | None = None

    def tell(self, event: Event) -> None:
        what = event.what
        if event.step is None or self.step not in (None, event.step):
            return
        if self.as_json:
            if isinstance(what, StepPrinted):
                typer.echo(event.model_dump_json())
        elif isinstance(what, StepStarted):
            again = f", attempt {what.attempt}" if what.attempt > 1 else ""
            console.print(f"== {event.step}{again}, {event.at:%Y-%m-%d %H:%M:%S}Z", markup=False)
            self._shown = event.step
        elif isinstance(what, StepPrinted | StepTold):
            self._turn_to(event.step)
            console.print(what.text, markup=False)
        elif isinstance(what, StepFinished):
            self._turn_to(event.step)
            console.print(f"== {event.step} {what.state.replace('_', ' ')}\n", markup=False)

    def _turn_to(self, step: str) -> None:
        if self._shown != step:
            console.print(f"== {step}", markup=False)
            self._shown = step
