"""Call-offs under agreements with and without a seat price, and bodies that may not buy."""

import re
from pathlib import Path

import pytest
import yaml

from orchestrator.domain.selling.agreement import FrameworkAgreement
from orchestrator.domain.selling.prices import PriceLine
from tests.conftest import ROOT
from tests.entrypoints.cli.conftest import InProcess

CAMDEN = (ROOT / "examples/camden.yml").read_text()
DOCUMENT = (ROOT / "docs/frameworks.md").read_text()


@pytest.fixture
def catalog(ours: InProcess) -> Path:
    """The catalog that the command line reads."""
    return ours.folder / "catalog"


def written(ours: InProcess, text: str) -> Path:
    file = ours.folder / "my-agency.yml"
    file.write_text(text)
    return file


class TestWithoutASeatPrice:
    def test_a_plan_shows_price_lines_only(self, ours: InProcess) -> None:
        plan = ours.json("plan", written(ours, CAMDEN))
        assert [(one["item"], one["quantity"], one["unit_per_year"]) for one in plan["cost"]["lines"]] == [
            ("Disaster recovery, standard", 1, "9600.0"),
            ("Managed network, enhanced, per seat", 1800, "86.4"),
            ("Service desk, standard, per seat", 1800, "99.0"),
            ("Thin clients, standard", 60, "470.0"),
            ("Wide area network, standard", 2, "1440.0"),
        ]
        assert (plan["cost"]["per_year"], plan["cost"]["term_total"]) == ("374400.00", "1123200.00")

    def test_desktops_are_priced_by_unit(self, ours: InProcess) -> None:
        said = ours("plan", written(ours, f"{CAMDEN}  desktop: {{tier: secure, quantity: 2}}\n")).stdout
        assert re.search(r"Managed desktop, secure +2 +£760.00 +£1,520.00", said)

    def test_the_ceiling_is_kept_to_the_penny(self, ours: InProcess, catalog: Path) -> None:
        file, order = catalog / "frameworks/pan-london.yml", written(ours, CAMDEN)
        terms = file.read_text()
        file.write_text(terms.replace("ceiling: 200000000.00", "ceiling: 1123200.00"))
        assert ours.json("plan", order)["cost"]["term_total"] == "1123200.00"
        file.write_text(terms.replace("ceiling: 200000000.00", "ceiling: 1123199.99"))
        said = ours("plan", order, expect=3).stderr
        assert (
            "Pan-London framework agreement would exceed its ceiling of £1,123,199.99: £1,123,200.00 with this" in said
        )
        assert "What to do: order less or a shorter term, or use another framework agreement" in said


class TestABodyThatMayNotBuy:
    @pytest.mark.parametrize(
        ("before", "after", "says"),
        [
            (
                "name: London Borough of Camden",
                "name: Watford Borough Council",
                "agency.name: 'Watford Borough Council' is not a body of class 'local-authority' that may buy under "
                "Pan-London framework agreement; eligible: London Borough of Barking and Dagenham, ",
            ),
            (
                "name: London Borough of Camden",
                "name: London Borough of Camdem",
                "did you mean 'London Borough of Camden'?",
            ),
            (
                "class: local-authority",
                "class: central-government",
                "agency.class: class 'central-government' may not buy under Pan-London framework agreement; "
                "eligible: local-authority, nhs-trust",
            ),
        ],
    )
    def test_is_refused_with_its_line(self, ours: InProcess, before: str, after: str, says: str) -> None:
        file = written(ours, CAMDEN.replace(before, after))
        line = CAMDEN[: CAMDEN.index(before)].count("\n") + 1
        said = ours("plan", file, expect=3).stderr
        assert f"my-agency.yml:{line}: agency." in said
        assert says in said
        assert ours.json("agency", "list") == {"agencies": []}

    def test_is_not_judged_by_a_name_that_is_wrong_in_itself(self, ours: InProcess) -> None:
        said = ours("plan", written(ours, CAMDEN.replace("name: London Borough of Camden", "name: 7")), expect=2).stderr
        assert "1 problem" in said
        without = ours("plan", written(ours, CAMDEN.replace("  name: London Borough of Camden\n", "")), expect=2).stderr
        assert "agency.name: is required" in without

    def test_without_an_agency_only_that_is_said(self, ours: InProcess) -> None:
        text = CAMDEN[: CAMDEN.index("agency:")] + CAMDEN[CAMDEN.index("site:") :]
        assert "refused: 1 problem" in ours("plan", written(ours, text), expect=2).stderr

    def test_may_buy_under_an_agreement_that_names_nobody(self, ours: InProcess) -> None:
        text = CAMDEN.replace("name: London Borough of Camden", "name: Watford Borough Council")
        assert ours.json("plan", written(ours, text.replace("pan-london", "flex")))["agency"] == "camden"


class TestTheDocument:
    def test_has_a_row_for_every_field(self) -> None:
        for heading, model in (("## The fields", FrameworkAgreement), ("## Prices", PriceLine)):
            table = DOCUMENT.partition(heading)[2].partition("\n## ")[0]
            cells = "".join(re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE))
            assert re.findall(r"`(\w+)`", cells) == list(dict.fromkeys(re.findall(r"`(\w+)`", cells)))
            assert set(re.findall(r"`(\w+)`", cells)) == set(model.model_fields)

    def test_has_an_example_that_can_be_used(self, ours: InProcess, catalog: Path) -> None:
        [example] = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
        name = yaml.safe_load(example)["framework"]
        assert f"`catalog/frameworks/{name}.yml`" in DOCUMENT
        (catalog / "frameworks" / f"{name}.yml").write_text(example)
        assert "3 frameworks, no problems" in ours("catalog", "lint").stdout
        assert "South Island Council" in ours("catalog", "show", name).stdout
        order = CAMDEN.replace("pan-london", name).replace("London Borough of Camden", "North Island Council")
        order = re.sub(r"  wide-area-network:\n(   .*\n)+", "", order)
        file = written(ours, order.replace("  disaster-recovery: {tier: standard}\n", ""))
        assert [(one["item"], one["unit_per_year"]) for one in ours.json("plan", file)["cost"]["lines"]] == [
            ("Core, per seat", "210.0"),
            ("Managed network, enhanced", "2900.00"),
            ("Service desk, standard", "4800.00"),
            ("Thin clients, standard", "290.0"),
        ]

    def test_says_how_a_body_is_refused(self, ours: InProcess) -> None:
        said = ours("plan", written(ours, CAMDEN.replace("London Borough of Camden", "Camden")), expect=3).stderr
        [line] = re.findall(r"my-agency.yml:\d+: .*", DOCUMENT)
        assert line.removesuffix("...") in said
