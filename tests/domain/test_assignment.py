"""What roles are told of people."""

import pytest

from orchestrator.domain.assignment import password_of, passwords
from tests.domain.conftest import component

DESK = component("desk", secrets={"token": "password"}, people={"users": "token"})


def test_each_person_has_a_password_of_their_own_and_nobody_who_is_not_listed() -> None:
    made = passwords(DESK, {"users": ["ann", "bob"]}, {"token": "a secret"})
    assert made == {"users_passwords": {name: password_of(name, "a secret") for name in ("ann", "bob")}}
    assert len(set(made["users_passwords"].values())) == 2


@pytest.mark.parametrize("parameters", [{}, {"users": []}])
def test_nobody_is_nobody(parameters: dict[str, list[str]]) -> None:
    assert passwords(DESK, parameters, {"token": "a secret"}) == {"users_passwords": {}}


def test_a_password_tells_nothing_of_its_secret_and_changes_with_it() -> None:
    assert password_of("ann", "one") != password_of("ann", "two")
    assert "one" not in password_of("ann", "one")
    assert len(password_of("ann", "one")) == 24
