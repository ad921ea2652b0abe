"""Names of things in the files that people write."""

from typing import Annotated

from pydantic import Field

from orchestrator.domain.text_types import AGENCY_ID

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=30)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
AgencyId = Annotated[str, AGENCY_ID.field]
