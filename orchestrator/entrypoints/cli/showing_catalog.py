"""Shows components and framework agreements on a terminal."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal

from rich.markup import escape
from rich.table import Table

from orchestrator.domain.money import in_pounds
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.bundles import Bundle
from orchestrator.domain.selling.catalog import Catalog, Component
from orchestrator.domain.selling.prices import PriceLine, listed
from orchestrator.domain.service_levels.hours import ServiceHours
from orchestrator.domain.service_levels.terms import ServiceTerms
from orchestrator.entrypoints.cli.output import console
from orchestrator.entrypoints.cli.tables import new_table


def show_components(catalog: Catalog, agreements: Mapping[str, FrameworkAgreement]) -> None:
    offered = {framework: agreement.offered for framework, agreement in agreements.items()}
    table = new_table("component", "title", "tiers", "tenancy", "needs", "offered under")
    for c in catalog.components.values():
        under = ", ".join(f"{f} ({lots[c.component]})" for f, lots in offered.items() if c.component in lots)
        table.add_row(f"[bold]{c.component}[/]", c.title, ", ".join(c.tiers), c.tenancy, ", ".join(c.needs), under)
    console.print(table)


def show_bundles(bundles: Iterable[Bundle]) -> None:
    table = new_table("bundle", "title", "tiers", "components")
    for bundle in bundles:
        members = sorted({component for tier in bundle.tiers.values() for component in tier})
        table.add_row(f"[bold]{bundle.bundle}[/]", escape(bundle.title), ", ".join(bundle.tiers), ", ".join(members))
    console.print(table)


def show_bundle(bundle: Bundle) -> None:
    console.print(f"[bold]{bundle.bundle}[/] {escape(bundle.title)}")
    console.print(escape(bundle.description.strip()))
    table = new_table("tier", "component", "its tier", "quantity", right=("quantity",))
    for tier, members in bundle.tiers.items():
        for component, order in members.items():
            table.add_row(tier, component, order.tier, str(order.quantity))
    console.print(table)


def show_frameworks(agreements: Iterable[FrameworkAgreement]) -> None:
    table = new_table("framework", "title", "supplier", "term", "ceiling", "eligible classes", right=("ceiling",))
    for a in agreements:
        classes = escape(", ".join(_eligible(a)))
        name = f"[bold]{a.framework}[/]"
        table.add_row(name, escape(a.title), escape(a.supplier), _term(a), in_pounds(a.ceiling), classes)
    console.print(table)


def show_component(component: Component, agreements: Mapping[str, FrameworkAgreement]) -> None:
    needs = f", needs {', '.join(component.needs)}" if component.needs else ""
    delivered = "by people" if component.by_people else component.tenancy
    console.print(f"[bold]{component.component}[/] {component.title}: {delivered}{needs}")
    console.print(escape(component.description.strip()))
    if component.accounts_from:
        console.print(f"People log in with their password of {component.accounts_from}, if the agency has it.")
    if component.exclusive:
        console.print("Exclusive: it is changed for one agency at a time on each host.")
    tiers = new_table("tier", "", "price a year", "recovery time", "recovery point", "watts")
    for name, tier in component.tiers.items():
        price = f"£{tier.price.per_year:,} per {tier.price.per}"
        objectives = (_hours(tier.recovery.rto), _hours(tier.recovery.rpo)) if tier.recovery else ("", "")
        tiers.add_row(name, tier.title, price, *objectives, f"{tier.watts:g}")
    console.print(tiers)
    _show_work(component)
    _show_own_prices(component, agreements)
    parameters = new_table("parameter", "type", "default", "")
    for name, schema in component.parameters.get("properties", {}).items():
        default = escape(str(schema.get("default", "")))
        kind = schema.get("type") or schema.get("$ref", "").rpartition("/")[2]
        parameters.add_row(name, str(kind), default, escape(schema.get("description", "")))
    console.print(parameters)


def _show_work(component: Component) -> None:
    if component.work:
        work = new_table("work of people", "", *(f"within, {tier}" for tier in component.tiers))
        for verb, terms in component.work.items():
            within = (_hours(tier.within[verb]) for tier in component.tiers.values())
            work.add_row(verb, escape(terms.title), *within)
        console.print(work)


def _show_own_prices(component: Component, agreements: Mapping[str, FrameworkAgreement]) -> None:
    own = [(f, line) for f, a in agreements.items() for line in a.price_lines if line.component == component.component]
    if own:
        table = new_table("framework", "tier", "its own price a year")
        for framework, line in own:
            table.add_row(framework, line.tier, _price(line))
        console.print(table)


def show_framework(agreement: FrameworkAgreement, catalog: Catalog) -> None:
    console.print(f"[bold]{agreement.framework}[/] {escape(agreement.title)}")
    console.print(escape(agreement.description.strip()))
    console.print(_facts(agreement))
    for lot, terms in agreement.lots.items():
        console.print(f"Lot [bold]{lot}[/], {escape(terms.title)}:")
        for row, components in terms.scope.items():
            console.print(f"  {escape(row)}: {', '.join(components) or 'not delivered yet'}")
    console.print(_prices(agreement, catalog))
    console.print(_levels(agreement.service_levels))
    if agreement.sources:
        sources = new_table("field", "source")
        for field, source in agreement.sources.items():
            sources.add_row(field, escape(source.strip()))
        console.print(sources)


def _facts(agreement: FrameworkAgreement) -> Table:
    table = new_table()
    table.add_row("authority", escape(agreement.authority))
    table.add_row("supplier", escape(agreement.supplier))
    table.add_row("term", _term(agreement))
    table.add_row("ceiling", in_pounds(agreement.ceiling))
    if agreement.first_call_off:
        table.add_row("first call-off", escape(agreement.first_call_off))
    table.add_row("eligible classes", escape(", ".join(_eligible(agreement))))
    for agency_class, bodies in agreement.eligible_bodies.items():
        table.add_row(f"only these of {agency_class}", escape(", ".join(bodies)))
    table.add_row("backups held", f"{agreement.backups_held.days} days after the end of a service")
    levels = agreement.service_levels
    table.add_row("service hours", _opening(levels.hours))
    table.add_row("maintenance notice", f"{levels.maintenance_notice.days} days")
    table.add_row("onboarding", f"within {levels.onboarding_days} working days")
    if price := levels.credits:
        table.add_row("service credits", f"{price.per_point} % of a month's charges a point, at most {price.cap} %")
    return table


def _opening(hours: ServiceHours) -> str:
    """As mon, tue 08:00 to 18:00, Europe/London."""
    if isinstance(hours.opening, str):
        return hours.opening
    opening = (f"{', '.join(o.days)} {o.opens:%H:%M} to {o.closes:%H:%M}" for o in hours.opening)
    return f"{'; '.join(opening)}, {hours.time_zone}"


def _prices(agreement: FrameworkAgreement, catalog: Catalog) -> Table:
    """Every price under the agreement: its own, or the catalog's."""
    table = new_table("price of", "tier", "a year")
    if seat := agreement.seat_price:
        bands = [(band.seats, band.per_year) for band in seat.bands]
        table.add_row(escape(f"{seat.title}, the lot core"), "", f"{_banded(bands)} per seat")
    for component in catalog.in_order(agreement.offered):
        sold = catalog.components[component]
        for tier in sold.tiers:
            line = agreement.price_line(component, tier) or listed(sold, tier)
            table.add_row(component, tier, _price(line))
    return table


