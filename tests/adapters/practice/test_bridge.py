"""The machine's links are read while hosts of other sites come and go."""

from ipaddress import IPv4Interface
from pathlib import Path

import pytest

from orchestrator.adapters.practice import bridge


def test_a_link_that_has_gone_since_links_were_listed_is_no_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "_links", lambda: [{"ifname": "gone"}])
    bridge.Bridge("orch-nobody", IPv4Interface("10.62.9.1/24"), tmp_path).down()
