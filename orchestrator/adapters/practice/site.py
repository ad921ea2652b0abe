"""The practice site as a whole."""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Interface
from pathlib import Path
from typing import TypeVar

from orchestrator.adapters.practice.base import base_tree
from orchestrator.adapters.practice.bridge import Bridge
from orchestrator.adapters.practice.cache import Cache, Progress
from orchestrator.adapters.practice.commands import require_machine
from orchestrator.adapters.practice.files import write
from orchestrator.adapters.practice.host import Host, Login
from orchestrator.adapters.practice.inventory import Inventory, InventoryHost, read_inventory
from orchestrator.adapters.practice.keys import host_key, key_pair
from orchestrator.adapters.practice.layers import Packages, arrange, bake
from orchestrator.adapters.practice.machine import make_room
from orchestrator.adapters.practice.processes import hosts_with_processes
from orchestrator.adapters.practice.units import UNITS, unsteady_units
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.practice import PracticeHost, UnsteadyUnit

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class PracticeSite:
    """The hosts of the inventory directory, with their disks and keys under `home`.

    `cache` holds what sites share. `packages` are, by group, what roles may install on its hosts: they are installed
    before a host's first boot. Any process may call any method; those that change the site wait for each other. `names`
    are hosts or groups of the inventory; without any, all hosts are meant.
    """

    inventory: Path
    home: Path
    cache: Path
    packages: Mapping[str, Packages] = field(default_factory=dict)

    def up(self, progress: Progress, names: Collection[str] = ()) -> None:
        """Boot these hosts and return when the site's login can log in to each. Stops hosts that are not in the
        inventory.

        Running hosts are left alone; what a crash left behind is repaired.
        """
        require_machine()
        with self._only_one(progress):
            chosen = self._chosen(names)
            make_room()
            self._bridge.up()
            for name in self._strangers():
                progress(f"{name}: stopping, as it is not in the inventory")
                self._host_named(name).stop()
            key_pair(self._login.key)
            pins = [f"{host.address} {self._host(host).public_key()}\n" for host in self._inventory.hosts]
            write(self._folder / "known_hosts", "".join(pins), mode=0o600)
            self._begin_disks(chosen, progress)
            _each(lambda host: self._boot(host, progress), chosen)

    def snapshot(self, name: str, progress: Progress, names: Collection[str] = ()) -> None:
        """Save what these hosts have written so far under this name. Running hosts are stopped and booted again."""

        def keep(host: Host) -> None:
            ran = host.processes.alive()
            host.stop()
            host.disk.snapshot(name)
            if ran:
                host.up(self._login)
            progress(f"{host.name}: snapshot {name}")

        require_machine()
        with self._only_one(progress):
            _each(keep, self._begun(names))

    def restore(self, name: str, progress: Progress, names: Collection[str] = ()) -> None:
        """Boot these hosts, or without names all that have the snapshot, as they were when it was taken."""

        def bring_back(host: Host) -> None:
            host.stop(in_good_order=False)
            host.disk.restore(name)
            host.up(self._login)
            progress(f"{host.name}: as in snapshot {name}")

        require_machine()
        with self._only_one(progress):
            hosts = [host for host in self._begun(names) if names or name in host.disk.snapshots()]
            if not hosts:
                raise OrchestratorError(
                    Kind.NOT_FOUND,
                    f"No host of the site has a snapshot {name}",
                    hint="orchestrator practice status lists the snapshots.",
                )
            self._bridge.up()
            _each(bring_back, hosts)

    def unsteady(self) -> tuple[UnsteadyUnit, ...]:
        """Return the units of running hosts that failed or keep restarting."""

        def ask(host: Host) -> list[UnsteadyUnit]:
            return unsteady_units(host.name, host.ask(self._login, UNITS)) if host.processes.alive() else []

        return tuple(unit for units in _each(ask, map(self._host, self._inventory.hosts)) for unit in units)

    def status(self) -> tuple[PracticeHost, ...]:
        """Return the current state of the inventory's hosts, in its order."""
        known_hosts = self._folder / "known_hosts"

        def look(host: InventoryHost) -> PracticeHost:
            booted = self._host(host)
            return PracticeHost(
                name=host.name,
                address=str(host.address),
                groups=host.groups,
                state=booted.state(host_key(known_hosts, str(host.address))),
                snapshots=booted.disk.snapshots(),
            )

        return tuple(_each(look, self._inventory.hosts))

    def down(self, progress: Progress, *, erase: bool = False, in_good_order: bool = True) -> None:
        """Remove all processes, mounts, bridges and rules of the site. Keeps disks and keys unless `erase`: then, hosts
        need not stop in good order."""
        require_machine()
        with self._only_one(progress):
            running = hosts_with_processes(self._identity)

            def stop(name: str) -> None:
                self._host_named(name).stop(in_good_order=in_good_order and not erase)
                if name in running:
                    progress(f"{name}: stopped")

            _each(stop, sorted(running | self._disks()))
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
        """Return a name that is unique even among sites of other checkouts with the same bridge."""
        place = hashlib.sha256(str(self._folder).encode()).hexdigest()[:8]
        return f"{self._inventory.bridge}-{place}"

    @property
    def _bridge(self) -> Bridge:
        told = self._inventory
        return Bridge(name=told.bridge, interface=told.interface, home=self.home.resolve(), routes=told.routes)

    @property
    def _login(self) -> Login:
        return Login(user=self._inventory.user, key=self._folder / "id_ed25519")

    def _chosen(self, names: Collection[str]) -> list[InventoryHost]:
        hosts = self._inventory.hosts
        known = {name for host in hosts for name in (host.name, *host.groups)}
        if unknown := sorted(set(names) - known):
            raise OrchestratorError(
                Kind.NOT_FOUND,
                f"The practice site has no host or group {', '.join(unknown)}",
                hint=f"It has: {', '.join(sorted(known))}.",
            )
        return [host for host in hosts if not names or {host.name, *host.groups} & set(names)]

    def _begun(self, names: Collection[str]) -> list[Host]:
        """Return the hosts that have been up before."""
        hosts = [self._host(host) for host in self._chosen(names)]
        return [host for host in hosts if host.disk.begun()]

    def _begin_disks(self, chosen: list[InventoryHost], progress: Progress) -> None:
        """Create the missing disks of hosts, over the layers of what their roles install, which are built if
        necessary."""
        new = [host for host in chosen if not self._host(host).disk.begun()]
        if not new:
            return
        cache = Cache(self.cache)
        base = base_tree(cache, suite=self._inventory.suite, user=self._inventory.user, progress=progress)
        layers = arrange(base, map(self._packages_of, self._inventory.hosts))
        names = {layers[self._packages_of(h)]: h.name for h in reversed(self._inventory.hosts) if self._packages_of(h)}
        wanted = {layers[self._packages_of(host)] for host in new if self._packages_of(host)}
        baked = bake(cache, sorted(wanted, key=lambda layer: layer.name), names=names, progress=progress)
        for host in new:
            packages = self._packages_of(host)
            self._host(host).disk.begin((*(baked[layers[packages]] if packages else ()), base))
        cache.prune(keep=[base, *(folder for folders in baked.values() for folder in folders)])

    def _packages_of(self, host: InventoryHost) -> Packages:
        return frozenset().union(*(self.packages.get(group, frozenset()) for group in host.groups))

    def _boot(self, host: InventoryHost, progress: Progress) -> None:
        started = self._host(host).up(self._login)
        progress(f"{host.name}: {'started' if started else 'up'} at {host.address}")

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
        """Return a host to stop. It may have left the inventory and so have no address."""
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
        with (self._folder / "lock").open("w") as lock, _modes_of_hosts():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress("waiting for another command that is changing this site")
                fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                raise OrchestratorError(
                    Kind.UNAVAILABLE,
                    f"There is no space left for the practice site, in {self._folder} or in {self.cache}",
                    hint="Free some space and try again; orchestrator practice down --erase frees what it can.",
                ) from error


def _each(act: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Apply the function to all items in parallel. If any fails, raises the first failure after all have ended."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(act, items))


@contextmanager
def _modes_of_hosts() -> Iterator[None]:
    """Create files that everybody may read, as programs on hosts expect. The site's folder itself is private."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)
