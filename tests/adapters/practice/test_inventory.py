import re
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from orchestrator.adapters.practice.inventory import read_inventory
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.settings import Settings


def test_hosts_come_in_the_inventorys_order_with_all_their_groups(inventory: Path) -> None:
    (inventory / "hosts.yml").write_text(
        "all:\n  children:\n    desktops:\n      hosts:\n        seat: {ansible_host: 10.62.1.31}\n"
        "    spares:\n      hosts:\n        seat:\n        edge: {ansible_host: 10.62.1.11}\n"
    )
    read = read_inventory(inventory)
    assert [(host.name, host.address, host.groups) for host in read.hosts] == [
        ("seat", IPv4Address("10.62.1.31"), ("desktops", "spares")),
        ("edge", IPv4Address("10.62.1.11"), ("spares",)),
    ]
    assert (read.site, read.bridge, str(read.interface), read.user) == (
        "rehearsal", "orch-rehearse", "10.62.1.1/24", "provision",
    )  # fmt: skip


def test_networks_behind_the_hosts_are_read(inventory: Path) -> None:
    assert read_inventory(inventory).routes == ()
    variables = inventory / "group_vars/all.yml"
    variables.write_text(variables.read_text() + "practice_routes:\n  - {to: 10.66.0.0/16, via: 10.62.1.11}\n")
    assert read_inventory(inventory).routes == ((IPv4Network("10.66.0.0/16"), IPv4Address("10.62.1.11")),)


@pytest.mark.parametrize(
    ("file", "before", "after", "problem"),
    [
        ("hosts.yml", "10.62.1.31", "10.61.0.31", "host seat: 10.61.0.31 is outside 10.62.1.0/24"),
        ("hosts.yml", "10.62.1.31", "10.62.1.11", "host seat: 10.62.1.11 is already the address of host edge"),
        ("hosts.yml", "10.62.1.31", "10.62.1.1", "host seat: 10.62.1.1 is already the address of practice_address"),
        ("hosts.yml", "ansible_host: 10.62.1.31", "", "host seat has no ansible_host"),
        ("hosts.yml", "10.62.1.31", "nowhere", "cannot be booted.*nowhere"),
        ("group_vars/all.yml", "practice_bridge", "other", "practice_bridge is not set"),
        ("group_vars/all.yml", "orch-rehearse", "orch-rehearse-too-long", "is longer than 15 characters"),
    ],
)
def test_an_inventory_that_cannot_be_booted_says_why(
    inventory: Path, file: str, before: str, after: str, problem: str
) -> None:
    path = inventory / file
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(OrchestratorError, match=problem) as caught:
        read_inventory(inventory)
    assert caught.value.kind is Kind.INVALID


def test_a_directory_without_an_inventory_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(OrchestratorError) as caught:
        read_inventory(tmp_path)
    assert caught.value.kind is Kind.NOT_FOUND


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("hosts.yml", "a string"),
        ("hosts.yml", "gateways: a string"),
        ("hosts.yml", "gateways: {hosts: [edge]}"),
        ("hosts.yml", "gateways: {hosts: {edge: 7}}"),
        ("hosts.yml", "gateways: {children: {more: 7}}"),
        ("group_vars/all.yml", "practice_address: {}\npractice_bridge: a\nansible_user: b"),
        (
            "group_vars/all.yml",
            "practice_address: 10.62.1.1/24\npractice_bridge: a\nansible_user: b\npractice_routes: [7]",
        ),
    ],
)
def test_malformed_files_are_refused(inventory: Path, file: str, content: str) -> None:
    (inventory / file).write_text(content)
    with pytest.raises(OrchestratorError) as caught:
        read_inventory(inventory)
    assert caught.value.kind is Kind.INVALID


def test_the_tree_that_make_builds_beforehand_is_the_one_of_the_practice_site(root: Path) -> None:
    [words] = re.findall(r"orchestrator\.adapters\.practice\.base (.*)", (root / "Makefile").read_text())
    site = read_inventory(root / "inventories/practice")
    assert words.split() == [str(Settings().cache), site.suite, site.user]
