"""What people may declare about a service.

It is separate from the declaration, and without pydantic, because the command line offers these as options.
"""

from enum import StrEnum


class DeclarationKind(StrEnum):
    MAINTENANCE = "maintenance"
    EXCLUSION = "exclusion"
    OUTAGE = "outage"
