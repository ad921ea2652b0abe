"""Somebody elsewhere who dials in to access servers: a network namespace of their host, with the real client."""

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

from orchestrator.domain.runs.assignment import password_of, totp_key_of
from tests.playbooks.conftest import ALPHA, Steps, Tenant, secrets_of

HOME = """ip netns add home; ip link add home0 type veth peer name eth0 netns home
ip address add 198.19.0.1/24 dev home0; ip link set home0 up; ip -n home link set lo up
ip -n home address add 198.19.0.2/24 dev eth0; ip -n home link set eth0 up; ip -n home route add default via 198.19.0.1
"""
CLIENT = "ip netns exec home openconnect --non-inter --passwd-on-stdin --no-system-trust"


def code_of(key: str, step: int) -> str:
    """The code of thirty seconds, as an app on somebody's telephone computes it (RFC 4226)."""
    mac = hmac.new(bytes.fromhex(key), step.to_bytes(8, "big"), hashlib.sha1).digest()
    at = mac[-1] & 15
    return f"{(int.from_bytes(mac[at : at + 4], 'big') & 0x7FFFFFFF) % 10**6:06d}"


@dataclass
class Remote:
    """Somebody elsewhere, with the client that people use. Each login has a later code than the one before."""

    steps: Steps
    used: dict[str, int] = field(default_factory=dict)

    def secrets(self, tenant: Tenant, person: str) -> tuple[str, str]:
        """A person's password and key."""
        told = secrets_of(tenant, "flexible-working", self.steps.source)
        return password_of(person, told["users_password"]), totp_key_of(person, told["users_totp"])

    def code(self, tenant: Tenant, person: str) -> str:
        step = max(int(time.time() // 30), self.used.get(person, 0) + 1)
        while step > time.time() // 30 + 1:
            time.sleep(0.2)
        self.used[person] = step
        return code_of(self.secrets(tenant, person)[1], step)

    def command(self, tenant: Tenant, person: str, more: str = "", *, authority: Tenant | None = None) -> str:
        trusted = f"/etc/agency-access/{(authority or tenant).id}/authority.pem"
        port = tenant.allocations()["access_port"].block
        where = f"https://{self.steps.site.hosts['access1'].address}:{port}/"
        return f"{CLIENT} --user {person} --cafile {trusted} {more} {where}"

    def log_in(self, tenant: Tenant, person: str, **told: Any) -> str | None:
        """The cookie of a login, None if it is refused. What is not told is the person's own."""
        password, code = told.pop("password", None), told.pop("code", None)
        password = self.secrets(told.get("whose", tenant), person)[0] if password is None else password
        code = self.code(told.pop("whose", tenant), person) if code is None else code
        command = self.command(tenant, person, "--authenticate", **told)
        done = self.steps.try_on("access1", f"printf '{password}\\n{code}\\n' | timeout 60 {command} 2>&1")
        cookies = [line for line in done.stdout.splitlines() if line.startswith("COOKIE=")]
        assert (done.returncode == 0) == bool(cookies), done.stdout
        return cookies[0].removeprefix("COOKIE=").strip("'") if cookies else None

    def dial_in(
        self, tenant: Tenant, person: str, *, unit: str = "dial", interface: str = "tun0", cookie: str | None = None
    ) -> str:
        """Stay connected, and return what the client says, once it has an address or has ended. With a cookie of a
        login, no password and no code are given."""
        told = cookie or f"{self.secrets(tenant, person)[0]}\n{self.code(tenant, person)}"
        given, log = f"/run/{unit}.in", f"/run/{unit}.log"
        streams = f"-p StandardInput=file:{given} -p StandardOutput=append:{log} -p StandardError=inherit"
        client = self.command(tenant, person, f"--interface {interface} --verbose")
        client = client.replace("--passwd-on-stdin", "--cookie-on-stdin") if cookie else client
        return self.steps.on(
            "access1",
            f"""umask 077; printf '%s\n' '{told}' >{given}; : >{log}; systemctl reset-failed {unit} 2>/dev/null
systemd-run --quiet --unit={unit} {streams} {client}
until grep -q 'Configured as' {log}; do systemctl -q is-active {unit} || break; sleep 0.1; done
rm {given}; cat {log}""",
        )

    def break_off(self, unit: str) -> None:
        """Lose the connection, as a device does that loses its network for good."""
        self.steps.on(
            "access1", f"systemctl kill --signal=KILL {unit}; while systemctl -q is-active {unit}; do :; done"
        )

    def is_connected(self, unit: str = "dial") -> bool:
        return self.steps.try_on("access1", f"systemctl is-active {unit}").stdout.strip() == "active"

    def sessions(self, tenant: Tenant = ALPHA) -> list[dict[str, Any]]:
        """Who is connected, as docs/operating.md says how to see it."""
        show = f"occtl --json --socket-file /run/agency-access/{tenant.id}/control/occtl show users"
        found: list[dict[str, Any]] = json.loads(self.steps.on("access1", show))
        return [one for one in found if one["State"] == "connected"]

    def reaches(self, address: str, port: int | str) -> bool:
        """Whether who is connected reaches a port through the tunnel."""
        ask = f"timeout 2 bash -c '</dev/tcp/{address}/{port}'"
        self.steps.on("access1", f"ip -n home route replace {address} dev tun0")
        return self.steps.try_on("access1", f"ip netns exec home {ask}").returncode == 0
