"""The module for settings of the running kernel, in a separate network namespace."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT

MODULE = ROOT / "playbooks/library/kernel_settings.py"
FORWARD = "net.ipv4.ip_forward"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a network namespace")


def settled(*settings: dict[str, Any], check: bool = False) -> list[dict[str, Any]]:
    """The module's result for each, in sequence in the same namespace."""
    asked = [json.dumps({"ANSIBLE_MODULE_ARGS": {"settings": s, "_ansible_check_mode": check}}) for s in settings]
    begin = "echo 0 >/proc/sys/net/ipv4/ip_forward; program=$1; shift; "
    script = begin + 'for asked; do printf %s "$asked" | "$program" "$0"; echo; done'
    command = ["unshare", "--net", "sh", "-c", script, str(MODULE), sys.executable, *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line]


def test_different_settings_are_reported_and_corrected_and_then_left_alone() -> None:
    first, again = settled({FORWARD: 1, "net.ipv4.conf.lo.proxy_arp": "0"}, {FORWARD: 1})
    assert first["changed"]
    assert (first["diff"]["before"], first["diff"]["after"]) == (f"{FORWARD} = 0\n", f"{FORWARD} = 1\n")
    assert not again["changed"]


def test_a_setting_of_every_interface_is_corrected_on_each() -> None:
    """The kernel itself passes the value of default on to interfaces that have not been set."""
    asked = {"net.ipv4.conf.*.proxy_arp": 1}
    predicted, first, again = (*settled(asked, check=True), *settled(asked, asked))
    names = {f"net.ipv4.conf.{interface}.proxy_arp = 1" for interface in ("all", "default", "lo")}
    assert names <= set(predicted["diff"]["after"].splitlines())
    assert (first["changed"], again["changed"]) == (True, False)


def test_a_prediction_sets_nothing_and_reports_settings_that_do_not_exist_yet() -> None:
    asked = {FORWARD: 1, "net.ipv4.conf.agency9.proxy_arp": 1}
    first, again = settled(asked, asked, check=True)
    assert first == again
    assert first["diff"]["after"] == f"net.ipv4.conf.agency9.proxy_arp = 1\n{FORWARD} = 1\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [("net.ipv4.conf.agency9.proxy_arp", "1"), ("net/../../etc/motd", "1"), ("..kernel", "1"), (FORWARD, "lots")],
)
def test_settings_that_cannot_be_set_are_reported(name: str, value: str) -> None:
    [told] = settled({name: value})
    assert told["failed"]
    assert told["msg"].startswith(f"{name} cannot be set to {value}: ")
