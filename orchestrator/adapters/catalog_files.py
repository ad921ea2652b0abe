"""catalog/ and inventories/: what is sold and where it is built, read from files and checked whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, TypeVar

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrator.adapters.documents import YamlDocument, read_yaml
from orchestrator.domain.agreement import FrameworkAgreement
from orchestrator.domain.allocation import HostPool, NetworkPool, NumberPool, Pool, host_pool
from orchestrator.domain.catalog import Catalog, Component, Verb
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.site import Host, Site
from orchestrator.usecases.ports import Problem

V = TypeVar("V", bound=BaseModel)

REQUIRED_VERBS = (Verb.PRECHECK, Verb.PROVISION, Verb.VERIFY, Verb.RETIRE)


class _InventoryGroup(BaseModel):
    """The part of Ansible's YAML inventory that a site uses: groups of hosts, each with an address."""

    model_config = ConfigDict(extra="forbid")
    hosts: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]*$")], dict[str, Any]]


class _SiteFacts(BaseModel):
    model_config = ConfigDict(extra="allow")
    site_domain: Annotated[str, Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$")]
    site_pools: dict[str, NetworkPool | NumberPool]


@dataclass(frozen=True)
class CatalogFiles:
    """The catalog source that reads folders. Every folder is read at most once per object."""

    catalog_dir: Path
    inventories_dir: Path
    playbooks_dir: Path

    def catalog(self) -> Catalog:
        return self._catalog

    @cached_property
    def _catalog(self) -> Catalog:
        read = [(read_yaml(path), path) for path in _yaml_files(self.catalog_dir / "components")]
        components: dict[str, Component] = {}
        problems: list[Problem] = []
        for document, path in read:
            component, found = _parse(document, Component)
            problems += found or list(_component_problems(document, component, path, components))
            if component:
                components[component.component] = component
        catalog = Catalog(components=components)
        if not problems:
            files = {d.data["component"]: d for d, _ in read}
            problems = [files[c].problem(("needs",), message) for c, message in catalog.problems()]
        _refuse(problems, "the catalog is not usable")
        return catalog

    def agreements(self) -> Mapping[str, FrameworkAgreement]:
        return self._agreements

    @cached_property
    def _agreements(self) -> Mapping[str, FrameworkAgreement]:
        agreements: dict[str, FrameworkAgreement] = {}
        problems: list[Problem] = []
        for path in _yaml_files(self.catalog_dir / "frameworks"):
            document = read_yaml(path)
            agreement, found = _parse(document, FrameworkAgreement)
            problems += found
            if agreement:
                agreements[agreement.framework] = agreement
                problems += [
                    document.problem(("lots", lot, "components", i), f"{c!r} is not in the catalog")
                    for lot, terms in agreement.lots.items()
                    for i, c in enumerate(terms.components)
                    if c not in self._catalog.components
                ]
        _refuse(problems, "the framework agreements are not usable")
        return agreements

    def sites(self) -> tuple[str, ...]:
        return tuple(sorted(p.parent.name for p in self.inventories_dir.glob("*/hosts.yml")))

    def site(self, name: str) -> Site:
        if name not in self.sites():
            raise OrchestratorError(
                Kind.NOT_FOUND, f"there is no site {name!r}", hint=f"sites: {', '.join(self.sites()) or 'none'}"
            )
        folder = self.inventories_dir / name
        hosts = _hosts(read_yaml(folder / "hosts.yml"))
        facts_document = read_yaml(folder / "group_vars" / "all.yml")
        facts, problems = _parse(facts_document, _SiteFacts)
        _refuse(problems, f"site {name} is not usable")
        assert facts is not None
        pools: dict[str, Pool] = dict(facts.site_pools)
        groups = {group for host in hosts.values() for group in host.groups}
        pools |= {host_pool(g): HostPool(hosts=tuple(sorted(n for n, h in hosts.items() if g in h.groups))) for g in groups}
        rest = {k: v for k, v in facts_document.data.items() if k != "site_pools"}
        return Site(name=name, domain=facts.site_domain, hosts=hosts, pools=pools, facts=rest)

    def document(self, path: Path) -> YamlDocument:
        return read_yaml(path)

    def lint(self) -> list[Problem]:
        """Catalog against playbooks and sites. Raises when the catalog itself cannot be read."""
        catalog = self.catalog()
        self.agreements()
        problems: list[Problem] = []
        for path in _yaml_files(self.catalog_dir / "components"):
            document = read_yaml(path)
            component = catalog.components[document.data["component"]]
            problems += _role_problems(document, component, self.playbooks_dir / "roles" / component.role)
            problems += self._site_problems(document, component)
        return problems

    def _site_problems(self, document: YamlDocument, component: Component) -> Iterator[Problem]:
        for name in self.sites():
            site = self.site(name)
            for function, group in component.hosts.items():
                if not site.group(group):
                    yield document.problem(("hosts", function), f"site {name} has no host in group {group!r}")
            for allocation, pool in component.allocates.items():
                if pool not in site.pools:
                    yield document.problem(("allocates", allocation), f"site {name} has no pool {pool!r}")


def _yaml_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise OrchestratorError(Kind.NOT_FOUND, f"{folder}: no such folder", hint="run from the project's top folder")
    return sorted(folder.glob("*.yml"))


def _parse(document: YamlDocument, model: type[V]) -> tuple[V | None, list[Problem]]:
    try:
        return model.model_validate(document.data), []
    except ValidationError as error:
        return None, [document.problem(e["loc"], e["msg"]) for e in error.errors()]


def _refuse(problems: list[Problem], summary: str) -> None:
    if problems:
        raise OrchestratorError(
            Kind.INVALID,
            f"{summary}: {len(problems)} problem{'s' if len(problems) > 1 else ''}",
            details=tuple(str(p) for p in problems),
        )


def _component_problems(
    document: YamlDocument, component: Component | None, path: Path, known: Mapping[str, Component]
) -> Iterator[Problem]:
    assert component is not None
    if component.component in known:
        yield document.problem(("component",), f"component {component.component!r} is in the catalog twice")
    if component.component != path.stem:
        yield document.problem(("component",), f"must be {path.stem!r}, as the file is called")
    try:
        Draft202012Validator.check_schema(dict(component.parameters))
    except SchemaError as error:
        yield document.problem(("parameters", *error.absolute_path), error.message)
        return
    if component.parameters.get("additionalProperties") is not False:
        yield document.problem(("parameters",), "must say additionalProperties: false, or misspelt parameters get through")
    for tier_id in component.tiers:
        resolved = component.resolve(tier_id, {})
        for wrong in Draft202012Validator(dict(component.parameters)).iter_errors(resolved):
            yield document.problem(("tiers", tier_id, "parameters", *wrong.absolute_path), wrong.message)


def _hosts(document: YamlDocument) -> dict[str, Host]:
    found: dict[str, Host] = {}
    problems: list[Problem] = []
    for group, content in (document.data or {}).items():
        try:
            parsed = _InventoryGroup.model_validate(content)
        except ValidationError as error:
            problems += [document.problem((group, *e["loc"]), e["msg"]) for e in error.errors()]
            continue
        for name, variables in parsed.hosts.items():
            if "ansible_host" not in variables:
                problems.append(document.problem((group, "hosts", name), "needs ansible_host, the address to reach it at"))
                continue
            before = found.get(name)
            groups = tuple(sorted({group, *(before.groups if before else ())}))
            found[name] = Host(name=name, address=str(variables["ansible_host"]), groups=groups, variables=variables)
    _refuse(problems, f"{document.file} is not usable")
    return found


def _role_problems(document: YamlDocument, component: Component, role: Path) -> Iterator[Problem]:
    if not role.is_dir():
        yield document.problem(("role",), f"there is no role {role}")
        return
    for verb in REQUIRED_VERBS:
        if not (role / "tasks" / f"{verb}.yml").is_file():
            yield document.problem(("role",), f"role {role.name} has no tasks/{verb}.yml")
    specs = read_yaml(role / "meta" / "argument_specs.yml").data.get("argument_specs", {})
    for verb in REQUIRED_VERBS:
        if verb not in specs:
            yield document.problem(("role",), f"{role.name}/meta/argument_specs.yml has no entry for {verb}")
    options = specs.get(Verb.PROVISION, {}).get("options", {})
    defaults_file = role / "defaults" / "main.yml"
    defaults = read_yaml(defaults_file).data if defaults_file.is_file() else {}
    for parameter, schema in component.parameters.get("properties", {}).items():
        name = f"{component.role}_{parameter}"
        at = ("parameters", "properties", parameter)
        if name not in options:
            yield document.problem(at, f"the role's provision takes no option {name}")
        if "default" in schema and defaults.get(name, schema["default"]) != schema["default"]:
            yield document.problem(at, f"default {schema['default']!r} here, {defaults[name]!r} in the role")
