"""The catalog source that reads folders."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from orchestrator.adapters.catalog_files.documents import YamlDocument, parse, read_yaml, refuse, violations
from orchestrator.adapters.catalog_files.linting import (
    account_problems,
    drill_problems,
    home_problems,
    people_problems,
    probe_problems,
    proof_problems,
    reach_problems,
    role_problems,
    site_problems,
    tenancy_problems,
    text_problems,
    trust_problems,
)
from orchestrator.adapters.catalog_files.packages import group_packages, package_problems
from orchestrator.adapters.catalog_files.sites import read_site
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import Site
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.bundles import Bundle, Bundles, bundle_problems
from orchestrator.domain.selling.catalog import Catalog, Component
from orchestrator.domain.selling.contradictions import contradictions
from orchestrator.domain.text_types import DEFINITIONS
from orchestrator.domain.value import Value
from orchestrator.ports.catalog import Problem

V = TypeVar("V", bound=Value)


@dataclass(frozen=True)
class CatalogFiles:
    """The catalog source that reads folders. It reads the catalog once, and a site again when its files change."""

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
            component, found = parse(document, Component)
            problems += found or list(_component_problems(document, component, path, components))
            if component:
                components[component.component] = component
        catalog = Catalog(components=components)
        if not problems:
            files = {d.data["component"]: d for d, _ in read}
            problems = [files[c].problem((field,), message) for c, field, message in catalog.problems()]
        refuse(problems, "the catalog is not usable")
        return catalog

    def agreements(self) -> Mapping[str, FrameworkAgreement]:
        return self._agreements

    @cached_property
    def _agreements(self) -> Mapping[str, FrameworkAgreement]:
        folder = self.catalog_dir / "frameworks"
        return _read_named(_yaml_files(folder), FrameworkAgreement, "framework", "framework agreements",
                           lambda agreement: contradictions(agreement, self._catalog))  # fmt: skip

    def bundles(self) -> Bundles:
        return self._bundles

    @cached_property
    def _bundles(self) -> Bundles:
        folder = self.catalog_dir / "bundles"
        return _read_named(_yaml_files(folder) if folder.is_dir() else [], Bundle, "bundle", "bundles",
                           lambda bundle: bundle_problems(bundle, self._catalog))  # fmt: skip

    def sites(self) -> tuple[str, ...]:
        return tuple(sorted(p.parent.name for p in self.inventories_dir.glob("*/hosts.yml")))

    def site(self, name: str) -> Site:
        if name not in self.sites():
            raise OrchestratorError(
                Kind.NOT_FOUND, f"there is no site {name!r}", hint=f"sites: {', '.join(self.sites()) or 'none'}"
            )
        folder = self.inventories_dir / name
        as_read = _state_of(folder / "hosts.yml", folder / "group_vars" / "all.yml")
        if name not in self._sites or self._sites[name][0] != as_read:
            self._sites[name] = (as_read, read_site(folder))
        return self._sites[name][1]

    @cached_property
    def _sites(self) -> dict[str, tuple[object, Site]]:
        """Sites as last read, each with the state of its files then: hosts may change while workers run."""
        return {}

    def document(self, path: Path) -> YamlDocument:
        return read_yaml(path)

    def packages(self) -> Mapping[str, frozenset[str]]:
        """Return, by host group, the Debian packages that components may install on its hosts."""
        return group_packages(self._catalog, self.playbooks_dir / "roles")

    def lint(self) -> list[Problem]:
        """Check the catalog against playbooks and sites. Raises if the catalog itself cannot be read."""
        catalog = self.catalog()
        self.agreements()
        self.bundles()
        problems: list[Problem] = []
        for path in _yaml_files(self.catalog_dir / "components"):
            document = read_yaml(path)
            component = catalog.components[document.data["component"]]
            problems += proof_problems(document, component)
            problems += tenancy_problems(document, component)
            problems += people_problems(document, component)
            problems += account_problems(document, component, catalog)
            problems += probe_problems(document, component, catalog)
            problems += home_problems(document, component)
            problems += trust_problems(document, component)
            problems += reach_problems(document, component, catalog)
            problems += drill_problems(document, component, catalog)
            if component.role:
                role = self.playbooks_dir / "roles" / component.role
                problems += role_problems(document, component, role)
                problems += package_problems(document, component, role)
            for site in map(self.site, self.sites()):
                problems += site_problems(document, component, site)
        return problems


def _read_named(
    paths: Iterable[Path],
    kind: type[V],
    name: str,
    what: str,
    mistakes: Callable[[V], Iterable[tuple[tuple[str | int, ...], str]]],
) -> dict[str, V]:
    """Values from files that are called as the field `name` says. Refuses them all together, with each mistake's
    place."""
    found: dict[str, V] = {}
    problems: list[Problem] = []
    for path in paths:
        document = read_yaml(path)
        value, wrong = parse(document, kind)
        problems += wrong
        if value:
            if getattr(value, name) != path.stem:
                problems.append(document.problem((name,), f"must be {path.stem!r}, like the file name"))
            found[getattr(value, name)] = value
            problems += [document.problem(at, message) for at, message in mistakes(value)]
    refuse(problems, f"the {what} are not usable")
    return found


def _state_of(*paths: Path) -> tuple[object, ...]:
    """A value that is equal as long as the files are unchanged."""
    return tuple((s.st_mtime_ns, s.st_size, s.st_ino) if p.exists() and (s := p.stat()) else None for p in paths)


def _yaml_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise OrchestratorError(Kind.NOT_FOUND, f"{folder}: no such folder", hint="run from the project's top folder")
    return sorted(folder.glob("*.yml"))


def _component_problems(
    document: YamlDocument, component: Component | None, path: Path, known: Mapping[str, Component]
) -> Iterator[Problem]:
    from jsonschema_rs import ValidationError, meta

    assert component is not None
    if component.component in known:
        yield document.problem(("component",), f"component {component.component!r} is in the catalog twice")
    if component.component != path.stem:
        yield document.problem(("component",), f"must be {path.stem!r}, like the file name")
    try:
        meta.validate({**component.parameters, "$schema": "https://json-schema.org/draft/2020-12/schema"})
    except ValidationError as error:
        yield document.problem(("parameters", *error.instance_path), error.message)
        return
    if loose := list(text_problems(document, component.parameters)):
        yield from loose
        return
    if component.parameters.get("additionalProperties") is not False:
        yield document.problem(
            ("parameters",), "must have additionalProperties: false, or misspelt parameters are accepted"
        )
    schema = {**component.parameters, "$defs": DEFINITIONS}
    for tier_id in component.tiers:
        resolved = component.resolve(tier_id, {})
        for at, message in violations(schema, resolved):
            yield document.problem(("tiers", tier_id, "parameters", *at), message)