def _price(line: PriceLine) -> str:
    return f"{_banded([(band.quantity, band.per_year) for band in line.bands])} per {line.per}"


def _banded(bands: Iterable[tuple[int, Decimal]]) -> str:
    """As £60.00, from 1,000 £54.00."""
    (_, first), *rest = bands
    return ", ".join([in_pounds(first), *(f"from {least:,} {in_pounds(price)}" for least, price in rest)])


def _levels(terms: ServiceTerms) -> Table:
    table = new_table("service level", "target", right=("target",))
    for promise in terms.measures:
        for indicator in promise.of:
            table.add_row(indicator.value, f"{promise.target:f} %")
    for priority, targets in terms.incidents.items():
        table.add_row(f"response to {priority}", _hours(targets.response))
        table.add_row(f"fix of {priority}", _hours(targets.fix))
    return table


def _term(agreement: FrameworkAgreement) -> str:
    return f"{agreement.term.start} to {agreement.term.end}, {agreement.term.months} months"


def _eligible(agreement: FrameworkAgreement) -> list[str]:
    """As nhs-trust, police-force (2 named)."""
    named = {agency_class: f" ({len(bodies)} named)" for agency_class, bodies in agreement.eligible_bodies.items()}
    return [agency_class + named.get(agency_class, "") for agency_class in agreement.eligible_classes]


def _hours(length: timedelta) -> str:
    return f"{length.total_seconds() / 3600:g} h"
