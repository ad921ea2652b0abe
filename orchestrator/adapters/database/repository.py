"""What all repositories are made of."""

from typing import Any

from sqlmodel import Session


class Repository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def _run(self, statement: Any) -> int:
        """Carry out an update, insert or delete; how many rows it touched."""
        result: Any = self._session.execute(statement)
        return int(result.rowcount)
