"""The filter with which roles refuse hosts of an unsupported release."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

ROLE = "galaxy_info: {platforms: [{name: Debian, versions: [bookworm, trixie]}]}\n"
TRIXIE = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_CODENAME=trixie\nID=debian\n'
NOBLE = 'ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\nPRETTY_NAME="Ubuntu 24.04.3 LTS"\n'


@pytest.fixture
def obstacles(tmp_path: Path) -> Callable[[str], list[str]]:
    """The filter's result for a host's os-release and a role for two releases."""
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "main.yml").write_text(ROLE)
    spec = importlib.util.spec_from_file_location("releases", ROOT / "playbooks/filter_plugins/releases.py")
    assert spec
    assert spec.loader
    plugin = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plugin)
    return lambda os_release: plugin.FilterModule().filters()["release_obstacles"](os_release, str(tmp_path))


def test_a_release_that_the_role_supports_is_no_obstacle(obstacles: Callable[[str], list[str]]) -> None:
    assert obstacles(TRIXIE) == []
    assert obstacles(TRIXIE.replace("trixie", "bookworm")) == []


def test_another_release_is_refused_by_name(obstacles: Callable[[str], list[str]]) -> None:
    refused = "the host runs Ubuntu 24.04.3 LTS, and this component is for Debian bookworm, trixie"
    assert obstacles(NOBLE) == [refused]
    assert obstacles(TRIXIE.replace("trixie", "sid")) != []
    assert obstacles(TRIXIE.replace("debian", "other")) != []
    assert obstacles("nothing of the kind") != []


def test_other_lines_read_with_the_release_are_ignored(obstacles: Callable[[str], list[str]]) -> None:
    assert obstacles(TRIXIE + "UNCONN 0 0 127.0.0.1:53\nVERSION=1\ntunnels\n") == []
