"""The module that looks for an agency's remains: what it attributes to the agency, and what to others."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def traces() -> ModuleType:
    spec = importlib.util.spec_from_file_location("agency_traces", ROOT / "playbooks/library/agency_traces.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "bears"),
    [
        ("agency-fra", True),
        ("fra-user1", True),
        ("thin-client-sessions@fra.service", True),
        ("search fra.practice.internal", True),
        ("60-agency3.netdev", True),
        ("vpn3", True),
        ("agency-defra", False),
        ("fra-north-user1", False),
        ("infra", False),
        ("agency31.slice", False),
        ("vpn30", False),
        ("myvpn3", False),
    ],
)
def test_an_agencys_name_or_number_matches_as_a_whole_word_and_never_another_agencys(
    traces: ModuleType, text: str, bears: bool
) -> None:
    assert traces.Names("fra", 3, ["defra", "fra-north"], ["agency", "vpn"]).on(text) is bears


def test_files_are_found_by_name_and_folders_with_everything_in_them(
    traces: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (
        "etc/agency/fra/a.conf",
        "etc/systemd/vpn3.conf",
        "etc/hosts.d/vpn3",
        "home/fra-ann/x/y",
        "home/bob/z",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    monkeypatch.setattr(traces, "ROOTS", (str(tmp_path),))
    monkeypatch.setattr(traces, "NUMBERED_IN", (f"{tmp_path}/etc/systemd",))
    names = traces.Names("fra", 3, [], ["vpn"])
    found = [trace.replace(f"file {tmp_path}/", "") for trace in traces.files(names)]
    assert {"etc/agency/fra", "etc/agency/fra/a.conf", "etc/systemd/vpn3.conf", "home/fra-ann/x/y"} <= set(found)
    assert not [one for one in found if "bob" in one or "hosts.d" in one], "vpn3 there is the name of a host"
    top = traces.topmost([f"file {tmp_path}/{one}" for one in found])
    assert sorted(one.replace(f"file {tmp_path}/", "") for one in top) == [
        "etc/agency/fra",
        "etc/systemd/vpn3.conf",
        "home/fra-ann",
    ]


def test_what_roles_leave_on_hosts_is_listed_as_text() -> None:
    """A pattern with a colon and a blank is a mapping to YAML unless it is quoted."""
    for file in sorted((ROOT / "playbooks/roles").glob("*/meta/traces.yml")):
        assert [one for one in yaml.safe_load(file.read_text()) if not isinstance(one, str)] == [], file
