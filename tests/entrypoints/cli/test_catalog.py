"""What is sold, as the command line shows it."""

import json

from tests.conftest import ROOT
from tests.entrypoints.cli.conftest import CommandLine, InProcess

FILES = len(list((ROOT / "catalog/components").glob("*.yml")))
TURNS = "for one agency at a time"


def test_show_says_whether_agencies_take_turns(orchestrator: CommandLine) -> None:
    assert TURNS in orchestrator("catalog", "show", "alpha").stdout
    assert orchestrator.json("catalog", "show", "alpha")["exclusive"] is True
    assert TURNS not in orchestrator("catalog", "show", "epsilon").stdout
    assert "exclusive" not in orchestrator.json("catalog", "show", "epsilon")


class TestTheCatalogOfOurs:
    """The components and agreements that the project comes with."""

    def test_is_listed_with_its_agreements(self, ours: InProcess) -> None:
        said = ours("catalog", "list").stdout
        assert "flex (core), pan-london (core)" in said
        for shown in ("Example Communications plc", "£200,000,000.00", "2026-04-01 to 2034-04-01, 96 months"):
            assert shown in said
        assert "local-authority (33 named), nhs-trust" in " ".join(said.split())
        listed = ours.json("catalog", "list")
        assert len(listed["components"]) == FILES
        assert [(f["framework"], f["ceiling"]) for f in listed["frameworks"]] == [
            ("flex", "1000000000.0"),
            ("pan-london", "200000000.0"),
        ]

    def test_has_an_agreement_without_a_seat_price(self, ours: InProcess) -> None:
        said = " ".join(ours("catalog", "show", "pan-london").stdout.split())
        for shown in (
            "supplier Example Communications plc",
            "ceiling £200,000,000.00",
            "only these of police-force Metropolitan Police Service, City of London Police",
            "Lot core, Networks and cloud: LAN and WAN: network, service-desk",
            "network standard £60.00, from 1,000 £54.00, from 5,000 £48.00 per seat",
            "disaster-recovery premium £24,000.00 per agency",
            "service hours mon, tue, wed, thu, fri 07:00 to 19:00, Europe/London",
            "availability 99.0 %",
            "fix of p1 4 h",
            "price_lines illustrative",
        ):
            assert shown in said
        assert "the lot core" not in said
        assert "seat_price" not in ours.json("catalog", "show", "pan-london")
        assert ours.json("catalog", "show", "pan-london")["sources"]["term"] == "illustrative"

    def test_has_an_agreement_with_a_seat_price(self, ours: InProcess) -> None:
        said = " ".join(ours("catalog", "show", "flex").stdout.split())
        assert "Core shared service, the lot core £3,200.00, from 5,000 £2,880.00, from 25,000 £2,560.00," in said
        assert "desktop standard £420.00 per unit" in said
        assert "ceiling illustrative" in said
        assert "only these of" not in said

    def test_shows_the_prices_that_agreements_have_for_a_component(self, ours: InProcess) -> None:
        said = " ".join(ours("catalog", "show", "thin-client").stdout.split())
        assert "pan-london standard £470.00, from 500 £423.00, from 5,000 £376.00 per unit" in said
        assert "£310.00 per unit" in said

    def test_says_what_can_be_shown(self, ours: InProcess) -> None:
        said = ours("catalog", "show", "pan-londom", expect=4).stderr
        assert "there is no component, bundle or framework 'pan-londom'" in said
        assert "frameworks: flex, pan-london" in said

    def test_is_counted_by_lint(self, ours: InProcess) -> None:
        assert f"{FILES} components, 2 frameworks, no problems" in ours("catalog", "lint").stdout

    def test_has_a_schema_that_offers_boroughs(self, ours: InProcess) -> None:
        [flex, london] = json.loads(ours("catalog", "schema").stdout)["allOf"]
        assert flex["then"]["properties"]["agency"]["properties"]["class"]["enum"][0] == "central-government"
        named = london["then"]["properties"]["agency"]["allOf"]
        assert "London Borough of Camden" in named[0]["then"]["properties"]["name"]["enum"]
