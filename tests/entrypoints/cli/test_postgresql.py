"""The command line, with real Ansible, on PostgreSQL."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import PostgresDatabases
from tests.entrypoints.cli.conftest import CommandLine, eventually, processes_mentioning
from tests.entrypoints.http.test_serve import answers, free_port, get
from tests.postgres import Postgres

pytestmark = pytest.mark.slow


@pytest.fixture
def orchestrator(tmp_path: Path, postgres_databases: PostgresDatabases) -> Iterator[CommandLine]:
    command = CommandLine(tmp_path, database=postgres_databases.empty(tmp_path))
    command("init")
    yield command
    command.end()


class TestPostgresql:
    def test_carries_an_agency_from_onboarding_through_kill_minus_nine_to_offboarding(
        self, orchestrator: CommandLine
    ) -> None:
        order = orchestrator.order(services={"alpha": {"sleep": 15.75}})
        apply = orchestrator.start("apply", order, "--yes")
        eventually(lambda: processes_mentioning("sleep 15.75"))
        apply.kill()
        apply.wait()
        eventually(lambda: not processes_mentioning("sleep 15.75"))
        orchestrator("apply", order, "--yes")
        run = orchestrator.json("run", "show", 1)
        assert run["state"] == "succeeded"
        assert {s["id"]: s["attempt"] for s in run["steps"]} == {
            "alpha.precheck": 1,
            "alpha.provision": 2,
            "alpha.verify": 1,
        }
        assert not list(orchestrator.home.glob("*.db*")), "nothing is kept in a file"
        assert (
            orchestrator.json("agency", "offboard", "test-agency", "--yes-destroy", "test-agency")["state"]
            == "succeeded"
        )

    def test_that_is_down_is_reported_until_it_is_back(self, orchestrator: CommandLine, postgres: Postgres) -> None:
        port = free_port()
        orchestrator.start("serve", "--port", port, "--no-worker")
        eventually(lambda: answers(port) and get(port, "/readyz")[0] == 200)
        postgres.stop()
        try:
            status, _, body = eventually(lambda: (r := get(port, "/readyz"))[0] == 503 and r)
            assert json.loads(body)["type"] == "urn:orchestrator:unavailable"
            said = orchestrator("run", "list", expect=75).stderr
            assert "the database did not answer" in said
        finally:
            postgres.start()
        assert status == 503
        eventually(lambda: get(port, "/readyz")[0] == 200)
