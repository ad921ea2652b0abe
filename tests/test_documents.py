"""What documents say about the catalog matches the catalog."""

import yaml

from tests.catalogue import DOCUMENT, document, source
from tests.conftest import ROOT

BEGIN, END = "<!-- reachability: what the catalogue declares; a test compares -->\n", "<!-- end -->"


def test_the_table_of_who_reaches_what_matches_the_catalog() -> None:
    rows = []
    for file in sorted((ROOT / "catalog" / "components").glob("*.yml")):
        component = yaml.safe_load(file.read_text())
        for reach in component.get("reachability", ()):
            where = reach["function"] + (", on the agency's network" if reach.get("at") == "network" else "")
            cells = (component["component"], where, ", ".join(reach["ports"]), ", ".join(reach["admits"]))
            rows.append(f"| {' | '.join(cells)} |")
    written = (ROOT / "docs" / "security.md").read_text().partition(BEGIN)[2].partition(END)[0]
    assert written.splitlines()[2:] == rows


def test_the_catalogue_is_what_the_catalog_says() -> None:
    assert DOCUMENT.read_text() == document(source()), "make docs"
