"""The checks of `orchestrator doctor`, in the order in which they depend on each other."""

from typing import TYPE_CHECKING

from orchestrator.adapters import state_directory
from orchestrator.bootstrap import installing
from orchestrator.bootstrap.schedules import schedules
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.installation import require_whole
from orchestrator.usecases.examining import CannotTellError, Examination, Finding, examine, examine_catalog

if TYPE_CHECKING:
    from orchestrator.bootstrap import Application


def findings(app: "Application") -> list[Finding]:
    """The findings of all checks. Access of other users to the state directory is removed."""
    return examine(
        {
            "state directory": lambda: _private(app),
            "installation": lambda: _whole(app),
            "database": lambda: _sound(app),
            "catalog": lambda: examine_catalog(app.base.source),
            "workers": _with_records(app, lambda: _workers(app)),
            "schedules": _with_records(app, lambda: _schedules(app)),
            "copies": _with_records(app, lambda: app.examining.copies()),
            "hosts": _with_records(app, lambda: app.examining.sites()),
        }
    )


def _private(app: "Application") -> str:
    home = app.settings.home
    if not home.is_dir():
        raise OrchestratorError(Kind.NOT_FOUND, f"there is no {home}", hint="run: orchestrator init")
    tightened = state_directory.tighten(home)
    if tightened:
        return f"{home} is private now; others had access to {', '.join(str(path) for path in tightened)}"
    return f"{home} is private"


def _whole(app: "Application") -> str:
    parts = installing.examine(app.settings, app.base.database)
    require_whole(parts)
    app.base.require_installation()
    return f"state directory, keys and database belong to installation {parts.home}"


def _sound(app: "Application") -> str:
    from orchestrator.adapters.database.connection import is_there
    from orchestrator.adapters.database.soundness import require_sound

    if not is_there(app.base.database):
        raise CannotTellError("there is no database yet")
    return require_sound(app.base.database)


def _workers(app: "Application") -> str:
    if not (alive := app.engine.live_workers()):
        raise CannotTellError("no worker is running; a command that opens a run carries it out itself")
    return f"{len(alive)} at work"


def _schedules(app: "Application") -> str:
    return app.examining.schedules({schedule.name: schedule.interval for schedule in schedules(app)})


def _with_records(app: "Application", check: Examination) -> Examination:
    """A check that needs the records; without them its result is unknown."""

    def checked() -> str:
        try:
            app.base.require_installation()
        except OrchestratorError:
            raise CannotTellError("it needs the installation, which is not in order") from None
        return check()

    return checked
