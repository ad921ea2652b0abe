"""What linting the catalog and roles finds that no schema can."""

import shutil
from pathlib import Path

import pytest

from orchestrator.adapters.catalog_files.source import CatalogFiles
from orchestrator.domain.errors import OrchestratorError
from tests.conftest import ROOT

TASK = """
- name: Do it
  block:
    - name: Begin
      ansible.builtin.command: {argv: [restic, init]}
      environment: %s
"""


@pytest.fixture
def source(tmp_path: Path) -> CatalogFiles:
    """Copies of the real catalog, roles and sites."""
    copies = {folder: tmp_path / folder for folder in ("catalog", "inventories", "playbooks")}
    for folder, copy in copies.items():
        shutil.copytree(ROOT / folder, copy)
    return CatalogFiles(**{f"{folder}_dir": copy for folder, copy in copies.items()})


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ('{RESTIC_PASSWORD: "{{ network_secrets.password }}"}', "network/tasks/begin.yml: RESTIC_PASSWORD in an env"),
        ('"{{ everything }}"', "network/tasks/begin.yml: all of it in an environment"),
    ],
)
def test_a_task_that_may_put_a_secret_into_an_environment_is_reported(
    source: CatalogFiles, environment: str, complaint: str
) -> None:
    file = source.playbooks_dir / "roles/network/tasks/begin.yml"
    file.write_text(TASK % "{LANG: C.UTF-8}")
    assert source.lint() == []
    file.write_text(TASK % environment)
    assert any(complaint in str(problem) for problem in source.lint())


@pytest.mark.parametrize(
    ("parameter", "complaint"),
    [
        ("{type: string}", "allows any text"),
        ('{type: string, pattern: "^.*$"}', "allows any text"),
        ("{type: string, format: email}", "allows any text"),
        ("{type: array, items: {type: string}}", "allows any text"),
        ('{$ref: "#/$defs/acount-name"}', "there is no #/$defs/acount-name"),
    ],
)
def test_no_parameter_may_allow_any_text(source: CatalogFiles, parameter: str, complaint: str) -> None:
    file = source.catalog_dir / "components/network.yml"
    file.write_text(file.read_text().replace("  properties:\n", f"  properties:\n    more: {parameter}\n", 1))
    with pytest.raises(OrchestratorError) as refusal:
        source.catalog()
    assert complaint in "\n".join(refusal.value.details)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("required: [name, full_name]", "required: [full_name]", "its items need a `name` each"),
        ("{agency_id}/authority.pem", "{agency}/authority.pem", "unknown name {agency}; known here: agency_id"),
        ("trust: {function: directory", "trust: {function: desk", "there is no function 'desk'"),
    ],
)
def test_people_without_names_and_an_unknown_place_of_trust_are_reported(
    source: CatalogFiles, before: str, after: str, complaint: str
) -> None:
    file = source.catalog_dir / "components/identity.yml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    assert any(complaint in str(problem) for problem in source.lint())


@pytest.mark.parametrize(
    ("component", "complaint"),
    [
        ("desktop", "there is no function 'nothing'"),
        ("service-desk", "no host of a component with shared tenancy is reserved for it"),
    ],
)
def test_a_shared_function_that_means_nothing_is_reported(source: CatalogFiles, component: str, complaint: str) -> None:
    file = source.catalog_dir / f"components/{component}.yml"
    file.write_text(f"{file.read_text()}shared: [nothing]\n")
    assert any(complaint in str(problem) for problem in source.lint())


def test_a_price_for_each_unit_of_what_has_no_quantity_is_reported(source: CatalogFiles) -> None:
    file = source.catalog_dir / "components/security.yml"
    file.write_text(file.read_text().replace("price: {per: agency", "price: {per: unit", 1))
    told = "tiers.standard.price.per: is on other components' hosts; set agency"
    assert any(told in str(problem) for problem in source.lint())


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("dial_in: [access]", "dial_in: [gate]", "there is no function 'gate'"),
        ("totp: {users:", "totp: {agents:", "there is no list of people 'agents'"),
        (
            "totp: {users: users_totp}",
            "totp: {users: users_password}",
            "'users_password' that is a password of its own",
        ),
        ("totp: {users: users_totp}", "totp: {users: authority_key}", "'authority_key' that is a password of its own"),
    ],
)
def test_a_way_in_without_hosts_and_codes_without_people_or_a_secret_are_reported(
    source: CatalogFiles, before: str, after: str, complaint: str
) -> None:
    file = source.catalog_dir / "components/flexible-working.yml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    assert any(complaint in str(problem) for problem in source.lint())


@pytest.mark.parametrize(
    ("component", "before", "after", "complaint"),
    [
        (
            "identity",
            "vouches:\n  people: people",
            "vouches:\n  people: persons",
            "there is no list of people 'persons'",
        ),
        (
            "identity",
            "authority: authority_key",
            "authority: people_password",
            "'people_password' that is an authority",
        ),
        ("identity", "uid={person},ou=", "uid={user},ou=", "unknown name {user}"),
        ("desktop", "people: {users: users_password}\n", "", "there are no `people` whose passwords it could know"),
        ("network", "secrets:\n", "accounts_from: identity\nsecrets:\n", "has no option network_accounts"),
    ],
)
def test_accounts_of_nobody_and_vouching_for_nobody_are_reported(
    source: CatalogFiles, component: str, before: str, after: str, complaint: str
) -> None:
    file = source.catalog_dir / f"components/{component}.yml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after, 1))
    assert any(complaint in str(problem) for problem in source.lint())


def test_hosts_that_stand_by_for_agencies_own_hosts_are_reported(source: CatalogFiles) -> None:
    hosts = source.inventories_dir / "practice/hosts.yml"
    hosts.write_text(f"{hosts.read_text()}desktops_standby:\n  hosts:\n    pc9: {{ansible_host: 10.63.0.39}}\n")
    told = "site practice has hosts that stand by for 'desktops', whose hosts are agencies' own"
    assert any(told in str(problem) for problem in source.lint())


@pytest.mark.parametrize(
    ("component", "before", "after"),
    [
        ("data-centre", "tcp/9100], admits: [provider, recovery]", "tcp/9100], admits: [provider]"),
        ("laptop", "needs: [network]", "needs: []"),
    ],
)
def test_hosts_that_turn_the_recovery_host_away_are_reported(
    source: CatalogFiles, component: str, before: str, after: str
) -> None:
    file = source.catalog_dir / f"components/{component}.yml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    assert any("admits `recovery`: drills decide nothing" in str(problem) for problem in source.lint())
