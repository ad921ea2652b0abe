"""Package layers and their cache: how they are stacked, and what interrupted builds leave behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.adapters.practice.base import base_tree
from orchestrator.adapters.practice.cache import Cache
from orchestrator.adapters.practice.layers import Layer, arrange, bake
from orchestrator.domain.errors import Kind, OrchestratorError
from tests.adapters.practice.test_site import CACHE, on_real_hosts

BASE = Path("/cache/base-0123")
CRON = frozenset({"cron"})
"""A small package whose unit Debian would start."""


def test_a_set_that_contains_another_lies_over_its_layer() -> None:
    small, large, other = frozenset("ab"), frozenset("abcd"), frozenset("ax")
    layers = arrange(BASE, [large, small, other, frozenset()])
    assert set(layers) == {small, large, other}
    assert layers[large].below == layers[small]
    assert layers[small].below is layers[other].below is None
    assert [layer.packages for layer in layers[large].chain()] == [large, small]


def test_packages_that_two_sets_share_form_a_layer_below_both() -> None:
    one, other = frozenset("abc"), frozenset("abx")
    layers = arrange(BASE, [one, other, frozenset("cx")])
    assert layers[one].below == layers[other].below == layers[frozenset("ab")]
    assert frozenset("c") not in layers, "one package is not worth a layer"


def test_a_layer_is_named_after_all_that_it_is_made_of() -> None:
    plain = Layer(packages=CRON, below=None, base=BASE)
    others = [
        Layer(packages=frozenset({"cron", "at"}), below=None, base=BASE),
        Layer(packages=CRON, below=None, base=Path("/cache/base-4567")),
        Layer(packages=CRON, below=plain, base=BASE),
    ]
    assert len({layer.name for layer in [plain, *others]}) == 4
    assert plain.name == Layer(packages=CRON, below=None, base=BASE).name


def test_a_failed_build_leaves_no_tree(tmp_path: Path) -> None:
    def fail(folder: Path, lock: int) -> None:
        folder.mkdir()
        raise OrchestratorError(Kind.FAILED, "no")

    with pytest.raises(OrchestratorError):
        Cache(tmp_path).tree("base-1", fail, what="it", progress=print)
    assert [path.name for path in tmp_path.iterdir()] == ["locks"]


def test_two_that_want_the_same_tree_build_it_once_and_report_the_wait(tmp_path: Path) -> None:
    built: list[Path] = []
    said: list[str] = []

    def build(folder: Path, lock: int) -> None:
        built.append(folder)
        while not any("waiting" in line for line in said):
            time.sleep(0.01)
        folder.mkdir()

    def want() -> Path:
        return Cache(tmp_path).tree("base-1", build, what="the base tree", progress=said.append)

    with ThreadPoolExecutor() as pool:
        one, other = pool.submit(want), pool.submit(want)
    assert one.result() == other.result() == tmp_path / "base-1"
    assert len(built) == 1
    assert said == ["waiting for the base tree, which another command is building"]


def test_trees_unused_for_a_month_are_removed_and_those_in_use_stay(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for name in ("base-used", "base-old", "packages-old", "packages-wanted", "packages-killed.partial", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "old.deb").touch()
    a_month_ago = time.time() - 31 * 86_400
    for path in [*tmp_path.iterdir(), tmp_path / "archives" / "old.deb"]:
        os.utime(path, (a_month_ago, a_month_ago))
    os.utime(tmp_path / "base-used")
    cache.prune(keep=[tmp_path / "packages-wanted"])
    left = {path.name for path in tmp_path.iterdir()} - {"locks"}
    assert left == {"base-used", "packages-wanted", "notes", "archives"}
    assert not (tmp_path / "archives" / "old.deb").exists()


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    """A separate cache that contains the shared base tree, unmounted at the end."""
    folder = tmp_path / "cache"
    folder.mkdir()
    base = base_tree(Cache(CACHE), suite="bookworm", user="provision", progress=print)
    (folder / base.name).symlink_to(base)
    yield Cache(folder)
    if folder.is_mount():
        subprocess.run(["umount", str(folder)], check=True)


def _layer(cache: Cache) -> Layer:
    [base] = cache.folder.glob("base-*")
    return Layer(packages=CRON, below=None, base=base)


def _bake(cache: Cache) -> Path:
    layer = _layer(cache)
    return bake(cache, [layer], names={layer: "edge"}, progress=print)[layer][0]


def _left(cache: Cache) -> list[str]:
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(cache.folder) in line]
    builders = subprocess.run(["pgrep", "-fa", str(cache.folder)], capture_output=True, text=True, check=False).stdout
    parts = [path.name for path in cache.folder.iterdir() if path.suffix]
    return mounts + builders.splitlines() + parts


@on_real_hosts
def test_a_baked_package_is_installed_and_does_not_start(cache: Cache) -> None:
    layer = _bake(cache)
    assert (layer / "usr/sbin/cron").is_file()
    assert not (layer / "etc/systemd/system/multi-user.target.wants/cron.service").is_symlink()
    assert not list(layer.glob("etc/rc?.d/S*cron"))
    assert not (layer / "usr/sbin/policy-rc.d").exists()
    assert _left(cache) == []


@on_real_hosts
def test_a_killed_bake_leaves_nothing_running_and_the_next_one_succeeds(cache: Cache) -> None:
    script = (
        "import sys; from pathlib import Path; from orchestrator.adapters.practice.cache import Cache\n"
        "from orchestrator.adapters.practice.layers import Layer, bake\n"
        "layer = Layer(packages=frozenset({'cron'}), below=None, base=Path(sys.argv[2]))\n"
        "bake(Cache(Path(sys.argv[1])), [layer], names={layer: 'edge'}, progress=print)"
    )
    layer = _layer(cache)
    baking = subprocess.Popen([sys.executable, "-c", script, str(cache.folder), str(layer.base)])
    while not (cache.folder / f"{layer.name}.partial" / "usr/sbin/policy-rc.d").exists():
        assert baking.poll() is None
        time.sleep(0.02)
    baking.send_signal(signal.SIGKILL)
    baking.wait()
    deadline = time.monotonic() + 30
    while [line for line in _left(cache) if ".partial" not in line and ".work" not in line and ".root" not in line]:
        assert time.monotonic() < deadline, _left(cache)
        time.sleep(0.1)
    assert not (cache.folder / layer.name).exists()
    assert (_bake(cache) / "usr/sbin/cron").is_file()
    assert _left(cache) == []


@on_real_hosts
def test_a_bake_on_a_full_disk_reports_it_and_leaves_nothing(cache: Cache) -> None:
    [base] = cache.folder.glob("base-*")
    target = base.readlink()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tests", str(cache.folder)], check=True)
    base.symlink_to(target)
    with pytest.raises(OrchestratorError) as caught:
        _bake(cache)
    assert "packages of edge could not be installed" in caught.value.message
    assert "space" in " ".join(caught.value.details)
    assert [path.name for path in cache.folder.iterdir() if path.suffix] == []
    assert shutil.disk_usage(cache.folder).free > 12 * 2**20, "what was unpacked is gone"
