"""Package layers: what roles may install on a host, installed once, between the base tree and the host's own disk.

A layer is what dpkg wrote over the layers below it. Its name is derived from everything it was made from. Nothing new
in it starts by itself: roles decide what runs on a host, and some programs would only crash repeatedly until
configured.
"""

import hashlib
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from orchestrator.adapters.practice import machine
from orchestrator.adapters.practice.cache import Cache, Progress
from orchestrator.adapters.practice.commands import run
from orchestrator.domain.errors import OrchestratorError

Packages = frozenset[str]

_SIDE_BY_SIDE = 3
"""One downloads while two unpack: more would only wait for the disk."""

# Run in the layer with the packages as arguments. Downloads take turns, so that one layer downloads while another
# unpacks; apt's own locks would serialize whole installations, because the folder of downloads is shared.
_INSTALL = r"""
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
units() { find /etc/systemd/system -type l | sort; }
scripts() { find /etc/rc?.d -name 'S*' -printf '%f\n' | cut -c 4- | sort -u; }
units > /run/units
scripts > /run/scripts
apt() { apt-get -qq -o Debug::NoLocking=1 -o APT::Sandbox::User=root "$@"; }
(
    flock 9
    # The base comes with lists of packages; those of the last day will do.
    find /var/lib/apt/lists -maxdepth 0 -mmin -1440 | grep -q . || apt update
    apt install -y --no-install-recommends --download-only "$@"
) 9> /var/cache/apt/archives/turns
apt install -y --no-install-recommends "$@" > /run/log 2>&1 || { tail -n 20 /run/log >&2; exit 1; }
scripts | comm -13 /run/scripts - | while read -r name; do update-rc.d "$name" disable; done
units | comm -13 /run/units - | tr '\n' '\0' | xargs -0 -r rm -f
rm -f /usr/sbin/policy-rc.d
"""
# In its own mount namespace, so that no mount outlives it, and killed with the command that requested the layer.
_MOUNTED = 'mount -t overlay -o "$1" practice-layer "$2" && shift 2 && exec "$@"'


@dataclass(frozen=True)
class Layer:
    """A layer that may or may not be in the cache yet."""

    packages: Packages
    below: "Layer | None"
    base: Path

    @property
    def name(self) -> str:
        """Return a name that is unique to what the layer is made from."""
        parts = (self.below.name if self.below else self.base.name, _INSTALL, *sorted(self.packages))
        return f"packages-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:12]}"

    def chain(self) -> Iterator["Layer"]:
        """Yield this layer and those below it."""
        yield self
        if self.below:
            yield from self.below.chain()


def arrange(base: Path, wanted: Iterable[Packages]) -> Mapping[Packages, Layer]:
    """Return the layer for each set of packages.

    A superset of another set lies over the other's layer. Two or more packages that two sets share become a layer below
    both; a single one is not worth a layer.
    """
    sets = {packages for packages in wanted if packages}
    sets |= {shared for one, other in combinations(sets, 2) if len(shared := one & other) > 1}
    layers: dict[Packages, Layer] = {}
    for packages in sorted(sets, key=lambda p: (len(p), sorted(p))):
        held = [layer for smaller, layer in layers.items() if smaller < packages]
        layers[packages] = Layer(packages=packages, below=max(held, key=_size, default=None), base=base)
    return layers


def _size(layer: Layer) -> tuple[int, str]:
    return len(layer.packages), layer.name


def bake(
    cache: Cache, layers: Collection[Layer], *, names: Mapping[Layer, str], progress: Progress
) -> Mapping[Layer, tuple[Path, ...]]:
    """Return the folders of each layer and those below it, uppermost first, without the base. Builds those missing.

    Layers are built in parallel. `names` are their names for `progress`.
    """
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
        folders = pool.map(lambda layer: _baked(cache, layer, names, progress), layers)
        return dict(zip(layers, folders, strict=True))


def _baked(cache: Cache, layer: Layer, names: Mapping[Layer, str], progress: Progress) -> tuple[Path, ...]:
    below = _baked(cache, layer.below, names, progress) if layer.below else ()
    name = names.get(layer) or f"what {' and '.join(_over(layer, names))} share"

    def build(folder: Path, lock: int) -> None:
        added = len(layer.packages - (layer.below.packages if layer.below else frozenset()))
        progress(f"{name}: installing {added} packages and what they need, once")
        started = time.monotonic()
        try:
            _install(cache, layer, (*below, layer.base), folder, lock)
        except OrchestratorError as error:
            raise OrchestratorError(
                error.kind,
                f"The packages of {name} could not be installed in {cache.folder}",
                details=error.details,
                hint="The attempt was removed completely; fix what the last lines report and run the command again.",
            ) from error
        progress(f"{name}: packages ready after {time.monotonic() - started:.0f} s")

    return cache.tree(layer.name, build, what=f"the packages of {name}", progress=progress), *below


def _over(layer: Layer, names: Mapping[Layer, str]) -> list[str]:
    return sorted(name for other, name in names.items() if layer in other.chain())


def _install(cache: Cache, layer: Layer, lower: tuple[Path, ...], folder: Path, lock: int) -> None:
    work, root = folder.with_suffix(".work"), folder.with_suffix(".root")
    archives = cache.folder / "archives"
    for made in (folder, work, root, archives):
        made.mkdir(exist_ok=True)
    machine.introduce(folder)
    overlay = f"lowerdir={':'.join(map(str, lower))},upperdir={folder},workdir={work}"
    run(
        "setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--propagation", "private", "--",
        "sh", "-c", _MOUNTED, "sh", overlay, str(root),
        "env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit",
        "--link-journal=no", f"--directory={root}", f"--machine={folder.stem}", "--hostname=practice",
        "--resolv-conf=off", "--timezone=off", "--as-pid2", f"--bind={archives}:/var/cache/apt/archives", "--",
        "sh", "-c", _INSTALL, "sh", *sorted(layer.packages),
        keep_open=(lock,),
    )  # fmt: skip
