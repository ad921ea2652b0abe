"""`plan` and `apply` of a folder of call-offs on the command line."""

import json
from pathlib import Path

import pytest

from tests.entrypoints.cli.conftest import CommandLine, InProcess


def folder_of(command: CommandLine, *agencies: str, wrong: str | None = None) -> Path:
    folder = command.folder / "orders"
    folder.mkdir()
    for agency in agencies:
        command.order(agency, services={"alpha": {}}).rename(folder / f"{agency}.yml")
    if wrong:
        document = json.loads(command.order(wrong, services={"alpha": {}}).read_text())
        document["services"]["alpha"]["tier"] = "golden"
        (folder / f"{wrong}.yml").write_text(json.dumps(document, indent=1))
    return folder


class TestPlan:
    def test_shows_one_summary(self, swift: InProcess) -> None:
        folder = folder_of(swift, "a-one", "a-two")
        said = swift("plan", folder, "--detailed-exitcode", expect=6).stdout
        assert "2 call-offs, 2 with changes: 2 to create; 6 steps on 1 host;" in said
        assert "0 refused" in said

    def test_lists_what_is_refused_with_file_and_line(self, swift: InProcess) -> None:
        folder = folder_of(swift, "a-one", wrong="b-wrong")
        done = swift("plan", folder, "--json", expect=2)
        document = json.loads(done.stdout)
        assert document["summary"]["changes"] == {"create": 1, "update": 0, "replace": 0, "remove": 0}
        assert [plan["agency"] for plan in document["plans"]] == ["a-one"]
        [refused] = document["refused"]
        assert (refused["kind"], Path(refused["file"]).name) == ("invalid", "b-wrong.yml")
        assert "b-wrong.yml:23: services.alpha.tier" in refused["problems"][0]
        assert "b-wrong.yml:23: services.alpha.tier" in done.stderr


class TestApply:
    def test_applies_nothing_when_a_file_is_refused(self, swift: InProcess) -> None:
        folder = folder_of(swift, "a-one", wrong="b-wrong")
        done = swift("apply", folder, "--yes", "--no-follow", expect=2)
        assert "nothing was applied" in done.stderr
        assert swift.json("run", "list")["runs"] == []

    def test_applies_the_other_files_when_it_is_to_keep_going(self, swift: InProcess) -> None:
        folder = folder_of(swift, "a-one", "a-two", wrong="b-wrong")
        done = swift("apply", folder, "--yes", "--no-follow", "--keep-going", "--json", expect=2)
        assert [(run["agency"], run["state"]) for run in json.loads(done.stdout)["runs"]] == [
            ("a-one", "queued"),
            ("a-two", "queued"),
        ]
        assert len(swift.json("run", "list")["runs"]) == 2

    def test_refuses_to_start_where_nobody_can_be_asked(self, swift: InProcess) -> None:
        folder = folder_of(swift, "a-one", "a-two")
        assert "nobody can be asked here" in swift("apply", folder, expect=2).stderr
        assert swift.json("run", "list")["runs"] == []

    @pytest.mark.slow
    def test_follows_all_runs_to_their_end(self, orchestrator: CommandLine) -> None:
        folder = folder_of(orchestrator, "a-one", "a-two", "a-three")
        assert [run["state"] for run in orchestrator.json("apply", folder, "--yes")["runs"]] == ["succeeded"] * 3
        assert orchestrator.json("apply", folder, "--yes")["runs"] == []
        assert orchestrator.journal().count("provisioned a-one here") == 1
