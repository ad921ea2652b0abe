"""A site's variables: what is allowed, and what is refused with its line."""

import shutil
from pathlib import Path

import pytest

from orchestrator.adapters.catalog_files.sites import read_site
from orchestrator.domain.errors import OrchestratorError
from tests.conftest import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "inventories/practice", tmp_path / "practice"))


def test_the_outside_of_the_practice_site_has_more_than_one_address(folder: Path) -> None:
    """One of the two answers even without Internet access."""
    outside = read_site(folder).facts["site_outside"]
    assert [set(one) for one in outside] == [{"address", "port"}] * 2


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("[]", "site_outside: Value error, must not be empty; leave it out"),
        ("[{address: nowhere, port: 443}]", "site_outside.0.address: Input is not a valid IPv4 address"),
        ("[{address: 192.0.2.1, port: 0}]", "site_outside.0.port: Input should be greater than or equal to 1"),
        ("[{address: 192.0.2.1}]", "site_outside.0.port: Field required"),
        ("[{address: 192.0.2.1, port: 443, tls: true}]", "site_outside.0.tls: Extra inputs are not permitted"),
    ],
)
def test_an_invalid_outside_is_refused_with_its_line(folder: Path, said: str, complaint: str) -> None:
    facts = folder / "group_vars" / "all.yml"
    lines = facts.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if line.startswith("site_outside:"))
    lines[number] = f"site_outside: {said}"
    facts.write_text("\n".join(lines))
    with pytest.raises(OrchestratorError, match="is not usable") as refused:
        read_site(folder)
    [problem] = refused.value.details
    assert f"all.yml:{number + 1}" in problem
    assert complaint in problem


def test_a_host_in_several_groups_has_its_address_in_one_of_them(folder: Path) -> None:
    hosts = folder / "hosts.yml"
    hosts.write_text(f"{hosts.read_text()}aardvarks:\n  hosts: {{gw1: {{colour: red}}}}\n")
    host = read_site(folder).hosts["gw1"]
    assert (host.address, host.groups) == ("10.63.0.11", ("aardvarks", "network_gateways"))
    assert host.variables == {"ansible_host": "10.63.0.11", "colour": "red"}
    hosts.write_text(f"{hosts.read_text()}zebras:\n  hosts: {{gw9: {{}}}}\n")
    with pytest.raises(OrchestratorError, match="is not usable") as refused:
        read_site(folder)
    [problem] = refused.value.details
    assert "zebras.hosts.gw9: needs ansible_host, its address" in problem


def test_hosts_stand_by_for_their_group_and_serve_nobody(folder: Path) -> None:
    site = read_site(folder)
    assert (site.group("service_desks"), site.standby("service_desks")) == (("desk1",), ("desk2",))
    assert site.standby("network_gateways") == ()


@pytest.mark.parametrize(
    ("group", "complaint"),
    [
        ("service_desk_standby", "there is no group 'service_desk' for its hosts to stand by for"),
        ("service_desks_standby", "is in service_desks, so it cannot stand by for it"),
    ],
)
def test_hosts_that_stand_by_for_nobody_or_themselves_are_refused(folder: Path, group: str, complaint: str) -> None:
    hosts = folder / "hosts.yml"
    before, _, rest = hosts.read_text().partition("service_desks_standby:")
    host = "desk1" if group == "service_desks_standby" else "desk2"
    hosts.write_text(f"{before}{group}:{rest.replace('desk2', host)}")
    with pytest.raises(OrchestratorError, match="is not usable") as refused:
        read_site(folder)
    assert any(complaint in problem for problem in refused.value.details)
