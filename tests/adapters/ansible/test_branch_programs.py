"""What measures an agency's ways to its branches, and how the keys of tunnels are derived, without hosts."""

import base64
import importlib.util
import sys
import threading
import urllib.error
import urllib.request
from http.server import ThreadingHTTPServer
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from tests.conftest import ROOT

ENDS = {"leeds": {"used": "10.80.17.1", "first": "10.80.16.2", "second": "10.80.16.130"}}
WELL: dict[str, list[float | None]] = {address: [0.002, 0.001, 0.009] for address in ENDS["leeds"].values()}


def _loaded(file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        file.rpartition("/")[2].removesuffix(".py"), ROOT / "playbooks" / file
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def measure() -> ModuleType:
    return _loaded("roles/wide_area_network/files/measure.py")


def test_a_page_shows_the_median_and_what_was_lost(measure: ModuleType) -> None:
    figures = measure.Figures(ENDS)
    assert not figures.shown()[0], "nothing was measured yet"
    figures.note({**WELL, "10.80.16.130": [None, 0.004, None, None]})
    figures.note_throughput("leeds", 125000.0)
    well, page = figures.shown()
    assert well
    for line in (
        'wan_branch_up{branch="leeds"} 1.0',
        'wan_path_latency_seconds{branch="leeds",path="used"} 0.002',
        'wan_path_loss_ratio{branch="leeds",path="first"} 0.0',
        'wan_path_loss_ratio{branch="leeds",path="second"} 0.75',
        'wan_branch_throughput_bytes_per_second{branch="leeds"} 125000.0',
    ):
        assert f"\n{line}\n" in page
    figures.note({**WELL, "10.80.16.130": [None] * 10})
    assert figures.silent, "it is asked again soon"
    assert figures.shown()[0], "but users have another path"
    assert 'wan_path_latency_seconds{branch="leeds",path="second"}' not in figures.shown()[1]
    assert "throughput_bytes_per_second{" in figures.shown()[1], "which is measured less often"


@pytest.mark.parametrize("found", [{**WELL, "10.80.17.1": [None] * 10}, {}])
def test_a_branch_that_does_not_answer_is_down_whatever_its_tunnels_do(
    measure: ModuleType, found: dict[str, list[float | None]]
) -> None:
    figures = measure.Figures(ENDS)
    figures.note(found)
    well, page = figures.shown()
    assert not well
    assert 'wan_branch_up{branch="leeds"} 0.0' in page


def test_who_scrapes_has_figures_also_of_what_is_down(measure: ModuleType) -> None:
    figures = measure.Figures(ENDS)
    figures.note({})
    with ThreadingHTTPServer(("127.0.0.1", 0), measure.page_of(figures)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        own = f"http://127.0.0.1:{server.server_address[1]}"
        with urllib.request.urlopen(f"{own}/metrics") as page:
            assert b'wan_branch_up{branch="leeds"} 0.0' in page.read()
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{own}/")
        server.shutdown()


def test_an_old_measurement_says_nothing(measure: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = measure.Figures(ENDS)
    figures.note(WELL)
    monkeypatch.setattr(measure, "STALE", 0.0)
    well, page = figures.shown()
    assert not well
    assert "leeds" not in page


def test_keys_of_tunnels_belong_together_and_are_of_one_end() -> None:
    tunnel_key = _loaded("filter_plugins/tunnels.py").tunnel_key
    keys = {end: tunnel_key("secret", end) for end in ("hub/0", "hub/1", "branch/leeds/0")}
    assert len({one[part] for one in keys.values() for part in ("private", "public")}) == 6
    assert tunnel_key("secret", "hub/0") == keys["hub/0"]
    assert tunnel_key("another", "hub/0") != keys["hub/0"]
    own, other = (
        X25519PrivateKey.from_private_bytes(base64.b64decode(one["private"])) for one in list(keys.values())[:2]
    )
    hub, second = (
        X25519PublicKey.from_public_bytes(base64.b64decode(one["public"])) for one in list(keys.values())[:2]
    )
    assert own.exchange(second) == other.exchange(hub)
