"""The passwords and the credentials for backups that roles receive."""

from typing import Any

import pytest

from orchestrator.domain.runs.assignment import password_of, passwords, totp_key_of, writer_of
from tests.domain.conftest import component

DESK = component("desk", secrets={"token": "password"}, people={"users": "token"})


def test_each_listed_person_and_nobody_else_has_a_password_of_their_own() -> None:
    made = passwords(DESK, {"users": ["ann", "bob"]}, {"token": "a secret"})
    assert made == {"users_passwords": {name: password_of(name, "a secret") for name in ("ann", "bob")}}
    assert len(set(made["users_passwords"].values())) == 2


def test_who_logs_in_with_codes_has_a_key_of_their_own_that_another_secret_gives() -> None:
    gate = component("gate", secrets={"token": "password", "codes": "password"}, people={"users": "token"},
                     totp={"users": "codes"})  # fmt: skip
    made = passwords(gate, {"users": ["ann", "bob"]}, {"token": "a secret", "codes": "another"})
    assert made["users_totp_keys"] == {name: totp_key_of(name, "another") for name in ("ann", "bob")}
    assert {len(bytes.fromhex(key)) for key in made["users_totp_keys"].values()} == {20}, "as RFC 4226 recommends"
    assert len({*made["users_totp_keys"].values(), totp_key_of("ann", "a secret")}) == 3
    assert (
        made["users_passwords"] == passwords(DESK, {"users": ["ann", "bob"]}, {"token": "a secret"})["users_passwords"]
    )


def test_a_person_of_whom_more_is_said_than_a_name_has_the_same_password() -> None:
    listed: dict[str, Any] = {"users": [{"name": "ann", "full_name": "Ann O'Nym"}]}
    assert passwords(DESK, listed, {"token": "a secret"}) == passwords(DESK, {"users": ["ann"]}, {"token": "a secret"})


@pytest.mark.parametrize("parameters", [{}, {"users": []}])
def test_an_empty_list_of_people_gives_no_passwords(parameters: dict[str, list[str]]) -> None:
    assert passwords(DESK, parameters, {"token": "a secret"}) == {"users_passwords": {}}


def test_a_password_reveals_nothing_of_its_secret_and_changes_with_it() -> None:
    assert password_of("ann", "one") != password_of("ann", "two")
    assert "one" not in password_of("ann", "one")
    assert len(password_of("ann", "one")) == 24


KEPT = {"writer_password": "one secret", "repository_password": "another secret"}


def test_each_component_on_each_host_writes_backups_with_its_own_credentials() -> None:
    places = [("desk", "a1"), ("desk", "a2"), ("desktop", "a1"), ("desk-a", "1")]
    made = [writer_of(*place, KEPT) for place in places]
    assert [one["name"] for one in made] == ["desk.a1", "desk.a2", "desktop.a1", "desk-a.1"]
    words = [one[name] for one in made for name in KEPT]
    assert len(set(words)) == 2 * len(places)
    assert {len(word) for word in words} == {64}
    assert made == [writer_of(*place, KEPT) for place in places]


@pytest.mark.parametrize("changed", KEPT)
def test_a_writers_credentials_change_only_with_the_secret_they_come_from(changed: str) -> None:
    before, after = writer_of("desk", "a1", KEPT), writer_of("desk", "a1", {**KEPT, changed: "a new secret"})
    assert {name for name in before if before[name] != after[name]} == {changed}
