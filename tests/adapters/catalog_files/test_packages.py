"""Package lists: what hosts of a group may need, and the problems reported for invalid lists."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from orchestrator.adapters.catalog_files.packages import RESTORES, group_packages
from orchestrator.adapters.catalog_files.source import CatalogFiles
from tests.conftest import ROOT


@pytest.fixture
def source(tmp_path: Path) -> CatalogFiles:
    """The real catalog over a copy of the real roles' descriptions."""
    shutil.copytree(ROOT / "playbooks", tmp_path / "playbooks")
    return CatalogFiles(
        catalog_dir=ROOT / "catalog", inventories_dir=ROOT / "inventories", playbooks_dir=tmp_path / "playbooks"
    )


def _list(source: CatalogFiles, role: str) -> Path:
    return source.playbooks_dir / "roles" / role / "meta" / "packages.yml"


def test_a_group_lists_the_packages_of_all_components_on_its_hosts(source: CatalogFiles) -> None:
    groups = source.packages()
    assert groups["network_gateways"] >= {"wireguard-tools", "ipxe"}, (
        "of the network, and of the thin clients' boot service"
    )
    assert "openbox" not in groups["network_gateways"]
    assert groups["recovery_hosts"] >= groups["service_desks"], "what a lost desk is restored with stands by"


def test_roles_read_the_lists_as_the_orchestrator_does(source: CatalogFiles) -> None:
    spec = importlib.util.spec_from_file_location("packages", ROOT / "playbooks/filter_plugins/packages.py")
    assert spec
    assert spec.loader
    plugin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plugin)
    assert plugin.RESTORES == RESTORES
    catalog, roles = source.catalog(), source.playbooks_dir / "roles"
    for group, packages in group_packages(catalog, roles).items():
        of_roles: set[str] = set()
        for component in catalog.components.values():
            functions = [f for f, named in component.hosts.items() if named == group.removesuffix("_standby")]
            if functions:
                of_roles.update(
                    plugin.FilterModule().filters()["role_packages"](str(roles / component.role), functions)
                )
        assert of_roles == packages, group


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "role network has no meta/packages.yml"),
        (
            "desk: [nginx]\n",
            "network/meta/packages.yml has packages of 'desk', which is not a function of the component",
        ),
        ("gateway: [nftables, '--allow-downgrades']\n", "'--allow-downgrades' is not the name of a Debian package"),
        ('gateway: [nftables, "x\\n"]\n', "is not the name of a Debian package"),
        ("gateway: []\nrestores: [nobody]\n", "restores 'nobody', a role without meta/packages.yml"),
    ],
)
def test_an_invalid_list_is_reported(source: CatalogFiles, text: str | None, complaint: str) -> None:
    assert source.lint() == []
    _list(source, "network").unlink() if text is None else _list(source, "network").write_text(text)
    assert any(complaint in str(problem) for problem in source.lint())
