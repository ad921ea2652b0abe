"""The README tells the truth about commands, exit codes and examples."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml
from typer.main import get_command

from orchestrator.domain.selling.drill_policy import RecoveryTerms
from orchestrator.entrypoints.cli.app import app, run
from orchestrator.entrypoints.failures import CHANGES_PENDING, INTERRUPTED, MEANING, OUR_BUG, WAITS_FOR_PEOPLE


def commands() -> Iterator[tuple[str, str]]:
    """Every command, with its help."""

    def walk(command: object, words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        children = getattr(command, "commands", None)
        if children is None:
            yield " ".join(words), str(getattr(command, "help", ""))
            return
        for name, child in children.items():
            yield from walk(child, (*words, name))

    assert isinstance(app, typer.Typer)
    return walk(get_command(app), ())


def test_every_command_is_in_the_readme(root: Path) -> None:
    readme = (root / "README.md").read_text()
    table = readme[readme.index("| command | does |") : readme.index("### Exit codes")]
    documented = {" ".join(w for w in words.split() if w.islower()) for words in re.findall(r"`([a-z][^`]*)`", table)}
    assert {name for name, _ in commands()} <= documented


@pytest.mark.parametrize(("name", "text"), list(commands()), ids=lambda value: str(value)[:20])
def test_the_help_of_every_command_shows_an_example_of_it(name: str, text: str) -> None:
    assert f"Example: orchestrator {name}" in text


def test_every_exit_code_is_in_the_readme(root: Path) -> None:
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", (root / "README.md").read_text(), re.MULTILINE)}
    assert documented == {
        0,
        CHANGES_PENDING,
        WAITS_FOR_PEOPLE,
        INTERRUPTED,
        OUR_BUG,
        *(m.exit_code for m in MEANING.values()),
    }


class TestTheExamples:
    @pytest.fixture(autouse=True)
    def state(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(root)
        monkeypatch.setenv("ORCHESTRATOR_HOME", str(tmp_path / "home"))
        assert run(["init"]) == 0
        capsys.readouterr()

    @pytest.mark.parametrize("agency", ["cabinet-office", "camden", "home-office", "land-registry-north"])
    def test_can_be_planned(self, agency: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["plan", f"examples/{agency}.yml", "--detailed-exitcode"]) == CHANGES_PENDING
        assert agency in capsys.readouterr().out

    def test_of_a_folder_shows_what_planning_it_prints(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["plan", "examples"]) == 0
        printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
        assert "\n".join(printed) in (root / "README.md").read_text()

    def test_of_a_refused_order_print_what_the_readme_shows(
        self, tmp_path: Path, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The lines in the README come from this file."""
        order = (root / "examples/land-registry-north.yml").read_text()
        order = order[: order.index("services:")].replace("class: agency", "class: school")
        (tmp_path / "my-agency.yml").write_text(order + "services:\n  dekstop: {}\n  thin-client: {tier: standard}\n")
        assert run(["plan", str(tmp_path / "my-agency.yml")]) == 2
        said = capsys.readouterr().err
        readme = (root / "README.md").read_text()
        for line in re.findall(r"my-agency.yml:\d+: (.*)", readme):
            assert line.removesuffix(", ...") in said
        assert len(re.findall(r"my-agency.yml:\d+: ", readme)) == 2


def test_the_catalog_is_consistent(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    assert run(["catalog", "lint"]) == 0
    assert "no problems" in capsys.readouterr().out


def test_a_call_off_may_have_the_terms_in_the_recovery_document(root: Path) -> None:
    text = (root / "docs/recovery.md").read_text()
    [block] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    terms = RecoveryTerms.model_validate(yaml.safe_load(block)["recovery"])
    assert terms.blackouts[0].why == "Christmas freeze"


def test_commands_in_the_recovery_document_exist(root: Path) -> None:
    text = (root / "docs/recovery.md").read_text()
    used = {" ".join(words) for words in re.findall(r"orchestrator (drill|backup) ([a-z]+)", text)}
    assert used
    assert used <= {name for name, _ in commands()}
