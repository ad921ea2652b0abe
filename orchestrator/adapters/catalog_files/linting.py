"""Finds contradictions between catalog/, playbooks/ and inventories/."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from orchestrator.adapters.catalog_files.documents import YamlDocument, role_file
from orchestrator.domain.estate.site import Site
from orchestrator.domain.selling.catalog import Catalog, Component, SecretKind, Tenancy, Verb
from orchestrator.domain.selling.reach import Audience
from orchestrator.domain.text_types import DEFINITIONS
from orchestrator.ports.catalog import Problem

REQUIRED_VERBS = (Verb.PRECHECK, Verb.PROVISION, Verb.VERIFY, Verb.RETIRE)
RECOVERY_VERBS = (Verb.BACKUP, Verb.RESTORE)
"""Required as well for a component that stores data."""
NARROW_FORMATS = ("ipv4", "ipv6", "date")
"""Formats of JSON Schema that are checked and allow nothing else."""


def site_problems(document: YamlDocument, component: Component, site: Site) -> Iterator[Problem]:
    """What a site lacks for the component."""
    if not site.management:
        yield document.problem(
            ("hosts",), f"site {site.name} has no site_management, the addresses from which its hosts are managed"
        )
    for function, group in component.hosts.items():
        if not site.group(group):
            yield document.problem(("hosts", function), f"site {site.name} has no host in group {group!r}")
        if component.dedicates(function) and site.standby(group):
            yield document.problem(
                ("hosts", function),
                f"site {site.name} has hosts that stand by for {group!r}, whose hosts are agencies' own",
            )
    for allocation, pool in component.allocates.items():
        if pool not in site.pools:
            yield document.problem(("allocates", allocation), f"site {site.name} has no pool {pool!r}")


def proof_problems(document: YamlDocument, component: Component) -> Iterator[Problem]:
    """What readers of the catalogue are not told."""
    if not component.proves:
        yield document.problem(("proves",), "add what a verification shows, in words; docs/catalogue.md lists it")
    if len(component.tiers) < 2:
        yield document.problem(("tiers",), "there is one tier; agencies choose between at least two")


def tenancy_problems(document: YamlDocument, component: Component) -> Iterator[Problem]:
    """Shared functions that do not exist, or of a component none of whose hosts are its own, and a price for each unit
    of what has no quantity."""
    for n, function in enumerate(component.shared):
        if function not in component.hosts:
            yield document.problem(("shared", n), f"there is no function {function!r}")
        if component.tenancy is not Tenancy.DEDICATED:
            message = f"no host of a component with {component.tenancy} tenancy is reserved for it"
            yield document.problem(("shared", n), message)
    for name, tier in component.tiers.items() if component.accompanies else ():
        if tier.price.per != "agency":
            yield document.problem(("tiers", name, "price", "per"), "is on other components' hosts; set agency")


def people_problems(document: YamlDocument, component: Component) -> Iterator[Problem]:
    """Lists of people that do not exist, and secrets from which their passwords or keys cannot be derived."""
    for listed, secret in component.people.items():
        if component.parameters.get("properties", {}).get(listed, {}).get("type") != "array":
            yield document.problem(("people", listed), f"there is no parameter {listed!r} that is a list")
        elif not _named(component.parameters["properties"][listed].get("items", {})):
            yield document.problem(("people", listed), "passwords are of names: its items need a `name` each")
        if component.secrets.get(secret) is not SecretKind.PASSWORD:
            yield document.problem(("people", listed), f"there is no secret {secret!r} that is a password")
    for listed, secret in component.totp.items():
        if listed not in component.people:
            yield document.problem(("totp", listed), f"there is no list of people {listed!r}")
        if component.secrets.get(secret) is not SecretKind.PASSWORD or secret in component.people.values():
            yield document.problem(("totp", listed), f"there is no secret {secret!r} that is a password of its own")


def account_problems(document: YamlDocument, component: Component, catalog: Catalog) -> Iterator[Problem]:
    """Where a service cannot vouch for its people's passwords, or one has nobody whose password is vouched for."""
    if component.accounts_from and not component.people:
        yield document.problem(("accounts_from",), "there are no `people` whose passwords it could know")
    if (vouches := component.vouches) is None:
        return
    if vouches.people not in component.people:
        yield document.problem(("vouches", "people"), f"there is no list of people {vouches.people!r}")
    if component.secrets.get(vouches.authority) is not SecretKind.AUTHORITY:
        yield document.problem(
            ("vouches", "authority"), f"there is no secret {vouches.authority!r} that is an authority"
        )
    known = _known_names(component, catalog)
    yield from _template_problems(document, ("vouches", "server"), vouches.server, known)
    yield from _template_problems(document, ("vouches", "name"), vouches.name, known | {"person"})


