"""A new key for the hosts of a site: no host loses the old one before all of them let us in with the new one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.adapters.keys.site_keys import SiteKeyFiles, _generate, _public, next_key
from orchestrator.domain.errors import Kind, OrchestratorError
from orchestrator.domain.estate.site import Site
from orchestrator.usecases.keys.rekeying import Rekeying
from tests.usecases.conftest import House

HOSTS = ("here", "m1", "m2", "m3", "spare")


@dataclass
class Bench:
    """The hosts of the site, each with the keys it knows."""

    key: Path
    known: dict[str, set[str]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)

    def door(self, key: Path) -> "Hall":
        return Hall(self, key)


@dataclass
class Hall:
    bench: Bench
    key: Path

    @contextmanager
    def connect(self, site: Site, host: str) -> Iterator["Entrance"]:
        if host in self.bench.down or not self.key.exists() or _public(self.key) not in self.bench.known[host]:
            raise OrchestratorError(Kind.UNAVAILABLE, f"{host} does not let us in")
        yield Entrance(self.bench.known[host])


@dataclass
class Entrance:
    known: set[str]

    def as_root(self, program: str, arguments: Sequence[str]) -> str:
        if arguments:
            act, known, another = arguments
            assert program == "the program"
            assert known in self.known or act == "remove"
            self.known.add(another) if act == "add" else self.known.discard(known)
        return ""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    key = tmp_path / "id_ed25519"
    key.write_bytes(_generate())
    key.chmod(0o600)
    return Bench(key, {host: {_public(key)} for host in HOSTS})


@pytest.fixture
def rekeying(house: House, bench: Bench) -> Rekeying:
    files, key = SiteKeyFiles(lambda _: bench.key), bench.key
    doors = {"by_key": bench.door(key), "by_next": bench.door(next_key(key))}
    return Rekeying(source=house.planning.source, keys=files, program="the program", **doors)


def left(bench: Bench) -> list[str]:
    return sorted(path.name for path in bench.key.parent.glob("id_ed25519*"))


def test_every_host_ends_with_the_new_key_alone(rekeying: Rekeying, bench: Bench) -> None:
    before = _public(bench.key)
    assert rekeying.rotate("bench")
    assert _public(bench.key) != before
    assert bench.known == {host: {_public(bench.key)} for host in HOSTS}
    assert left(bench) == ["id_ed25519"]


def test_no_host_loses_the_old_key_while_one_does_not_let_us_in(rekeying: Rekeying, bench: Bench) -> None:
    before = _public(bench.key)
    bench.down = {"m2"}
    with pytest.raises(OrchestratorError, match="1 of 5 hosts") as refused:
        rekeying.rotate("bench")
    assert refused.value.details == ("m2 does not let us in",)
    assert _public(bench.key) == before
    assert all(before in known for known in bench.known.values())
    proposed = _public(next_key(bench.key))
    bench.down = set()
    assert rekeying.rotate("bench")
    assert _public(bench.key) == proposed, "the one that some hosts have already"
    assert bench.known == {host: {proposed} for host in HOSTS}


def test_a_host_that_disappears_before_the_end_is_waited_for(rekeying: Rekeying, bench: Bench) -> None:
    before = _public(bench.key)
    assert not rekeying.rotate("bench", many=True)
    bench.down = {"m3"}
    with pytest.raises(OrchestratorError, match="1 of 5 hosts"):
        rekeying.rotate("bench", many=True, copied=True)
    assert [host for host in HOSTS if before in bench.known[host]] == ["m3"]
    bench.down = set()
    assert rekeying.rotate("bench", many=True, copied=True)
    assert bench.known == {host: {_public(bench.key)} for host in HOSTS}
    assert left(bench) == ["id_ed25519"]


@pytest.mark.parametrize("copied", [False, True])
def test_rotation_waits_until_other_machines_have_copied_the_key(
    rekeying: Rekeying, bench: Bench, copied: bool
) -> None:
    assert not rekeying.rotate("bench", many=True, copied=copied), "nobody can have copied what was not there"
    assert {len(known) for known in bench.known.values()} == {2}
    assert not rekeying.rotate("bench", many=True)
    assert rekeying.rotate("bench", many=True, copied=True)


def test_a_rotation_that_was_killed_while_it_changed_the_files_is_continued(rekeying: Rekeying, bench: Bench) -> None:
    """It was killed between writing the file of the old key and replacing the key itself."""
    files = rekeying.keys
    pair = files.begin("bench")
    for known in bench.known.values():
        known.add(pair.another)
    bench.key.with_suffix(".before").write_text(pair.known)
    assert files.leaving("bench") is None
    assert rekeying.rotate("bench")
    assert left(bench) == ["id_ed25519"]
    assert bench.known == {host: {pair.another} for host in HOSTS}


def test_a_second_rotation_at_the_same_time_is_refused(rekeying: Rekeying) -> None:
    with rekeying.keys.turn("bench"), pytest.raises(OrchestratorError, match="by somebody else"):
        rekeying.rotate("bench")
