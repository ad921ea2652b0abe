#!/usr/bin/python
"""Ansible module: dial in to an agency's access server as a person does."""

from __future__ import annotations

DOCUMENTATION = r"""
module: access_login
short_description: Dials in to an access server as a person does, and tries what must be refused
description:
  - For as long as it takes, somebody is on the lists whom nobody knows, with a password and a key made here. So no code
    of a real person is used up, and no session of one ends.
  - Dials in with the OpenConnect client, gets an address of O(network), and reaches each of O(ways) that the host
    itself reaches, as the control, and nothing of the host.
  - Proves that a wrong password, a wrong code, no code and a used code are refused, and that the server tells who is
    connected. Fails if the lists, or those who are connected, are not as ordered.
  - Does not count as a change.
options:
  namespace:
    description: Network namespace of this host to dial in from.
    type: str
    required: true
  host:
    description: Address of the server, which its certificate must name.
    type: str
    required: true
  port:
    description: Its port.
    type: int
    required: true
  authority:
    description: The certificate authority of the server, as PEM text.
    type: str
    required: true
  network:
    description: The network of those who dial in.
    type: str
    required: true
  ways:
    description: What they may reach. Only ports of TCP are tried.
    type: list
    elements: dict
    required: true
    suboptions:
      address: {type: str, required: true, description: Address.}
      protocol: {type: str, required: true, description: Protocol.}
      port: {type: int, required: true, description: Port.}
      direct: {type: bool, description: Means nothing here.}
  lists:
    description: Where an agency's lists are, as M(access_people) describes them.
    type: dict
    required: true
    suboptions:
      folder: {type: path, required: true, description: Folder of passwords and accounts.}
      state: {type: path, required: true, description: Folder in which the server notes which codes were used.}
      control: {type: path, required: true, description: Socket by which the server is controlled.}
      number: {type: int, required: true, description: Number of the user of the server's processes.}
  passwords:
    description: Digests of passwords, by name of the person.
    type: dict
    required: true
  keys:
    description: Keys of one-time codes, by name of the person.
    type: dict
    required: true
  timeout:
    description: Time limit for one login, in seconds.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: The same as in normal mode, because nothing is changed.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Dial in
  access_login:
    namespace: away3
    host: 192.0.2.91
    port: 24433
    authority: "{{ authority }}"
    network: 10.65.3.0/24
    ways: [{address: 192.0.2.21, protocol: tcp, port: 443}]
    lists: "{{ lists }}"
    passwords: {ada: "{{ digest }}"}
    keys: {ada: "{{ key }}"}
"""

RETURN = r"""
address:
  description: The address that was given.
  returned: success
  type: str
reached:
  description: What was reached, one C(address:port) each.
  returned: success
  type: list
  elements: str
connected:
  description: Names of people who were connected, one for each session.
  returned: success
  type: list
  elements: str
"""

import json
import os
import re
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from ansible.module_utils.access_lists import LISTS, Lists, Login, end, sessions
from ansible.module_utils.answering_ports import answering, answering_in
from ansible.module_utils.basic import AnsibleModule

VISITOR = "verify-access"
"""Names of people have no hyphen."""
CONFIGURED = re.compile(rb"Configured as ([0-9.]+)")
PATIENCE, SILENCE = 4, 1
"""Seconds within which a port answers that should; seconds without an answer from one that should not."""


class VerificationError(Exception):
    """Remote access does not work as people expect. The message says why."""


def run(command: list[str], given: str) -> str:
    """Return what a program prints that reads a secret. It must succeed."""
    return subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout.strip()


