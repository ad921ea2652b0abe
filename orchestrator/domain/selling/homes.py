"""Where the homes of a component's people are."""

from typing import Annotated

from pydantic import Field

from orchestrator.domain.identifiers import Name
from orchestrator.domain.value import Value


class Homes(Value):
    """The homes of the people in a parameter, on the hosts of a function: `path` is a template over {person} and
    {agency_id}."""

    function: Name
    people: Name
    path: Annotated[str, Field(pattern=r"^/[^\x00]+$")]
