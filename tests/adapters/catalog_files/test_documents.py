"""What a schema says that no other program knows."""

from pathlib import Path

from orchestrator.adapters.catalog_files.documents import read_yaml

PEOPLE = """people:
  - {name: ada, full_name: Ada Whitehall}
  - {name: bob, full_name: Ada Whitehall}
  - {full_name: Nobody}
  - ada
  - {name: ada, full_name: Ada Other}
"""


def test_two_items_of_one_name_are_refused_with_the_line_of_the_second(tmp_path: Path) -> None:
    (tmp_path / "people.yml").write_text(PEOPLE)
    document = read_yaml(tmp_path / "people.yml")
    schema = {"properties": {"people": {"type": "array", "x-differ-in": ["name", "full_name"]}}}
    assert [str(problem) for _, problem in document.check(schema)] == [
        f"{tmp_path}/people.yml:3: people.1.full_name: 'Ada Whitehall' is listed twice",
        f"{tmp_path}/people.yml:6: people.4.name: 'ada' is listed twice",
    ]
    assert document.check({"properties": {"people": {"x-differ-in": ["full_nam"]}}}) == []