def _named(items: Mapping[str, Any]) -> bool:
    """Whether every item of a list is a name or has one. Two of the same name would have the same password."""
    return items.get("type", "string") == "string" or "name" in items.get("required", ())


def trust_problems(document: YamlDocument, component: Component) -> Iterator[Problem]:
    """A file that says whom to trust, on hosts that do not exist or with an unknown name."""
    if trust := component.recovery.trust:
        if trust.function not in component.hosts:
            yield document.problem(("recovery", "trust", "function"), f"there is no function {trust.function!r}")
        yield from _template_problems(document, ("recovery", "trust", "file"), trust.file, {"agency_id"})


def reach_problems(document: YamlDocument, component: Component, catalog: Catalog) -> Iterator[Problem]:
    """Declarations of reachability that mean nothing: functions that do not exist, unknown ports."""
    known = {"repository_port", *_allocated(component, catalog)}
    for n, reach in enumerate(component.reachability):
        if reach.function not in component.hosts:
            yield document.problem(("reachability", n, "function"), f"there is no function {reach.function!r}")
        for m, port in enumerate(reach.ports):
            yield from _template_problems(document, ("reachability", n, "ports", m), port, known)
    for field, functions in (("workplaces", component.workplaces), ("dial_in", component.dial_in)):
        for n, function in enumerate(functions):
            if function not in component.hosts:
                yield document.problem((field, n), f"there is no function {function!r}")


def drill_problems(document: YamlDocument, component: Component, catalog: Catalog) -> Iterator[Problem]:
    """Hosts of what is backed up that turn the recovery host away: a drill could not show that a restored copy does not
    reach them."""
    related = [catalog.components[name] for name in catalog.with_needs(component.component)]
    reached = {
        one.hosts.get(reach.function)
        for one in related
        for reach in one.reachability
        if Audience.RECOVERY in reach.admits and any(port.startswith("tcp/") for port in reach.ports)
    }
    for function, group in component.hosts.items() if component.recovery.data else ():
        if group not in reached:
            yield document.problem(("hosts", function), "no tcp port there admits `recovery`: drills decide nothing")


def _allocated(component: Component, catalog: Catalog) -> set[str]:
    """The pools from which an agency with the component gets allocations."""
    return {name for c in catalog.with_needs(component.component) for name in catalog.components[c].allocates}


def _known_names(component: Component, catalog: Catalog) -> set[str]:
    """The names that the component's templates over its allocation and its hosts may use."""
    known = {"number", "agency_id", "agency_domain", "site_domain", *_allocated(component, catalog)}
    known |= {f"{function}_address" for function in component.hosts}
    return known | ({"subnet_gateway"} if "subnet" in known else set())


def probe_problems(document: YamlDocument, component: Component, catalog: Catalog) -> Iterator[Problem]:
    """Probes that could never run: their templates use unknown names, or nobody could log in."""
    known = _known_names(component, catalog)
    for n, probe in enumerate(component.probes):
        yield from _template_problems(document, ("probes", n, "target"), probe.target, known)
        if probe.id in [other.id for other in component.probes[:n]]:
            yield document.problem(
                ("probes", n), f"there are two probes named {probe.id}; set `called` to name this one"
            )
        if probe.login:
            at = ("probes", n, "login")
            yield from _template_problems(document, (*at, "name"), probe.login.name, known | {"person"})
            if probe.login.people not in component.people:
                yield document.problem((*at, "people"), f"there is no list of people {probe.login.people!r}")


