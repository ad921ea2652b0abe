"""The application that a command uses, imported only on demand: help does not need it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.domain.errors import Kind, OrchestratorError

if TYPE_CHECKING:
    from orchestrator.bootstrap import Application
    from orchestrator.settings import Settings


def read_settings() -> "Settings":
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from orchestrator.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        details = tuple(
            f"ORCHESTRATOR_{'__'.join(str(part).upper() for part in e['loc'])}: {e['msg']}" for e in error.errors()
        )
        raise OrchestratorError(Kind.INVALID, "the settings are invalid", details=details) from None
    except SettingsError as error:  # a value that should be JSON and is not
        raise OrchestratorError(Kind.INVALID, "the settings are invalid", details=(str(error),)) from None


@contextmanager
def application() -> "Iterator[Application]":
    from orchestrator.bootstrap import build

    with build(read_settings()) as app:
        yield app
