"""Whose passwords open a service: its own, or those of another service that vouches for them."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.domain.ordering.difference import FieldChange
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.ordering.plan import Basis
from orchestrator.domain.selling.agreement import CallOff
from orchestrator.domain.selling.catalog import Catalog, Component, names_of
from orchestrator.domain.selling.vouches import Vouches

Place = tuple[str | int, ...]
"""A path in a call-off file."""


def password_secret(instance: ServiceInstance, listed: str, catalog: Catalog) -> tuple[str, str]:
    """(component, secret) from which the passwords of a list of people are derived."""
    if (source := instance.accounts_from) is None:
        return instance.component, catalog.components[instance.component].people[listed]
    return source, catalog.components[source].people[_vouches(catalog, source).people]


def who_may_log_in(
    instance: ServiceInstance, listed: str, services: Mapping[str, ServiceInstance], catalog: Catalog
) -> tuple[str, ...]:
    """The names in a list of people, without those whom the service that vouches for them does not know."""
    names = names_of(instance.parameters.get(listed, ()))
    source = instance.accounts_from
    if source is None or source not in services:
        return names
    known = names_of(services[source].parameters.get(_vouches(catalog, source).people, ()))
    return tuple(name for name in names if name in known)


def vouched(wanted: Mapping[str, ServiceInstance], catalog: Catalog) -> dict[str, ServiceInstance]:
    """The services that an agency will have, each with the one of them that vouches for its people's passwords."""
    sources = {c: catalog.components[c].accounts_from for c in wanted}
    return {
        c: instance.model_copy(update={"accounts_from": source if (source := sources[c]) in wanted else None})
        for c, instance in wanted.items()
    }


def vouching_changes(
    name: str, *, recorded: Mapping[str, ServiceInstance], wanted: Mapping[str, ServiceInstance], basis: Basis
) -> Iterator[FieldChange]:
    """What changes for a service that stays because of the one that vouches for its people: it does not know everybody
    whom it begins to vouch for, it moves, or its secrets are renewed."""
    after, catalog = wanted[name], basis.catalog
    if (source := after.accounts_from) is None:
        return
    if recorded[name].accounts_from != source:
        listed = catalog.components[name].people
        allowed = {person for people in listed for person in who_may_log_in(after, people, wanted, catalog)}
        if shut_out := sorted(_everybody(catalog.components[name], after.parameters) - allowed):
            yield FieldChange(path="shut_out", before=[], after=shut_out)
    elif recorded[source].hosts != wanted[source].hosts:
        yield FieldChange(path=f"{source}.hosts", before="in force", after="new")
    vouches = _vouches(catalog, source)
    renewed = () if basis.options.leaves_alone(source) else basis.renewed.get(source, ())
    for secret in (catalog.components[source].people[vouches.people], vouches.authority):
        if f"secrets.{secret}" in renewed:
            yield FieldChange(path=f"{source}.secrets.{secret}", before="in force", after="new")


def strangers(order: CallOff, recorded: Mapping[str, ServiceInstance], catalog: Catalog) -> Iterator[tuple[Place, str]]:
    """Names that an order adds to a service, and that the service that vouches for its people does not know. Who is
    recorded stays: people who leave the one need not leave the other at once, where their homes are."""
    resolved = {c: catalog.components[c].resolve(o.tier, o.parameters) for c, o in order.services.items()}
    for name, parameters in resolved.items():
        component, before = catalog.components[name], recorded.get(name)
        if (source := component.accounts_from) not in resolved:
            continue
        people = _vouches(catalog, source).people
        known = names_of(resolved[source].get(people, ()))
        stays = _everybody(component, before.parameters) if before and before.exists else set()
        for listed in component.people:
            for n, person in enumerate(names_of(parameters.get(listed, ()))):
                if person not in known and person not in stays:
                    right = f"add them there, or name some of: {', '.join(sorted(known))}"
                    at = ("services", name, "parameters", listed, n)
                    yield at, f"{person!r} is not among the {people} of {source}; {right}"


def _vouches(catalog: Catalog, source: str) -> Vouches:
    vouches = catalog.components[source].vouches
    assert vouches is not None
    return vouches


def _everybody(component: Component, parameters: Mapping[str, Any]) -> set[str]:
    return {name for listed in component.people for name in names_of(parameters.get(listed, ()))}