class Visitor:
    """Somebody whom the server knows for as long as we try."""

    def __init__(self, given: dict[str, Any], authority: str) -> None:
        self._given, self._authority = given, authority
        self.password, self.key = secrets.token_hex(16), secrets.token_hex(20)
        self.login = Login(run(["openssl", "passwd", "-6", "-stdin"], self.password), self.key)

    def code(self, seconds: int = 0) -> str:
        """Return the code that holds now, or did or will at another time."""
        return run(["oathtool", "--totp", "--now", f"{seconds} seconds", "-"], self.key)

    def client(self, password: str, code: str, *more: str) -> subprocess.Popen[bytes]:
        """Start a client that logs in."""
        given = self._given
        command = ["ip", "netns", "exec", given["namespace"], "openconnect", "--user", VISITOR, "--non-inter"]
        command += ["--passwd-on-stdin", "--no-system-trust", "--cafile", self._authority, *more]
        client = subprocess.Popen(
            [*command, f"https://{given['host']}:{given['port']}/"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert client.stdin
        client.stdin.write(f"{password}\n{code}\n".encode())
        client.stdin.close()
        client.stdin = None
        return client

    def is_let_in(self, password: str, code: str) -> bool:
        """Whether a login succeeds. No session follows."""
        client = self.client(password, code, "--authenticate")
        try:
            client.communicate(timeout=self._given["timeout"])
        finally:
            client.kill()
        return client.returncode == 0

    @contextmanager
    def session(self, code: str) -> Iterator[IPv4Address]:
        """Dial in, and hang up at the end."""
        client = self.client(self.password, code)
        try:
            address = self._configured(client)
            self._await_routes(address)
            yield address
        finally:
            client.terminate()
            try:
                client.wait(10)
            except subprocess.TimeoutExpired:
                client.kill()

    def _configured(self, client: subprocess.Popen[bytes]) -> IPv4Address:
        """Wait until the client has an address, and return it."""
        assert client.stdout
        os.set_blocking(client.stdout.fileno(), False)
        told, deadline = b"", time.monotonic() + self._given["timeout"]
        while time.monotonic() < deadline:
            ended = client.poll() is not None
            told += client.stdout.read() or b""
            if found := CONFIGURED.search(told):
                return IPv4Address(found[1].decode())
            if ended:
                break
            time.sleep(0.05)
        lines = told.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise VerificationError(f"nobody can dial in: {'; '.join(lines[-3:])}")

    def _await_routes(self, address: IPv4Address) -> None:
        """Wait until everything declared is led there. A client tells its address before it has made its routes, and a
        connection that begins in between has another source for ever."""
        deadline = time.monotonic() + self._given["timeout"]
        for place in sorted({way["address"] for way in self._given["ways"]}):
            asked = ["ip", "-n", self._given["namespace"], "-json", "route", "get", place]
            while json.loads(run(asked, ""))[0].get("prefsrc") != str(address):
                if time.monotonic() > deadline:
                    raise VerificationError(f"who dials in is not led to {place}")
                time.sleep(0.05)


@contextmanager
def known(lists: Lists, people: dict[str, Login], visitor: Visitor) -> Iterator[None]:
    """Have a visitor on the lists, and be sure that they are not at the end."""
    with lists.locked():
        lists.write({**people, VISITOR: visitor.login})
    try:
        yield
    finally:
        with lists.locked():
            lists.write(people)


def check_lists(lists: Lists, people: dict[str, Login]) -> None:
    """Fail if others may log in, or with other secrets."""
    found = lists.people()
    wrong = sorted(name for name in {**found, **people} if found.get(name) != people.get(name))
    if wrong:
        raise VerificationError(f"not on the lists as ordered: {', '.join(wrong)}")
    if lists.accounts_differ(list(people)):
        raise VerificationError("the accounts are not those of the people on the list")
    if lists.is_stuck():
        raise VerificationError("a login that was killed has left its lock, and no code is accepted")


def check_refusals(visitor: Visitor) -> None:
    """Fail if anybody is let in who must not be."""
    tries = {
        "a wrong password": (visitor.password[::-1] + "x", visitor.code()),
        "a code of ten minutes ago": (visitor.password, visitor.code(-600)),
        "no code": (visitor.password, ""),
    }
    for what, (password, code) in tries.items():
        if visitor.is_let_in(password, code):
            raise VerificationError(f"somebody with {what} is let in")


def check_session(module: AnsibleModule, lists: Lists, people: dict[str, Login], address: IPv4Address) -> list[str]:
    """Fail if the server does not tell that we are connected, or tells of somebody who may not be. Return who else is
    connected."""
    if address not in IPv4Network(module.params["network"]):
        raise VerificationError(f"{address} is not an address of {module.params['network']}")
    found = sessions(module, lists)
    if (VISITOR, str(address)) not in [(one["Username"], one.get("IPv4")) for one in found]:
        raise VerificationError("the server does not tell that somebody is connected")
    others = sorted(one["Username"] for one in found if one["Username"] != VISITOR)
    if strangers := [name for name in others if name not in people]:
        raise VerificationError(f"connected, and not on the list: {', '.join(strangers)}")
    return others


def check_reach(given: dict[str, Any]) -> list[str]:
    """Fail if something is not reached that is declared and that this host reaches, or if this host is."""
    ways = [(way["address"], way["port"]) for way in given["ways"] if way["protocol"] == "tcp"]
    # The server's own address on the network: there ssh answers this host.
    own = (str(IPv4Network(given["network"])[1]), 22)
    controls = answering(ways, PATIENCE)
    found = answering_in(given["namespace"], sorted(controls), PATIENCE)
    if missing := sorted(controls - found):
        raise VerificationError(f"who dials in does not reach {', '.join(f'{a}:{p}' for a, p in missing)}")
    if not answering([own], PATIENCE):
        raise VerificationError(f"ssh of this host does not answer it at {own[0]}, so that silence there shows nothing")
    if answering_in(given["namespace"], [own], SILENCE):
        raise VerificationError(f"who dials in reaches the host itself, at {own[0]}:{own[1]}")
    return [f"{address}:{port}" for address, port in sorted(found)]


def verified(module: AnsibleModule, authority: str) -> dict[str, Any]:
    """Dial in and try everything; return what was found."""
    given, lists = module.params, Lists.of(module.params["lists"])
    people = {name: Login(password, given["keys"][name]) for name, password in given["passwords"].items()}
    check_lists(lists, people)
    visitor = Visitor(given, authority)
    with known(lists, people, visitor):
        try:
            check_refusals(visitor)
            code = visitor.code()
            with visitor.session(code) as address:
                connected = check_session(module, lists, people, address)
                reached = check_reach(given)
            if visitor.is_let_in(visitor.password, code):
                raise VerificationError("a code is good twice")
        finally:
            end(module, lists, [one for one in sessions(module, lists) if one["Username"] == VISITOR])
    return {"address": str(address), "reached": reached, "connected": connected}


def main() -> None:
    """Run as an Ansible module."""
    way = {
        "address": {"type": "str", "required": True},
        "protocol": {"type": "str", "required": True},
        "port": {"type": "int", "required": True},
        "direct": {"type": "bool"},
    }
    module = AnsibleModule(
        argument_spec={
            **{name: {"type": "str", "required": True} for name in ("namespace", "host", "authority", "network")},
            "port": {"type": "int", "required": True},
            "ways": {"type": "list", "elements": "dict", "options": way, "required": True},
            "lists": {"type": "dict", "required": True, "options": LISTS},
            "passwords": {"type": "dict", "required": True, "no_log": True},
            "keys": {"type": "dict", "required": True, "no_log": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as authority:
        authority.write(module.params["authority"])
        authority.flush()
        try:
            found = verified(module, authority.name)
        except (VerificationError, OSError, ValueError, subprocess.SubprocessError) as error:
            module.fail_json(msg=str(error))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
