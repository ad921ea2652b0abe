"""The practice site of a test process: hosts boot when a step first needs them, and go back to named states.

It is the site of inventories/practice with other addresses and another bridge, so that every process of pytest-xdist
has one, beside the one that people use.
"""

import fcntl
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator import bootstrap
from orchestrator.adapters.practice.inventory import Inventory
from orchestrator.adapters.practice.site import PracticeSite
from orchestrator.settings import Settings
from tests.budgets import Usage
from tests.conftest import ROOT

PART = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
ADDRESSES, NETWORKS = f"10.61.{PART}", f"10.{70 + PART}"
"""Of the hosts, and of agencies, as far as their first numbers go."""
SUBSTITUTES = {"10.63.0.": f"{ADDRESSES}.", "10.64.": f"{NETWORKS}.", "orch-practice": f"orch-tests{PART}"}
FRESH = "fresh"
IN_USE = "in-use"


@dataclass(frozen=True)
class PracticeHome:
    """Where the site lives: the folders that a command line needs to work on it."""

    home: Path
    inventories: Path
    driver: PracticeSite
    hosts_usage: Usage
    _up: set[str] = field(default_factory=set)
    _states: dict[str, frozenset[str]] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "ORCHESTRATOR_HOME": str(self.home),
            "ORCHESTRATOR_INVENTORIES": str(self.inventories),
            "NO_COLOR": "1",
            "COLUMNS": "160",
        }

    def boot(self, names: Collection[str]) -> None:
        """Have these hosts up. One that was not yet is as its first boot left it."""
        with self._turn:
            new = set(names) - self._up
            known = {host.name for host in self.driver.status() if FRESH in host.snapshots} if new else set()
            if first := new - known:
                self.driver.up(print, first)
                self.driver.snapshot(FRESH, print, first)
            if again := new & known:
                self.driver.restore(FRESH, print, again)
            self._up.update(new)

    def boot_all(self) -> None:
        """Have every host up."""
        self.boot([host.name for host in self.driver.status()])

    def clear(self) -> None:
        """Forget what was done to the hosts, each of which is fresh when it is next needed, and all records."""
        if self._up:
            self.hosts_usage.read()
            self.driver.down(print, in_good_order=False)
            self._up.clear()
        for place in self.home.iterdir() if self.home.exists() else ():
            if place.name != "sites":
                shutil.rmtree(place) if place.is_dir() else place.unlink()

    def in_state(self, name: str, make: Callable[[], object]) -> None:
        """Have the site as `make` leaves a fresh one, which is done once and kept under this name."""
        self.clear()
        if name in self._states:
            self.driver.restore(name, print)
            self._up.update(self._states[name])
            return
        make()
        self.driver.snapshot(name, print, self._up)
        self._states[name] = frozenset(self._up)

    def restore(self, name: str, *hosts: str) -> None:
        """Have these hosts, or all of them, as they were in this state."""
        self.hosts_usage.read()
        self.driver.restore(name, print, hosts)


@contextmanager
def practice_site(top: Path, *, suite: str = Inventory.suite, layers: bool = True) -> Iterator[PracticeHome]:
    """A practice site of the test process's own, no host of which is up, with its files in a folder of one's own.

    Its hosts run this Debian release. Without layers, they begin with what Debian's base has.
    """
    inventories = top / "inventories"
    shutil.copytree(ROOT / "inventories" / "practice", inventories / "practice")
    for file in inventories.rglob("*.yml"):
        text = file.read_text()
        for before, after in SUBSTITUTES.items():
            text = text.replace(before, after)
        file.write_text(text)
    with (inventories / "practice" / "group_vars" / "all.yml").open("a") as variables:
        variables.write(f"practice_suite: {suite}\n")
    _take_down_abandoned(SUBSTITUTES["orch-practice"], inventories / "practice")
    driver = bootstrap.practice_site(Settings(home=top / "home", inventories=inventories))
    driver = driver if layers else replace(driver, packages={})
    in_use = (top / IN_USE).open("w")
    fcntl.flock(in_use, fcntl.LOCK_EX)
    try:
        usage = Usage(f"shared-service-practice/{SUBSTITUTES['orch-practice']}-*")
        yield PracticeHome(home=top / "home", inventories=inventories, driver=driver, hosts_usage=usage)
    finally:
        driver.down(print, erase=True)
        in_use.close()


@contextmanager
def unplugged(host: str) -> Iterator[None]:
    """A host whose cable nobody has put back yet."""
    links = subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
    bridge = re.escape(SUBSTITUTES["orch-practice"])
    (link,) = re.findall(rf"altname (vb-{bridge}-\S+-{host})$", links, re.MULTILINE)
    subprocess.run(["ip", "link", "set", link, "down"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "set", link, "up"], check=True)


def _take_down_abandoned(bridge: str, inventory: Path) -> None:
    """Take down the site of tests that were killed: the bridge says where it is, and nobody holds its lock.

    pytest throws away the folders of older tests: the site's own may be gone, and its bridge is still there.
    """
    alias = Path("/sys/class/net", bridge, "ifalias")
    if not alias.exists():
        return
    home = Path(alias.read_text().strip().partition("/")[2])
    top = Path("/", home).parent
    top.mkdir(parents=True, exist_ok=True)
    with (top / IN_USE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        PracticeSite(inventory=inventory, home=top / "home", cache=top / "cache").down(print, erase=True)
