"""The framework agreements in catalog/, and what is refused in their files, by line."""

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from orchestrator.adapters.catalog_files.source import CatalogFiles
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.selling.agreement import FrameworkAgreement
from tests.conftest import ROOT


def source_of(catalog: Path) -> CatalogFiles:
    return CatalogFiles(catalog_dir=catalog, inventories_dir=ROOT / "inventories", playbooks_dir=ROOT / "playbooks")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "catalog", tmp_path / "catalog")
    return tmp_path / "catalog"


@pytest.fixture(scope="module")
def pan_london() -> FrameworkAgreement:
    return source_of(ROOT / "catalog").agreements()["pan-london"]


class TestPanLondon:
    def test_may_commit_200_million_pounds(self, pan_london: FrameworkAgreement) -> None:
        assert pan_london.ceiling == Decimal(200_000_000)

    def test_is_priced_by_lines_only(self, pan_london: FrameworkAgreement) -> None:
        assert pan_london.seat_price is None
        assert pan_london.price_line("network", "standard") is not None

    def test_names_32_boroughs_and_the_city(self, pan_london: FrameworkAgreement) -> None:
        bodies = pan_london.eligible_bodies["local-authority"]
        boroughs = [name for name in bodies if "Borough of" in name or name == "City of Westminster"]
        assert (len(boroughs), len(set(bodies))) == (32, 33)
        assert set(bodies) - set(boroughs) == {"City of London Corporation"}

    @pytest.mark.parametrize(
        ("agency_class", "name", "eligible"),
        [
            ("local-authority", "Royal Borough of Greenwich", True),
            ("local-authority", "City of London Corporation", True),
            ("local-authority", "Watford Borough Council", False),
            ("police-force", "Metropolitan Police Service", True),
            ("police-force", "City of London Police", True),
            ("police-force", "Essex Police", False),
            ("transport-authority", "Transport for London", True),
            ("transport-authority", "Transport for Greater Manchester", False),
            ("nhs-trust", "Any Trust", True),
            ("school", "Any School", True),
            ("social-landlord", "Any Landlord", True),
            ("waste-authority", "Any Waste Authority", True),
            ("other-public-body", "Any Body", True),
        ],
    )
    def test_is_open_to(self, pan_london: FrameworkAgreement, agency_class: str, name: str, eligible: bool) -> None:
        assert pan_london.refuse_class(agency_class) is None
        assert (pan_london.refuse_body(agency_class, name) is None) == eligible

    def test_is_closed_to_ministries(self, pan_london: FrameworkAgreement) -> None:
        assert "eligible: local-authority, nhs-trust, school" in (pan_london.refuse_class("central-government") or "")


@pytest.mark.parametrize("framework", ["flex", "pan-london"])
def test_every_term_of_ours_has_its_source(framework: str) -> None:
    """Names and identifiers need none."""
    agreement = source_of(ROOT / "catalog").agreements()[framework]
    assert set(agreement.sources) == set(agreement.document) - {"framework", "title"} | {"backups_held"}


def refused(catalog: Path) -> list[str]:
    with pytest.raises(OrchestratorError) as caught:
        source_of(catalog).lint()
    assert caught.value.kind is Kind.INVALID
    return [detail.removeprefix(f"{catalog}/frameworks/") for detail in caught.value.details]


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("tier: enhanced", "tier: golden", "price_lines.1.tier: network has no tier 'golden'; tiers: standard"),
        ("{quantity: 1000, per_year: 54.00}", "{quantity: 1, per_year: 54.00}", "price_lines.0.bands.1: bands rise"),
        ("per: unit", "per: person", "price_lines.4.per: Input should be 'agency', 'unit' or 'seat'"),
        ("per_year: 54.00}", "per_year: 54.005}", "price_lines.0.bands.1.per_year: Decimal input should have no more"),
        ("ceiling: 200000000.00", "ceiling: -1", "ceiling: Input should be greater than 0"),
        ("    - City of Westminster", "    - London Borough of Brent", "eligible_bodies.local-authority.31: 'London"),
        ("  transport-authority: [", "  transport: [", "eligible_bodies.transport: 'transport' is not one of"),
        ("framework: pan-london", "framework: panlondon", "framework: must be 'pan-london', like the file name"),
        ("supplier: Example", "suplier: Example", "suplier: Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_what_a_file_cannot_mean_is_refused_with_its_line(copy: Path, before: str, after: str, says: str) -> None:
    file = copy / "frameworks/pan-london.yml"
    text = file.read_text()
    line = text[: text.index(before)].count("\n") + 1
    file.write_text(text.replace(before, after, 1))
    assert any(problem.startswith(f"pan-london.yml:{line}: {says}") for problem in refused(copy)), refused(copy)


def test_a_new_tier_needs_a_price_where_there_is_no_seat_price(copy: Path) -> None:
    file = copy / "components/network.yml"
    text = file.read_text()
    enhanced = text[text.index("  enhanced:") : text.index("probes:")]
    file.write_text(text.replace(enhanced, enhanced + enhanced.replace("enhanced:", "golden:")))
    [problem] = refused(copy)
    assert problem.endswith("'network' has no price for golden; add price_lines, or a seat_price")
