"""Call-offs that order a bundle, or leave out what they need."""

from pathlib import Path

from tests.conftest import ROOT
from tests.entrypoints.cli.conftest import InProcess

ORDER = (ROOT / "examples/cabinet-office.yml").read_text().partition("services:")[0] + "services:\n"
MEMBERS = [
    "data-centre", "desktop", "disaster-recovery", "flexible-working", "identity", "laptop", "network", "security",
    "service-desk", "thin-client",
]  # fmt: skip


def written(ours: InProcess, services: str) -> Path:
    file = ours.folder / "my-agency.yml"
    file.write_text(ORDER + services)
    return file


def test_a_bundle_orders_its_members_and_the_plan_says_so(ours: InProcess) -> None:
    plan = ours.json("plan", written(ours, "  core: {tier: standard}\n  desktop: {tier: standard, quantity: 2}\n"))
    assert sorted(change["component"] for change in plan["changes"]) == sorted(MEMBERS)
    because = {step["id"]: step["because"] for step in plan["steps"]}
    assert because["network.provision"] == "part of core, not yet delivered"
    assert because["desktop.provision"] == "ordered, not yet delivered"


def test_what_is_needed_is_planned_and_the_plan_says_by_what(ours: InProcess) -> None:
    plan = ours.json("plan", written(ours, "  business-change: {tier: standard, quantity: 10}\n"))
    because = {step["id"]: step["because"] for step in plan["steps"]}
    assert because["service-desk.provision"] == "needed by business-change, not yet delivered"
    assert because["network.provision"] == "needed by business-change, not yet delivered"


def test_what_accompanies_others_is_refused_without_hosts_to_be_on(ours: InProcess) -> None:
    services = "  network: {tier: standard}\n  security: {tier: standard}\n"
    line = (ORDER + services).count("\n")
    said = ours("plan", written(ours, services), expect=2).stderr
    problem = f"my-agency.yml:{line}: services.security: 'security' is on hosts of the agency's own; order "
    assert f"{problem}data-centre or desktop as well" in said
    plan = ours.json("plan", written(ours, f"{services}  desktop: {{tier: standard, quantity: 2}}\n"))
    hosts = {step["id"]: step["hosts"] for step in plan["steps"]}
    assert hosts["security.provision"] == ["pc1", "pc2"]


def test_what_the_bundle_ordered_is_the_same_when_it_is_named(ours: InProcess) -> None:
    first = ours.json("plan", written(ours, "  network: {tier: standard}\n  service-desk: {tier: standard}\n"))
    second = ours.json("plan", written(ours, "  service-desk: {tier: standard}\n"))
    assert [change["component"] for change in first["changes"]] == [change["component"] for change in second["changes"]]
    assert first["cost"] == second["cost"]


def test_a_bundle_of_another_tier_is_refused_with_its_line(ours: InProcess) -> None:
    said = ours("plan", written(ours, "  core: {tier: golden}\n"), expect=2).stderr
    assert "services.core.tier" in said
    assert "'golden' is not one of standard" in said


def test_a_bundle_with_what_the_agreement_does_not_offer_is_refused(ours: InProcess) -> None:
    terms = ours.folder / "catalog/frameworks/flex.yml"
    terms.write_text(terms.read_text().replace("[thin-client, laptop]", "[laptop]"))
    said = ours("plan", written(ours, "  core: {tier: standard}\n"), expect=3).stderr
    assert "services.core: flex does not offer 'thin-client'" in said


def test_bundles_are_shown(ours: InProcess) -> None:
    assert "core" in ours("catalog", "list").stdout
    shown = ours.json("catalog", "show", "core")
    assert sorted(shown["tiers"]["standard"]) == sorted(MEMBERS)
    assert "service-desk" in ours("catalog", "show", "core").stdout


def test_a_bundle_with_a_mistake_makes_the_catalog_unusable(ours: InProcess) -> None:
    file = ours.folder / "catalog/bundles/core.yml"
    file.write_text(file.read_text().replace("network: {tier: standard}", "network: {tier: golden}"))
    said = ours("catalog", "lint", expect=2).stderr
    assert "network has no tier 'golden'; tiers: standard, enhanced" in said
    assert "core.yml:" in said


def test_a_desktop_user_whom_the_directory_does_not_know_is_refused_with_their_line(ours: InProcess) -> None:
    services = "  core: {tier: standard}\n  desktop:\n    tier: standard\n    parameters:\n      users:\n"
    services += "        - user1\n        - usr2\n"
    line = (ORDER + services).count("\n")
    said = ours("plan", written(ours, services), expect=2).stderr
    assert (
        f"my-agency.yml:{line}: services.desktop.parameters.users.1: 'usr2' is not among the people of identity" in said
    )
    assert "add them there, or name some of: user1, user2" in said
