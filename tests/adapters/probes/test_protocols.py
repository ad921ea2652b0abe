"""Each protocol against a real server: up, down, and unknown."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchestrator.domain.service_levels.record import State
from orchestrator.ports.probing import Person
from tests.adapters.probes import servers
from tests.adapters.probes.conftest import Probe
from tests.adapters.probes.servers import HERE, Authority, free_port

UP, DOWN, UNKNOWN = State.UP, State.DOWN, State.UNKNOWN
USER = Person("probe-user", "s3cret of a user")


@pytest.mark.parametrize(
    ("kind", "address", "why"),
    [
        ("tcp", "nowhere", "'nowhere' is not HOST:PORT"),
        ("tcp", f"{HERE}:99999", f"'{HERE}:99999' is not HOST:PORT"),
        ("dns", HERE, f"'{HERE}' is not SERVER/NAME"),
        ("http", "ftp://x/", "'ftp://x/' is not the address of a page"),
        ("ssh", HERE, "nobody to log in as"),
        ("sip", "x:y", "'x:y' is not HOST:PORT"),
        ("xmpp", HERE, f"'{HERE}' is not HOST/DOMAIN"),
        ("ldap", HERE, f"'{HERE}' is not the address of a directory"),
        ("rt", f"https://{HERE}/a1", "nobody to log in as"),
    ],
)
def test_a_probe_that_cannot_run_is_unknown_with_its_reason(probe: Probe, kind: str, address: str, why: str) -> None:
    [reading] = probe(kind, address)
    assert (reading.state, reading.detail) == (UNKNOWN, why)


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("tcp", "{here}:{port}"),
        ("http", "http://{here}:{port}/"),
        ("http", "https://{here}:{port}/"),
        ("ssh", "{here}:{port}"),
        ("sip", "{here}:{port}"),
        ("xmpp", "{here}:{port}/a1.example"),
        ("ldap", "ldap://{here}:{port}"),
        ("rt", "https://{here}:{port}/a1"),
        ("dns", "{here}:{port}/gateway.a1.example"),
    ],
)
def test_a_server_that_is_not_there_is_down(
    probe: Probe, kind: str, address: str, ssh_key: str, authority: Authority
) -> None:
    trust = ssh_key if kind == "ssh" else authority.pem
    person = None if kind == "ldap" else USER
    [reading] = probe(kind, address.format(here=HERE, port=free_port()), person=person, trust=trust)
    assert reading.state is DOWN, reading.detail


@pytest.mark.parametrize("kind", ["tcp", "xmpp"])
def test_a_server_that_hangs_is_down(probe: Probe, kind: str) -> None:
    """Nobody accepts: the connection queue is full, or nothing is ever sent."""
    with socket.socket() as server:
        server.bind((HERE, 0))
        server.listen(0)
        port = server.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex((HERE, port))
        [reading] = probe(kind, f"{HERE}:{port}" + ("/a1.example" if kind == "xmpp" else ""))
        for one in waiting:
            one.close()
    assert (reading.state, reading.detail) == (DOWN, "no answer within 2 s")
    assert reading.seconds == pytest.approx(4, abs=1)


def test_a_service_that_the_network_does_not_reach_is_unknown(probe: Probe) -> None:
    [reading] = probe("tcp", "255.255.255.255:80")
    assert reading.state is UNKNOWN


@pytest.fixture
def ssh_key() -> str:
    return "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5kXk0Jbq8N0yF2v3iQ4m7c7rJt0yV8m1m1v5n7b8Pz test"


def test_no_password_appears_in_a_reading_or_a_log(
    probe: Probe, caplog: pytest.LogCaptureFixture, ssh_key: str
) -> None:
    with caplog.at_level("DEBUG"), socket.create_server((HERE, 0)) as server:
        place = f"{HERE}:{server.getsockname()[1]}"
        for kind, address in (("ssh", place), ("ldap", f"ldap://{place}"), ("rt", f"http://{place}/a1")):
            [reading] = probe(kind, address, person=USER, trust=ssh_key if kind == "ssh" else None)
            assert USER.password not in reading.detail
    assert USER.password not in caplog.text


class TestTcp:
    def test(self, probe: Probe) -> None:
        with socket.create_server((HERE, 0)) as server:
            [reading] = probe("tcp", f"{HERE}:{server.getsockname()[1]}")
        assert reading.state is UP


class TestDns:
    def test(self, probe: Probe) -> None:
        port = free_port(socket.SOCK_DGRAM)
        with servers.dnsmasq(port):
            [known] = probe("dns", f"{HERE}:{port}/gateway.a1.example")
            [other] = probe("dns", f"{HERE}:{port}/gateway.a2.example")
        assert (known.state, known.detail) == (UP, "gateway.a1.example is 10.64.1.1")
        assert other.state is DOWN
        assert other.detail.startswith(f"{HERE} knows no address of gateway.a2.example")


class TestHttp:
    @pytest.fixture
    def port(self, tmp_path: Path, authority: Authority) -> Iterator[int]:
        port = free_port()
        with servers.nginx(tmp_path, authority, port):
            yield port

    def test_keeps_its_connection(self, probe: Probe, port: int, authority: Authority, tmp_path: Path) -> None:
        readings = probe("http", f"https://{HERE}:{port}/", trust=authority.pem, times=5)
        assert [r.state for r in readings] == [UP] * 5
        assert len(set((tmp_path / "requests").read_text().split())) == 1

    @pytest.mark.parametrize(("path", "state"), [("elsewhere", UP), ("broken", DOWN)])
    def test_judges_by_the_status_code(
        self, probe: Probe, port: int, authority: Authority, path: str, state: State
    ) -> None:
        [reading] = probe("http", f"https://{HERE}:{port}/{path}", trust=authority.pem)
        assert reading.state is state

    def test_trusts_only_whom_the_component_trusts(self, probe: Probe, port: int, other_authority: Authority) -> None:
        for trust in (other_authority.pem, None):
            [reading] = probe("http", f"https://{HERE}:{port}/", trust=trust)
            assert reading.state is DOWN
            assert "does not prove its identity" in reading.detail

    def test_is_unknown_when_the_certificate_to_trust_is_invalid(self, probe: Probe, port: int) -> None:
        [reading] = probe("http", f"https://{HERE}:{port}/", trust="not a certificate")
        assert reading.state is UNKNOWN


class TestSsh:
    def test(self, probe: Probe, tmp_path: Path, ssh_key: str) -> None:
        port = free_port()
        with servers.sshd(tmp_path, port, person=USER.name, password=USER.password) as key:
            place = f"{HERE}:{port}"
            assert [r.state for r in probe("ssh", place, person=USER, trust=key, times=3)] == [UP] * 3
            [stranger] = probe("ssh", place, person=Person(USER.name, "wrong"), trust=key)
            [impostor] = probe("ssh", place, person=USER, trust=ssh_key)
            [untold] = probe("ssh", place, person=USER, trust="rubbish")
        assert (stranger.state, impostor.state, untold.state) == (DOWN, DOWN, UNKNOWN)
        assert "Authentication failed" in stranger.detail
        assert "host key" in impostor.detail.lower()

    def test_loses_a_kept_login_when_its_server_ends(self, probe: Probe, tmp_path: Path) -> None:
        port = free_port()
        with ExitStack() as stack:
            key = stack.enter_context(servers.sshd(tmp_path, port, person=USER.name, password=USER.password))
            stop = stack.pop_all().close
            readings = probe("ssh", f"{HERE}:{port}", person=USER, trust=key, times=2, between=stop)
        assert [r.state for r in readings] == [UP, DOWN]


class TestSip:
    @pytest.mark.parametrize(("answer", "state"), [(200, UP), (404, UP), (503, DOWN)])
    def test(self, probe: Probe, tmp_path: Path, answer: int, state: State) -> None:
        port = free_port(socket.SOCK_DGRAM)
        with servers.kamailio(tmp_path, port, answer=answer):
            [reading] = probe("sip", f"{HERE}:{port}")
        assert (reading.state, str(answer) in reading.detail) == (state, True)


class TestXmpp:
    def test(self, probe: Probe, tmp_path: Path) -> None:
        port = free_port()
        with servers.prosody(tmp_path, port):
            [served] = probe("xmpp", f"{HERE}:{port}/a1.example")
            [other] = probe("xmpp", f"{HERE}:{port}/a2.example")
        assert (served.state, other.state) == (UP, DOWN)
        assert other.detail == "a2.example: the stream was refused: host-unknown"


class TestLdap:
    ADMIN = Person("cn=admin,dc=example", "s3cret")

    def test(self, probe: Probe, tmp_path: Path, authority: Authority, other_authority: Authority) -> None:
        port, secure = free_port(), free_port()
        plain, tls = f"ldap://{HERE}:{port}", f"ldaps://{HERE}:{secure}"
        with servers.slapd(tmp_path, authority, port, secure=secure, password=self.ADMIN.password):
            assert [r.state for r in probe("ldap", plain, person=self.ADMIN, times=3)] == [UP] * 3
            assert [r.state for r in probe("ldap", tls, person=self.ADMIN, trust=authority.pem)] == [UP]
            assert [r.state for r in probe("ldap", plain)] == [UP]
            [stranger] = probe("ldap", plain, person=Person(self.ADMIN.name, "wrong"))
            [impostor] = probe("ldap", tls, person=self.ADMIN, trust=other_authority.pem)
        assert (stranger.state, impostor.state) == (DOWN, DOWN)
        assert stranger.detail.endswith("refuses the bind: invalidCredentials")
