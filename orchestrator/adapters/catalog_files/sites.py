"""Reads a site from its folder: hosts.yml, an Ansible inventory, and group_vars/all.yml."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from orchestrator.adapters.catalog_files.documents import YamlDocument, parse, read_yaml, refuse
from orchestrator.domain.estate.allocation import HostPool, NetworkPool, NumberPool, Pool, host_pool
from orchestrator.domain.estate.site import STANDBY, Host, Site
from orchestrator.ports.catalog import Problem


class _InventoryGroup(BaseModel):
    """The part of Ansible's YAML inventory that a site uses: groups of hosts. A host in several groups has its address
    in one of them."""

    model_config = ConfigDict(extra="forbid")
    hosts: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]*$")], dict[str, Any]]


class _Outside(BaseModel):
    """An address outside the site that its recovery hosts can reach and no restored copy may."""

    model_config = ConfigDict(extra="forbid")
    address: IPv4Address
    port: Annotated[int, Field(ge=1, le=65535)]


def _some(places: tuple[_Outside, ...]) -> tuple[_Outside, ...]:
    if not places:
        raise ValueError("must not be empty; leave it out for the default, {address: 1.1.1.1, port: 443}")
    return places


class _SiteFacts(BaseModel):
    model_config = ConfigDict(extra="allow")
    site_domain: Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$")]
    site_pools: dict[str, NetworkPool | NumberPool]
    site_management: tuple[IPv4Network, ...] = ()
    site_outside: Annotated[tuple[_Outside, ...], AfterValidator(_some)] | None = None


def read_site(folder: Path) -> Site:
    """Read the site in a folder. Raises INVALID with everything that is wrong with it."""
    hosts = _hosts(read_yaml(folder / "hosts.yml"))
    document = read_yaml(folder / "group_vars" / "all.yml")
    facts, problems = parse(document, _SiteFacts)
    refuse(problems, f"site {folder.name} is not usable")
    assert facts is not None
    pools: dict[str, Pool] = dict(facts.site_pools)
    for group in {group for host in hosts.values() for group in host.groups}:
        members = sorted(name for name, host in hosts.items() if group in host.groups)
        pools[host_pool(group)] = HostPool(hosts=tuple(members))
    rest = {k: v for k, v in document.data.items() if k != "site_pools"}
    return Site(
        name=folder.name,
        domain=facts.site_domain,
        hosts=hosts,
        pools=pools,
        management=facts.site_management,
        facts=rest,
    )


def _hosts(document: YamlDocument) -> dict[str, Host]:
    found: dict[str, Host] = {}
    problems: list[Problem] = []
    if not isinstance(document.data, dict):
        refuse([document.problem((), "is not a mapping of groups to their hosts")], f"{document.file} is not usable")
    for group, content in document.data.items():
        try:
            parsed = _InventoryGroup.model_validate(content)
        except ValidationError as error:
            problems += [document.problem((group, *e["loc"]), e["msg"]) for e in error.errors()]
            continue
        for name, variables in parsed.hosts.items():
            before = found.get(name)
            known = {**(before.variables if before else {}), **variables}
            groups = tuple(sorted({group, *(before.groups if before else ())}))
            found[name] = Host(name=name, address=str(known.get("ansible_host", "")), groups=groups, variables=known)
    for host in (host for host in found.values() if not host.address):
        place = (host.groups[0], "hosts", host.name)
        problems.append(document.problem(place, "needs ansible_host, its address"))
    problems += _standby_problems(document, found)
    refuse(problems, f"{document.file} is not usable")
    return found


def _standby_problems(document: YamlDocument, hosts: Mapping[str, Host]) -> Iterator[Problem]:
    """Groups that stand by for a group that does not exist, or for themselves."""
    for group in (group for group in document.data if group.endswith(STANDBY)):
        served = group.removesuffix(STANDBY)
        if served not in document.data:
            yield document.problem((group,), f"there is no group {served!r} for its hosts to stand by for")
        for name in (name for name, host in hosts.items() if {group, served} <= set(host.groups)):
            yield document.problem((group, "hosts", name), f"is in {served}, so it cannot stand by for it")
