"""The practice site as a whole."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Interface
from pathlib import Path
from typing import TypeVar

from orchestrator.adapters.practice.base import base_tree
from orchestrator.adapters.practice.bridge import Bridge
from orchestrator.adapters.practice.commands import require_machine
from orchestrator.adapters.practice.files import write
from orchestrator.adapters.practice.host import Host, Login
from orchestrator.adapters.practice.inventory import Inventory, InventoryHost, read_inventory
from orchestrator.adapters.practice.keys import host_key, key_pair
from orchestrator.adapters.practice.machine import make_room
from orchestrator.adapters.practice.processes import hosts_with_processes
from orchestrator.domain.practice import PracticeHost

Progress = Callable[[str], None]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class PracticeSite:
    """The hosts of the inventory directory, with their disks and keys under `home` and the base tree in `cache`.

    Any process may call any method, whichever brought the site up; `up` and `down` wait for each other.
    """

    inventory: Path
    home: Path
    cache: Path

    def up(self, progress: Progress) -> None:
        """Return when every host of the inventory lets the site's login in, and no other host of the site runs.

        What is already so is left alone; what a crash left behind is repaired.
        """
        require_machine()
        with self._only_one(progress):
            make_room()
            self._bridge.up()
            for name in self._strangers():
                progress(f"{name}: stopping, as it is not in the inventory")
                self._host_named(name).stop()
            base = base_tree(self.cache, user=self._inventory.user, progress=progress)
            login = Login(user=self._inventory.user, key=self._folder / "id_ed25519")
            key_pair(login.key)
            hosts = [self._host(host) for host in self._inventory.hosts]
            pins = [f"{host.address.ip} {host.public_key()}\n" for host in hosts]
            write(self._folder / "known_hosts", "".join(pins))

            def boot(host: Host) -> None:
                progress(f"{host.name}: {'started' if host.up(base, login) else 'up'} at {host.address.ip}")

            _each(boot, hosts)

    def status(self) -> tuple[PracticeHost, ...]:
        """Return the inventory's hosts as they are now, in its order."""
        known_hosts = self._folder / "known_hosts"

        def look(host: InventoryHost) -> PracticeHost:
            state = self._host(host).state(host_key(known_hosts, str(host.address)))
            return PracticeHost(name=host.name, address=str(host.address), groups=host.groups, state=state)

        return tuple(_each(look, self._inventory.hosts))

    def down(self, progress: Progress, *, erase: bool = False) -> None:
        """Return when no process, mount, bridge or rule of the site is left. Disks and keys stay unless `erase`."""
        require_machine()
        with self._only_one(progress):

            def stop(name: str) -> None:
                self._host_named(name).stop()
                progress(f"{name}: stopped")

            _each(stop, sorted(hosts_with_processes(self._identity) | self._disks()))
            self._bridge.down()
            if erase:
                for part in ("hosts", "id_ed25519", "known_hosts"):
                    path = self._folder / part
                    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    @cached_property
    def _inventory(self) -> Inventory:
        return read_inventory(self.inventory)

    @property
    def _folder(self) -> Path:
        return self.home.resolve() / "sites" / self._inventory.site

    @property
    def _identity(self) -> str:
        """Return a name that no other checkout's site has, even one with the same bridge."""
        place = hashlib.sha256(str(self._folder).encode()).hexdigest()[:8]
        return f"{self._inventory.bridge}-{place}"

    @property
    def _bridge(self) -> Bridge:
        told = self._inventory
        return Bridge(name=told.bridge, interface=told.interface, home=self.home.resolve(), routes=told.routes)

    def _host(self, host: InventoryHost) -> Host:
        interface = self._inventory.interface
        return Host(
            name=host.name,
            address=IPv4Interface(f"{host.address}/{interface.network.prefixlen}"),
            gateway=str(interface.ip),
            bridge=self._inventory.bridge,
            site=self._identity,
            home=self._folder / "hosts" / host.name,
        )

    def _host_named(self, name: str) -> Host:
        """Return a host to stop, which may have left the inventory and so have no address any more."""
        nowhere = InventoryHost(name=name, address=self._inventory.interface.ip, groups=())
        return self._host(next((host for host in self._inventory.hosts if host.name == name), nowhere))

    def _strangers(self) -> list[str]:
        return sorted(hosts_with_processes(self._identity) - {host.name for host in self._inventory.hosts})

    def _disks(self) -> set[str]:
        hosts = self._folder / "hosts"
        return {path.name for path in hosts.iterdir()} if hosts.is_dir() else set()

    @contextmanager
    def _only_one(self, progress: Progress) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress("waiting for another command that brings this site up or down")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _each(act: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Do it to all at once; when any fails, raise the first failure after all have ended."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(act, items))
