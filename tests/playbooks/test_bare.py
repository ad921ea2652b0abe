"""Roles on hosts that have no layer: everything is downloaded, installed and set up from nothing. `make test-bare`.

On hosts of every release that the roles support.
"""

from collections.abc import Iterator

import pytest

from orchestrator.adapters.practice.inventory import SUITES
from tests.playbooks.conftest import Steps, steps_on
from tests.playbooks.grounds import PracticeHome, practice_site

pytestmark = pytest.mark.bare

COMPONENTS = [
    "network", "desktop", "identity", "laptop", "service-desk", "thin-client", "disaster-recovery", "data-centre",
    "flexible-working", "wide-area-network", "security",
]  # fmt: skip


@pytest.fixture(params=SUITES)
def bare(
    request: pytest.FixtureRequest, practice: PracticeHome, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Steps]:
    """A site in place of the usual one, whose hosts have what Debian's base has."""
    practice.clear()
    with practice_site(tmp_path_factory.mktemp("bare"), suite=request.param, layers=False) as home:
        yield steps_on(home)


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_role_sets_up_a_bare_host_completely(bare: Steps, component: str) -> None:
    found = bare.source.catalog().components[component]
    for needed in found.needs:
        bare.succeed(needed, "provision")
    bare.succeed(component, "precheck")
    assert bare.changed(component, "provision", check=True) != []
    bare.succeed(component, "provision")
    assert bare.changed(component, "provision") == []
    assert bare.changed(component, "verify") == []
    assert bare.practice.driver.unsteady() == ()
    bare.succeed(component, "retire")
    assert bare.changed(component, "retire") == []
