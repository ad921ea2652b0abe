"""The JSON Schema of a call-off file, for completion and checks in editors, and for `plan`."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.domain.calendars.week import WEEKDAYS
from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.bundles import Bundle, Bundles
from orchestrator.domain.selling.catalog import Catalog, Component
from orchestrator.domain.text_types import AGENCY_ID, DEFINITIONS, EMAIL_ADDRESS, LINE


def call_off_schema(
    catalog: Catalog, bundles: Bundles, agreements: Mapping[str, FrameworkAgreement], sites: Iterable[str]
) -> dict[str, Any]:
    """The schema of any call-off, draft 2020-12. `x-expected` describes a valid value in words. It does not check the
    agreement's rules."""
    classes = sorted({c for a in agreements.values() for c in a.eligible_classes})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Call-off: one agency's contract under a framework agreement",
        **_object(
            {
                "framework": {"enum": sorted(agreements), "description": "The framework agreement"},
                "agency": _agency(classes),
                "site": {"enum": sorted(sites), "description": "Where it is built"},
                "term": _object({"start": _DATE, "months": _whole(1, 240)}),
                "services": _services(catalog, bundles),
                "recovery": _recovery(),
            },
            optional=("recovery",),
        ),
        "$defs": dict(DEFINITIONS),
    }


def schema_for_editors(
    catalog: Catalog, bundles: Bundles, agreements: Mapping[str, FrameworkAgreement], sites: Iterable[str]
) -> dict[str, Any]:
    """The same, with what each agreement offers, and to whom. Planning checks that by the agreement itself, whose
    refusals say more."""
    offers = [_offer(agreement, bundles) for _, agreement in sorted(agreements.items())]
    return call_off_schema(catalog, bundles, agreements, sites) | {"allOf": offers}


def _offer(agreement: FrameworkAgreement, bundles: Bundles) -> dict[str, Any]:
    """What a call-off may say under one agreement."""
    agency: dict[str, Any] = {"properties": {"class": {"enum": list(agreement.eligible_classes)}}}
    if agreement.eligible_bodies:
        agency["allOf"] = [
            _only({"class": {"const": agency_class}}, {"name": {"enum": list(bodies)}})
            for agency_class, bodies in sorted(agreement.eligible_bodies.items())
        ]
    services = {"propertyNames": {"enum": sorted({*agreement.offered, *bundles})}}
    return _only({"framework": {"const": agreement.framework}}, {"agency": agency, "services": services})


def _only(given: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    """Objects with certain properties must have certain others."""
    return {"if": {"properties": dict(given), "required": list(given)}, "then": {"properties": dict(then)}}


def _object(properties: Mapping[str, Any], *, optional: Iterable[str] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [p for p in properties if p not in set(optional)],
        "properties": dict(properties),
        "x-expected": f"must be a mapping with {', '.join(properties)}",
    }


def _whole(low: int, high: int) -> dict[str, Any]:
    expected = f"must be a whole number from {low:,} to {high:,}"
    return {"type": "integer", "minimum": low, "maximum": high, "x-expected": expected}


_DATE = {
    "type": "string",
    "format": "date",
    "pattern": r"^\d{4}-\d\d-\d\d$",
    "x-expected": "must be a date such as 2026-12-01",
}


def _agency(classes: list[str]) -> dict[str, Any]:
    contact = _object({"role": LINE.up_to(60).schema, "name": LINE.schema, "email": EMAIL_ADDRESS.schema})
    return _object(
        {
            "id": AGENCY_ID.schema,
            "name": LINE.schema,
            "class": {"type": "string", "examples": classes, "x-expected": "must be one of the agreement's classes"},
            "seats": _whole(1, 1_000_000),
            "contacts": {"type": "array", "minItems": 1, "items": contact, "x-expected": "must be a list of contacts"},
        }
    )


def _services(catalog: Catalog, bundles: Bundles) -> dict[str, Any]:
    components = {c: _service(component) for c, component in sorted(catalog.components.items())}
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {**{b: _bundle(bundle) for b, bundle in sorted(bundles.items())}, **components},
        "x-expected": "must be a mapping of components to what is ordered, such as network: {tier: standard}",
    }


def _bundle(bundle: Bundle) -> dict[str, Any]:
    tier = {"enum": sorted(bundle.tiers), "description": bundle.title}
    return {"description": bundle.description, **_object({"tier": tier})}


def _service(component: Component) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "tier": {"enum": sorted(component.tiers), "description": component.title},
        "parameters": component.parameters,
    }
    if component.sold_by_unit:
        properties["quantity"] = _whole(1, 10_000)
    return {"description": component.description, **_object(properties, optional=("parameters", "quantity"))}


def _recovery() -> dict[str, Any]:
    """An agency's overrides of its tiers' policy."""
    window = _object({"days": _days(), "start": _CLOCK, "end": _CLOCK}, optional=("days",))
    blackout = _object({"start": _EDGE, "end": _EDGE, "why": LINE.schema}, optional=("why",))
    properties = {
        "time_zone": _TIME_ZONE.schema,
        "windows": _list(window, 1, "must be a list of hours in which drills may run, with at least one"),
        "blackouts": _list(blackout, 0, "must be a list of days or times without drills"),
        "worst_moment_share": {"type": "number", "minimum": 0, "maximum": 1, "x-expected": _SHARE},
    }
    return {"description": "When recovery is rehearsed", **_object(properties, optional=properties)}


def _days() -> dict[str, Any]:
    names = [day.value for day in WEEKDAYS]
    return _list({"enum": names}, 1, f"must be a list of some of {', '.join(names)}")


def _list(items: Mapping[str, Any], least: int, expected: str) -> dict[str, Any]:
    return {"type": "array", "minItems": least, "items": items, "x-expected": expected}


_TIME_ZONE = replace(LINE, longest=60, expected="a time zone of the IANA list, such as Europe/London")
_SHARE = "must be a share of all drills from 0 to 1, such as 0.25"
_CLOCK = {
    "type": ["string", "integer"],
    "pattern": r"^([01]\d|2[0-3]):[0-5]\d$",
    "minimum": 0,
    "maximum": 24 * 60 - 1,
    "examples": ["22:30"],
    "x-expected": 'must be hours and minutes, such as "22:30"',
}
"""A number if the quotes are missing: YAML reads 22:30 as a number of minutes."""
_EDGE = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?$",
    "examples": ["2026-12-24", "2026-12-24T18:00"],
    "x-expected": "must be a day such as 2026-12-24 or a time such as 2026-12-24T18:00",
}
