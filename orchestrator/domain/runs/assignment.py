"""The host variables of one step, which roles are given (playbooks/README.md is the contract)."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from orchestrator.domain.estate.allocation import Allocation, values
from orchestrator.domain.estate.site import Placement, Site, hosts_in
from orchestrator.domain.ordering.accounts import who_may_log_in
from orchestrator.domain.ordering.certificates import Certified
from orchestrator.domain.ordering.instance import ServiceInstance
from orchestrator.domain.ordering.reachability import Reachability
from orchestrator.domain.selling.agreement import Agency
from orchestrator.domain.selling.catalog import Catalog, Component, names_of


def secrets_variable(component: Component) -> str:
    """The variable under which a role finds its secrets."""
    return f"{component.role_name}_secrets"


def password_of(person: str, secret: str) -> str:
    """The password of one person, derived from one stored secret for all: 24 digits of SHA-256, 96 bits."""
    return hashlib.sha256(f"{secret}/{person}".encode()).hexdigest()[:24]


def totp_key_of(person: str, secret: str) -> str:
    """The key of one person's one-time codes (RFC 6238), derived in the same way: 160 bits of HMAC-SHA-256, in
    hexadecimal."""
    return hmac.new(secret.encode(), f"totp/{person}".encode(), hashlib.sha256).hexdigest()[:40]


def passwords(
    component: Component, parameters: Mapping[str, Any], secrets: Mapping[str, str], *, vouched: str | None = None
) -> dict[str, dict[str, str]]:
    """`users_passwords` -> person -> password, for each list of people in the parameters, and `users_totp_keys` for
    each list of people who also log in with one-time codes. Passwords for which another component vouches are derived
    from the secret `vouched`."""
    if vouched is not None:
        secrets = {**secrets, **dict.fromkeys(component.people.values(), vouched)}
    kinds = (("passwords", component.people, password_of), ("totp_keys", component.totp, totp_key_of))
    return {
        f"{listed}_{kind}": {person: derive(person, secrets[secret]) for person in names_of(parameters.get(listed, ()))}
        for kind, lists, derive in kinds
        for listed, secret in lists.items()
    }


def writer_of(component: str, host: str, secrets: Mapping[str, str]) -> dict[str, str]:
    """The writer of a component's backups on a host: its `name` on the recovery host, the `writer_password` for access,
    and the `repository_password` of its own repository. Both passwords are derived from the keeper's secrets of these
    names with HMAC-SHA-256: nobody can compute another pair from one."""
    derived = {name: of_writer(component, host, secrets[name]) for name in ("writer_password", "repository_password")}
    return {"name": f"{component}.{host}", **derived}


def of_writer(component: str, host: str, secret: str) -> str:
    """A writer's secret, derived from one of the keeper's: HMAC-SHA-256 over component and host, in hexadecimal."""
    return hmac.new(secret.encode(), f"{component}/{host}".encode(), hashlib.sha256).hexdigest()


def host_variables(
    component: Component,
    instance: ServiceInstance,
    *,
    placement: Placement,
    agency: Agency,
    allocations: Mapping[str, Allocation],
    needed: Mapping[str, Placement],
    site: Site,
    reachability: Reachability,
    beside: Mapping[str, Sequence[str]],
    namesakes: Sequence[str],
    certified: Certified | None = None,
    accounts: Mapping[str, Any] | None = None,
    described: Placement | None = None,
    besides: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """host -> its variables, without secrets, which travel separately.

    `described` are the hosts that the role is given, if they differ from the step's: what is restored elsewhere keeps
    its names. `beside` are the roles of the agency's other services by host; `namesakes` are the agencies whose names
    contain this one's. `certified` is the validity of certificates, if there are any; `accounts` is what
    `accounts_known` tells of another component that vouches for people; `besides` is what only some verbs need.
    """
    allocated = values(allocations)
    number = allocated.pop("number", None)
    shared = {
        "agency": agency_facts(agency, number=number, site=site),
        "tier": instance.tier,
        "quantity": instance.quantity,
        "hosts": addresses(described or placement, site),
        "needs": {name: addresses(hosts, site) for name, hosts in needed.items()},
        "allocation": allocated,
        **instance.parameters,
        "namesakes": list(namesakes),
        "ways": [way.model_dump() for way in reachability.ways(component)],
        "names": reachability.names(component),
        **({"certified": certified.document} if certified else {}),
        **({"accounts": accounts} if accounts else {}),
        **(besides or {}),
    }
    admitted = reachability.admissions(component)
    return {
        name: {
            **{f"{component.role_name}_{key}": value for key, value in shared.items()},
            f"{component.role_name}_functions": [f for f, hosts in sorted(placement.items()) if name in hosts],
            f"{component.role_name}_admits": [one.model_dump(exclude={"host"}) for one in admitted if one.host == name],
            f"{component.role_name}_beside": list(beside.get(name, ())),
        }
        for name in hosts_in(placement)
    }


def accounts_known(
    instance: ServiceInstance,
    services: Mapping[str, ServiceInstance],
    catalog: Catalog,
    *,
    site: Site,
    allocations: Mapping[str, Allocation],
) -> dict[str, Any] | None:
    """What a role is told of the service that vouches for its people, if there is one: the address of the `server`,
    the `names` that people have there, by person, and the people whom it knows at the moment (`known`).

    People have names that need no escaping there: their pattern allows letters, digits and hyphens.
    """
    source = services.get(instance.accounts_from or "")
    if source is None:
        return None
    vouches = catalog.components[source.component].vouches
    assert vouches is not None
    facts = endpoint_facts(source, agency=instance.agency, site=site, allocations=allocations)
    lists = catalog.components[instance.component].people
    people = {person for listed in lists for person in names_of(instance.parameters.get(listed, ()))}
    known = {person for listed in lists for person in who_may_log_in(instance, listed, services, catalog)}
    names = {person: vouches.name.format_map({**facts, "person": person}) for person in sorted(people)}
    return {"server": vouches.server.format_map(facts), "names": names, "known": sorted(known)}


def roles_beside(
    component: Component, services: Mapping[str, ServiceInstance], components: Mapping[str, Component]
) -> dict[str, list[str]]:
    """host -> roles of the agency's other services there."""
    found: dict[str, list[str]] = {}
    for name, service in sorted(services.items()):
        for host in hosts_in(service.hosts) if name != component.component else ():
            found.setdefault(host, []).append(components[name].role_name)
    return found


