"""What people are asked to do where no playbook can."""

from typing import Annotated

from pydantic import Field

from orchestrator.domain.text_types import LINE
from orchestrator.domain.value import Value


class WorkTerms(Value):
    """The work order of one verb: a ticket of the agency's service desk. `checklist` is what has to be done before it
    is resolved."""

    title: Annotated[str, LINE.up_to(100).field]
    checklist: Annotated[tuple[Annotated[str, LINE.field], ...], Field(min_length=1)]
