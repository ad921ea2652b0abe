"""The application of one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from orchestrator.bootstrap import Application, build
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.settings import Settings


def read_settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        details = tuple(
            f"ORCHESTRATOR_{'__'.join(str(part).upper() for part in e['loc'])}: {e['msg']}" for e in error.errors()
        )
        raise OrchestratorError(Kind.INVALID, "the settings are wrong", details=details) from None


@contextmanager
def application() -> Iterator[Application]:
    with build(read_settings()) as built:
        yield built
