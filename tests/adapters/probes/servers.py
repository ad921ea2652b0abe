"""Real servers for each protocol, on this machine and for one test."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HERE = "127.0.0.1"
PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind((HERE, 0))
        return int(taken.getsockname()[1])


def program(name: str) -> str:
    """A server's program; the test is skipped if it is not installed."""
    found = shutil.which(name, path=PATH)
    if found is None:
        pytest.skip(f"this machine has no {name}")
    return found


def listens(port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex((HERE, port)) == 0


@contextmanager
def running(*command: object, ready: Callable[[], bool]) -> Iterator["subprocess.Popen[str]"]:
    """A foreground server, ready when the context begins, and stopped when it ends."""
    said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - the server's, closed when it has ended
    process = subprocess.Popen(list(map(str, command)), stdout=said, stderr=said, text=True, start_new_session=True)
    try:
        until = time.monotonic() + 20
        while not ready():
            if process.poll() is not None or time.monotonic() > until:
                said.seek(0)
                pytest.fail(f"{command[0]} did not start: {said.read()}")
            time.sleep(0.05)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        said.close()


class Authority:
    """A certificate authority, and a server's certificate by it for this machine."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = folder / "server.pem", folder / "server.key"
        authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of the tests")])
        mine = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A server of the tests")])
        address = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HERE))])
        ca = x509.BasicConstraints(ca=True, path_length=None)
        root = _builder(name, name, authority).add_extension(ca, critical=True).sign(authority, hashes.SHA256())
        server = _builder(mine, name, key).add_extension(address, critical=False).sign(authority, hashes.SHA256())
        self.pem = root.public_bytes(serialization.Encoding.PEM).decode()
        self.certificate.write_bytes(server.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


@contextmanager
def nginx(folder: Path, authority: Authority, port: int) -> Iterator[Path]:
    """A web server with TLS. Its log has the connection number of each request."""
    log = folder / "requests"
    (folder / "nginx.conf").write_text(f"""
        daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;
        events {{}}
        http {{
            log_format connections "$connection"; access_log {log} connections;
            client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
            uwsgi_temp_path {folder}; scgi_temp_path {folder};
            server {{
                listen {HERE}:{port} ssl; ssl_certificate {authority.certificate}; ssl_certificate_key {authority.key};
                location / {{ return 200 fine; }}
                location /broken {{ return 503; }}
                location /elsewhere {{ return 302 https://nowhere.invalid/; }}
            }}
        }}""")
    with running(program("nginx"), "-c", folder / "nginx.conf", "-e", folder / "errors", ready=lambda: listens(port)):
        yield log


@contextmanager
def dnsmasq(port: int) -> Iterator[None]:
    """A name server that knows one name and refuses all others."""
    options = ("--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file=", "--bind-interfaces", "--user=")
    where = (f"--port={port}", f"--listen-address={HERE}", "--host-record=gateway.a1.example,10.64.1.1")
    with running(program("dnsmasq"), "--keep-in-foreground", *options, *where, ready=lambda: listens(port)):
        yield


@contextmanager
def sshd(folder: Path, port: int, *, person: str, password: str) -> Iterator[str]:
    """An ssh server that lets one person in. Who that is stands in a password file only this server sees.

    Yields its public host key."""
    if os.geteuid() != 0:
        pytest.skip("only root may run an ssh server with a password file of its own")
    server, openssl = program("sshd"), program("openssl")
    key = folder / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    digest = subprocess.run(
        [openssl, "passwd", "-6", password], capture_output=True, text=True, check=True
    ).stdout.strip()
    (folder / "passwd").write_text(
        Path("/etc/passwd").read_text() + f"{person}:x:64321:64321::{folder}:/bin/sh\n",
    )
    (folder / "shadow").write_text(f"{person}:{digest}:20000:0:99999:7:::\n")
    (folder / "sshd.conf").write_text(
        f"Port {port}\nListenAddress {HERE}\nHostKey {key}\nUsePAM no\nPasswordAuthentication yes\nPidFile none\n"
        "StrictModes no\nAuthorizedKeysFile none\n"
    )
    folder.chmod(0o755)
    Path("/run/sshd").mkdir(exist_ok=True)
    bind = " && ".join(f"mount --bind {folder}/{name} /etc/{name}" for name in ("passwd", "shadow"))
    command = f"{bind} && exec {server} -D -e -f {folder}/sshd.conf"
    alone = ("unshare", "--mount", "--pid", "--fork", "--kill-child")  # sessions end with the server
    with running(*alone, "sh", "-c", command, ready=lambda: listens(port)):
        yield key.with_suffix(".pub").read_text()


@contextmanager
def slapd(folder: Path, authority: Authority, port: int, *, secure: int, password: str) -> Iterator[None]:
    """A directory that its administrator can bind to, and everybody except `cn=nobody`."""
    (folder / "tree").mkdir()
    (folder / "ca.pem").write_text(authority.pem)
    (folder / "slapd.conf").write_text(f"""
modulepath /usr/lib/ldap
moduleload back_mdb
include /etc/ldap/schema/core.schema
pidfile {folder}/slapd.pid
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {authority.certificate}
TLSCertificateKeyFile {authority.key}
database mdb
suffix "dc=example"
rootdn "cn=admin,dc=example"
rootpw {password}
directory {folder}/tree
""")
    where = f"ldap://{HERE}:{port}/ ldaps://{HERE}:{secure}/"
    with running(program("slapd"), "-f", folder / "slapd.conf", "-h", where, "-d", "0", ready=lambda: listens(secure)):
        yield


@contextmanager
def prosody(folder: Path, port: int) -> Iterator[None]:
    """A messaging server for one domain."""
    (folder / "prosody.cfg.lua").write_text(f"""
run_as_root = true
data_path = "{folder}"
pidfile = "{folder}/prosody.pid"
interfaces = {{ "{HERE}" }}
c2s_ports = {{ {port} }}
s2s_ports = {{ }}
modules_enabled = {{ "saslauth" }}
modules_disabled = {{ "s2s", "tls" }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
log = {{ error = "*console" }}
VirtualHost "a1.example"
""")
    with running(program("prosody"), "--config", folder / "prosody.cfg.lua", "-F", ready=lambda: listens(port)):
        yield


@contextmanager
def kamailio(folder: Path, port: int, *, answer: int) -> Iterator[None]:
    """A SIP server that gives everybody the same answer."""
    (folder / "kamailio.cfg").write_text(f"""
#!KAMAILIO
listen=udp:{HERE}:{port}
children=1
disable_tcp=yes
auto_aliases=no
loadmodule "sl.so"
request_route {{ sl_send_reply("{answer}", "Answer"); exit; }}
""")
    began = time.monotonic()
    command = (program("kamailio"), "-f", folder / "kamailio.cfg", "-DD", "-E", "-m", "32", "-M", "4", "-Y", folder)
    with running(*command, ready=lambda: time.monotonic() - began > 1.5):
        yield
