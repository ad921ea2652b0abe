"""What a person logs in with is told once it is in force, and to nobody who names somebody else."""

import base64
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.runs.assignment import password_of, totp_key_of
from orchestrator.domain.selling.catalog import Catalog, SecretKind
from orchestrator.domain.selling.vouches import Vouches
from orchestrator.usecases.keys.handing_out import HandingOut
from tests.usecases.conftest import House, order

AGENCY = "a-one"


@dataclass(frozen=True)
class WithPeople:
    """The small world, in which two people log in to alpha."""

    files: Any
    codes: bool = True

    def catalog(self) -> Catalog:
        catalog = self.files.catalog()
        alpha = catalog.components["alpha"]
        secrets = {**alpha.secrets, "codes": alpha.secrets["token"]}
        given = {"people": {"users": "token"}, "totp": {"users": "codes"} if self.codes else {}, "secrets": secrets}
        parameters = {**alpha.parameters["properties"], "users": {"type": "array", "default": ["ada", "bob"]}}
        changed = alpha.model_copy(update={**given, "parameters": {**alpha.parameters, "properties": parameters}})
        return Catalog(components={**catalog.components, "alpha": changed})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.files, name)


@dataclass(frozen=True)
class Vouching(WithPeople):
    """The same, and gamma vouches for one of the two."""

    def catalog(self) -> Catalog:
        components = super().catalog().components
        gamma = components["gamma"]
        members = {"type": "array", "default": [{"name": "ada"}]}
        given = {
            "needs": (),
            "people": {"members": "word"},
            "secrets": {"word": SecretKind.PASSWORD, "seal": SecretKind.AUTHORITY},
            "parameters": {**gamma.parameters, "properties": {**gamma.parameters["properties"], "members": members}},
            "vouches": Vouches(people="members", server="ldaps://x", name="{person}", authority="seal"),
        }
        alpha = components["alpha"].model_copy(update={"accounts_from": "gamma"})
        return Catalog(components={**components, "alpha": alpha, "gamma": gamma.model_copy(update=given)})


def _handing_out(house: House, *, codes: bool = True, kind: type[WithPeople] = WithPeople) -> tuple[House, HandingOut]:
    files: Any = kind(house.planning.source, codes)
    assigning = replace(house.provisioning.assigning, source=files)
    planning = replace(house.planning, source=files)
    provisioning = replace(house.provisioning, planning=planning, assigning=assigning)
    consequences = dict.fromkeys(house.driving.consequences, provisioning)
    driving = replace(house.driving, source=files, consequences=consequences)
    given = replace(house, planning=planning, provisioning=provisioning, driving=driving)
    return given, HandingOut(source=files, store=house.store, secrets=assigning.secrets)


def test_a_person_is_given_what_hosts_were_given(house: House) -> None:
    world, handing_out = _handing_out(house)
    world.apply(order(alpha={}))
    secrets = world.assigned[-1].secrets
    found = handing_out.credentials(AGENCY, "alpha", "bob")
    assert found.password == password_of("bob", secrets["token"])
    address = urlsplit(str(found.authenticator))
    told = parse_qs(address.query)
    assert (address.scheme, address.netloc, unquote(address.path)) == ("otpauth", "totp", f"/{told['issuer'][0]}:bob")
    assert base64.b32decode(told["secret"][0]).hex() == totp_key_of("bob", secrets["codes"])
    assert found.text == f"person: bob\npassword: {found.password}\none-time codes: {found.authenticator}\n"


def test_a_person_of_a_service_without_codes_is_given_a_password(house: House) -> None:
    world, handing_out = _handing_out(house, codes=False)
    world.apply(order(alpha={}))
    assert handing_out.credentials(AGENCY, "alpha", "ada").text.count("\n") == 2


@pytest.mark.parametrize(
    ("component", "person", "said"),
    [("alpha", "eve", "nobody called 'eve' in alpha"), ("gamma", "ada", "a-one has no gamma")],
)
def test_who_is_not_in_the_service_is_not_found(house: House, component: str, person: str, said: str) -> None:
    world, handing_out = _handing_out(house)
    world.apply(order(alpha={}))
    with pytest.raises(OrchestratorError, match=said) as refusal:
        handing_out.credentials(AGENCY, component, person)
    assert refusal.value.kind is Kind.NOT_FOUND


def test_a_person_for_whom_another_service_vouches_is_given_its_password(house: House) -> None:
    world, handing_out = _handing_out(house, kind=Vouching)
    world.apply(order(alpha={}))
    own = handing_out.credentials(AGENCY, "alpha", "ada").password
    world.apply(order(alpha={}, gamma={}))
    found, told = handing_out.credentials(AGENCY, "alpha", "ada"), world.assigned[-1]
    assert found.password == handing_out.credentials(AGENCY, "gamma", "ada").password != own
    assert found.password == told.passwords["users_passwords"]["ada"]
    assert found.authenticator
    assert told.secrets["accounts_authority_key"]
    [variables] = told.variables.values()
    assert variables["journal_accounts"] == {
        "server": "ldaps://x", "names": {"ada": "ada", "bob": "bob"}, "known": ["ada"],
    }  # fmt: skip
    with pytest.raises(OrchestratorError, match="nobody called 'bob' in alpha of a-one who is in gamma as well"):
        handing_out.credentials(AGENCY, "alpha", "bob")
    world.apply(order(alpha={}))
    assert handing_out.credentials(AGENCY, "alpha", "ada").password == own


def test_nothing_is_handed_out_before_there_is_a_secret(house: House) -> None:
    world, handing_out = _handing_out(house)
    world.provisioning.open_run(world.planning.plan(order(alpha={})).id)
    with pytest.raises(OrchestratorError, match="has not been provisioned yet"):
        handing_out.credentials(AGENCY, "alpha", "ada")
