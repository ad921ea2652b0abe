"""How a service vouches for passwords: what a component that knows people's passwords declares."""

from typing import Annotated

from pydantic import Field

from orchestrator.domain.identifiers import Name
from orchestrator.domain.value import Value


class Vouches(Value):
    """How other services find out whether a password is somebody's: they bind to an LDAP server as that person.

    `people` is the parameter that lists who has a password. `server` and `name`, what a person is called there, are
    templates over the allocation and the hosts, and `name` over {person}. `authority` is the secret of the authority
    that vouches for the server.
    """

    people: Name
    server: Annotated[str, Field(pattern=r"^ldaps://")]
    name: str
    authority: Name