def home_problems(document: YamlDocument, component: Component) -> Iterator[Problem]:
    """Homes of people, or on hosts, that do not exist."""
    if homes := component.homes:
        if homes.function not in component.hosts:
            yield document.problem(("homes", "function"), f"there is no function {homes.function!r}")
        if homes.people not in component.people:
            yield document.problem(("homes", "people"), f"there is no list of people {homes.people!r}")
        yield from _template_problems(document, ("homes", "path"), homes.path, {"person", "agency_id"})


def _template_problems(
    document: YamlDocument, at: tuple[str | int, ...], template: str, known: set[str]
) -> Iterator[Problem]:
    try:
        names = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError as error:
        yield document.problem(at, f"is not a template: {error}")
        return
    for name in sorted(names - known):
        yield document.problem(at, f"unknown name {{{name}}}; known here: {', '.join(sorted(known))}")


def text_problems(
    document: YamlDocument, schema: Any, at: tuple[str | int, ...] = ("parameters",)
) -> Iterator[Problem]:
    """Where a schema allows any text, or refers to an unknown kind of text."""
    if isinstance(schema, list):
        for n, part in enumerate(schema):
            yield from text_problems(document, part, (*at, n))
    if not isinstance(schema, Mapping):
        return
    kinds = [f"#/$defs/{name}" for name in DEFINITIONS]
    known = ", ".join(kinds)
    if (kind := schema.get("$ref")) and kind not in kinds:
        yield document.problem((*at, "$ref"), f"there is no {kind}; known: {known}")
    if schema.get("type") == "string" and "enum" not in schema and schema.get("format") not in NARROW_FORMATS:
        yield document.problem((*at, "type"), f"allows any text; name a kind of text with $ref: {known}")
    for name, part in schema.items():
        if name not in ("default", "enum", "const", "examples"):
            yield from text_problems(document, part, (*at, name))


def role_problems(document: YamlDocument, component: Component, role: Path) -> Iterator[Problem]:
    """What the component's role lacks: verbs, argument specifications, options."""
    if not role.is_dir():
        yield document.problem(("role",), f"there is no role {role}")
        return
    specs: Mapping[str, Any] = role_file(role / "meta" / "argument_specs.yml").get("argument_specs", {})
    for verb in REQUIRED_VERBS + (RECOVERY_VERBS if component.recovery.data else ()):
        if not (role / "tasks" / f"{verb}.yml").is_file():
            yield document.problem(("role",), f"role {role.name} has no tasks/{verb}.yml")
        if verb not in specs:
            yield document.problem(("role",), f"{role.name}/meta/argument_specs.yml has no entry for {verb}")
    options = specs.get(Verb.PROVISION, {}).get("options", {})
    yield from _parameter_problems(document, component, options, role_file(role / "defaults" / "main.yml"))
    if component.accounts_from and f"{component.role}_accounts" not in options:
        yield document.problem(("accounts_from",), f"the role's provision has no option {component.role}_accounts")
    for file in sorted(role.glob("*/*.yml")):
        for name in _environments(role_file(file)):
            message = "in an environment is visible in process lists and journals; pass it on stdin or to a module"
            yield document.problem(("role",), f"{role.name}/{file.relative_to(role)}: {name} {message}")


def _environments(part: Any) -> Iterator[str]:
    """Names of environment variables that tasks set from variables, which may be secret."""
    if isinstance(part, list):
        for one in part:
            yield from _environments(one)
    if isinstance(part, dict):
        given = part.get("environment")
        named = given.items() if isinstance(given, dict) else [("all of it", given)]
        yield from (str(name) for name, value in named if "{{" in str(value))
        for one in part.values():
            yield from _environments(one)


def _parameter_problems(
    document: YamlDocument, component: Component, options: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Iterator[Problem]:
    """Where the component's parameters and the role's options differ."""
    for parameter, schema in component.parameters.get("properties", {}).items():
        name, at = f"{component.role}_{parameter}", ("parameters", "properties", parameter)
        if name not in options:
            yield document.problem(at, f"the role's provision has no option {name}")
        if "default" in schema and defaults.get(name, schema["default"]) != schema["default"]:
            yield document.problem(at, f"default {schema['default']!r} here, {defaults[name]!r} in the role")
