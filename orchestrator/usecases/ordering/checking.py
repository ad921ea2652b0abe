"""Checking a call-off file against its schema and its agreement. All problems are reported at once, with their
lines."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.selling.agreement import CallOff, FrameworkAgreement, Term
from orchestrator.domain.selling.bundles import Bundles, completed
from orchestrator.domain.selling.catalog import Catalog
from orchestrator.domain.selling.drill_policy import RecoveryTerms
from orchestrator.ports.catalog import Problem, SourceDocument

Place = tuple[str | int, ...]


def checked(
    path: Path,
    document: SourceDocument,
    schema: Mapping[str, Any],
    agreements: Mapping[str, FrameworkAgreement],
    catalog: Catalog,
    bundles: Bundles,
) -> CallOff:
    """The call-off. Raises INVALID if it is not one, NOT_COVERED for what its agreement does not allow."""
    shape = document.check(schema)
    broken = {at[:depth] for at, _ in shape for depth in range(len(at) + 1)}
    shape += [*_wrong_terms(document, broken), *_unaccompanied(document, catalog, bundles)]
    problems = [*(problem for _, problem in shape), *_uncovered(document, broken, agreements, catalog, bundles)]
    if problems:
        raise refused(path, problems, kind=Kind.INVALID if shape else Kind.NOT_COVERED)
    call_off = CallOff.model_validate(document.data)
    return call_off.model_copy(update={"services": completed(call_off.services, bundles, catalog)})


def refused(path: Path, problems: list[Problem], *, kind: Kind, hint: str | None = None) -> OrchestratorError:
    """One error for all problems of a file."""
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    ordered = sorted(problems, key=lambda p: (p.line or 0, p.path))
    return OrchestratorError(kind, f"{path} is refused: {count}", details=tuple(str(p) for p in ordered), hint=hint)


def _wrong_terms(document: SourceDocument, broken: set[Place]) -> list[tuple[Place, Problem]]:
    """What a schema cannot check in the terms of recovery: that zones exist, that blackouts end after their start."""
    terms = document.data.get("recovery") if isinstance(document.data, dict) else None
    if terms is None or ("recovery",) in broken:
        return []
    try:
        RecoveryTerms.model_validate(terms)
    except ValidationError as error:
        found = [(("recovery", *e["loc"]), e["msg"].removeprefix("Value error, ")) for e in error.errors()]
        return [(at, document.problem(at, message)) for at, message in found]
    return []


def _unaccompanied(document: SourceDocument, catalog: Catalog, bundles: Bundles) -> Iterator[tuple[Place, Problem]]:
    """What a schema cannot check in the services: that what accompanies others has hosts to be on."""
    data = document.data if isinstance(document.data, dict) else {}
    lines = data["services"].items() if isinstance(data.get("services"), dict) else ()
    ordered = {name: set(_ordered(name, line, catalog, bundles)) for name, line in lines}
    if any(components.intersection(catalog.hosting) for components in ordered.values()):
        return
    for name, components in ordered.items():
        for component in sorted(c for c in components if catalog.components[c].accompanies):
            message = f"{component!r} is on hosts of the agency's own; order {' or '.join(catalog.hosting)} as well"
            yield ("services", name), document.problem(("services", name), message)


def _uncovered(
    document: SourceDocument,
    broken: set[Place],
    agreements: Mapping[str, FrameworkAgreement],
    catalog: Catalog,
    bundles: Bundles,
) -> Iterator[Problem]:
    """What the agreement does not allow, in the parts of the file that match the schema."""
    data = document.data if isinstance(document.data, dict) else {}
    agreement = agreements.get(str(data.get("framework")))
    if agreement is None:
        return
    yield from _uncovered_agency(document, broken, agreement)
    if ("term",) not in broken and (refusal := agreement.refuse_term(Term.model_validate(data.get("term")))):
        yield document.problem(("term",), refusal)
    if isinstance(data.get("services"), dict):
        yield from _uncovered_services(document, agreement, catalog, bundles)


def _uncovered_agency(document: SourceDocument, broken: set[Place], agreement: FrameworkAgreement) -> Iterator[Problem]:
    agency = document.data.get("agency")
    if not isinstance(agency, Mapping) or not isinstance(agency_class := agency.get("class"), str):
        return
    if refusal := agreement.refuse_class(agency_class):
        yield document.problem(("agency", "class"), refusal)
    elif ("agency", "name") not in broken and (refusal := agreement.refuse_body(agency_class, agency["name"])):
        yield document.problem(("agency", "name"), refusal)


def _uncovered_services(
    document: SourceDocument, agreement: FrameworkAgreement, catalog: Catalog, bundles: Bundles
) -> Iterator[Problem]:
    for name, ordered in document.data["services"].items():
        for component in _ordered(name, ordered, catalog, bundles):
            for refusal in agreement.refuse_component(component, catalog):
                yield document.problem(("services", name), refusal)


def _ordered(name: str, ordered: Any, catalog: Catalog, bundles: Bundles) -> Iterable[str]:
    """The components that one line orders; none if it makes no sense."""
    if name in catalog.components:
        return [name]
    tier = ordered.get("tier") if isinstance(ordered, Mapping) else None
    return bundles[name].tiers.get(str(tier), {}) if name in bundles else ()
