"""Reads the practice site's data from an Ansible inventory directory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from orchestrator.domain.errors import Kind, OrchestratorError

_LONGEST_INTERFACE_NAME = 15
SUITES = ("bookworm", "trixie")


@dataclass(frozen=True)
class InventoryHost:
    """A host to boot."""

    name: str
    address: IPv4Address
    groups: tuple[str, ...]


class Route(NamedTuple):
    """A network that this machine reaches through a host of the site."""

    to: IPv4Network
    via: IPv4Address


@dataclass(frozen=True)
class Inventory:
    """The hosts in the inventory's order, their bridge, this machine's address on it, their login, the networks behind
    them, and their Debian release."""

    site: str
    hosts: tuple[InventoryHost, ...]
    bridge: str
    interface: IPv4Interface
    user: str
    routes: tuple[Route, ...] = ()
    suite: str = "bookworm"


def read_inventory(directory: Path) -> Inventory:
    """Read `hosts.yml` and `group_vars/all.yml`; the site is named after the directory."""
    variables = _load(directory / "group_vars" / "all.yml")
    tree = _load(directory / "hosts.yml")
    try:
        inventory = Inventory(
            site=directory.resolve().name,
            hosts=_hosts(tree),
            bridge=str(variables["practice_bridge"]),
            interface=IPv4Interface(variables["practice_address"]),
            user=str(variables["ansible_user"]),
            routes=tuple(
                Route(to=IPv4Network(route["to"]), via=IPv4Address(route["via"]))
                for route in variables.get("practice_routes", ())
            ),
            suite=str(variables.get("practice_suite", Inventory.suite)),
        )
    except KeyError as missing:
        raise _invalid(directory, f"{missing.args[0]} is not set") from missing
    except (ValueError, TypeError) as wrong:
        raise _invalid(directory, str(wrong)) from wrong
    for problem in _problems(inventory):
        raise _invalid(directory, problem)
    return inventory


def _load(path: Path) -> Mapping[str, Any]:
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except FileNotFoundError as error:
        raise OrchestratorError(
            Kind.NOT_FOUND, f"{path} does not exist", hint="Name an inventory directory of a practice site."
        ) from error
    except yaml.YAMLError as error:
        raise OrchestratorError(Kind.INVALID, f"{path} is not valid YAML", details=(str(error),)) from error
    if not isinstance(loaded, dict):
        raise OrchestratorError(Kind.INVALID, f"{path} is not a mapping")
    return loaded


def _hosts(tree: Mapping[str, Any]) -> tuple[InventoryHost, ...]:
    addresses: dict[str, IPv4Address] = {}
    groups: dict[str, set[str]] = {}
    for group, name, variables in _walk(tree):
        if "ansible_host" in variables:
            addresses[name] = IPv4Address(variables["ansible_host"])
        groups.setdefault(name, set()).add(group)
    return tuple(
        InventoryHost(name=name, address=addresses[name], groups=tuple(sorted(members - {"all"})))
        if name in addresses
        else _no_address(name)
        for name, members in groups.items()
    )


def _no_address(name: str) -> InventoryHost:
    raise ValueError(f"host {name} has no ansible_host")


def _walk(tree: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield (group, host, variables) for nested groups."""
    for group, body in tree.items():
        inside = _mapping(body, f"group {group}")
        for name, variables in _mapping(inside.get("hosts"), f"hosts of {group}").items():
            yield group, name, _mapping(variables, f"host {name}")
        yield from _walk(_mapping(inside.get("children"), f"children of {group}"))


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{what}: not a mapping")
    return value or {}


def _problems(inventory: Inventory) -> Iterator[str]:
    if len(inventory.bridge) > _LONGEST_INTERFACE_NAME:
        yield f"practice_bridge {inventory.bridge} is longer than {_LONGEST_INTERFACE_NAME} characters"
    if inventory.suite not in SUITES:
        yield f"practice_suite {inventory.suite} is not one of {', '.join(SUITES)}"
    taken = {inventory.interface.ip: "practice_address"}
    for host in inventory.hosts:
        if host.address not in inventory.interface.network:
            yield f"host {host.name}: {host.address} is outside {inventory.interface.network}"
        if host.address in taken:
            yield f"host {host.name}: {host.address} is already the address of {taken[host.address]}"
        taken[host.address] = f"host {host.name}"


def _invalid(directory: Path, problem: str) -> OrchestratorError:
    return OrchestratorError(Kind.INVALID, f"The inventory {directory} cannot be booted: {problem}")