def names_with(agency: str, agencies: Iterable[str]) -> list[str]:
    """The other agencies whose names contain this one's, so that what is theirs is not mistaken for its own."""
    return sorted(other for other in agencies if agency in other and other != agency)


def agency_facts(agency: Agency, *, number: Any, site: Site) -> dict[str, Any]:
    """What roles know about an agency."""
    return {
        "id": agency.id,
        "name": agency.name,
        "number": number,
        "domain": f"{agency.id}.{site.domain}",
        "seats": agency.seats,
        "email": agency.contacts[0].email,
    }


def addresses(placement: Placement, site: Site) -> dict[str, list[dict[str, str]]]:
    """function -> name and address of each of its hosts that is still part of the site."""
    return {
        function: [{"name": h, "address": site.hosts[h].address} for h in hosts if h in site.hosts]
        for function, hosts in sorted(placement.items())
    }


def by_host(
    template: str, component: Component, instance: ServiceInstance, facts: Mapping[str, str], *, site: Site
) -> list[tuple[str | None, dict[str, str]]]:
    """The names of `endpoint_facts` for each host that the template refers to: all hosts of the function that it names,
    if they are the agency's own. Otherwise once, without a host."""
    named = [function for function in instance.hosts if f"{{{function}_address}}" in template]
    hosts = [h for h in instance.hosts[named[0]] if h in site.hosts] if len(named) == 1 else []
    if len(hosts) < 2 or not component.dedicates(named[0]):
        return [(None, dict(facts))]
    return [(host, {**facts, f"{named[0]}_address": site.hosts[host].address}) for host in hosts]


def endpoint_facts(
    instance: ServiceInstance, *, agency: str, site: Site, allocations: Mapping[str, Allocation]
) -> dict[str, str]:
    """The names that a component's endpoint and probe templates may use."""
    facts = {name: str(value) for name, value in values(allocations).items()}
    if subnet := facts.get("subnet"):
        facts["subnet_gateway"] = str(next(IPv4Network(subnet).hosts()))
    for function, hosts in instance.hosts.items():
        known = [site.hosts[h].address for h in hosts if h in site.hosts]
        facts[f"{function}_address"] = known[0] if known else ""
    return facts | {"agency_id": agency, "agency_domain": f"{agency}.{site.domain}", "site_domain": site.domain}
