#!/usr/bin/python
"""Ansible module: a device on a network for as long as a check takes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: throwaway_device
short_description: Connects a device to a bridge for as long as a check takes
description:
  - A network namespace with one interface on a bridge of the host simulates a device that an agency plugs in.
  - It requests a DHCP lease as any device does, or takes a fixed address on a bridge made for it.
  - V(absent) removes what V(present) makes, including lease and bridge. Neither counts as a change.
options:
  name:
    description: Name of the namespace, at most 11 characters.
    type: str
    required: true
  state:
    description: Whether the device should exist.
    choices: [present, absent]
    type: str
    default: present
  bridge:
    description: The bridge to connect it to. It must exist, unless O(router) is given.
    type: str
    required: true
  router:
    description:
      - Address of the host on a bridge made and removed together with the device, with its prefix.
      - The device takes the next address. When omitted, the device requests a lease.
    type: str
  timeout:
    description: Seconds to wait for each answer of the DHCP server, in each of five attempts.
    type: int
    default: 2
author:
  - The shared service orchestrator's authors
"""

EXAMPLES = r"""
- name: Plug a device in
  throwaway_device:
    name: device
    bridge: agency7
  register: device
"""

RETURN = r"""
address:
  description: Address of the device.
  type: str
  returned: when present
lease:
  description: What the DHCP server gave, by C(router), C(dns), C(domain), C(seconds), C(boot_server) and C(boot_file).
  type: dict
  returned: when the device requested a lease
"""

import fcntl
import os
import socket
import struct
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.network_namespace import enter

ATTEMPTS = 15
COOKIE = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACKNOWLEDGE, RELEASE = 1, 2, 3, 5, 7
MASK, ROUTER, DNS, DOMAIN, REQUESTED, SECONDS, KIND, SERVER, PARAMETERS = 1, 3, 6, 15, 50, 51, 53, 54, 55
BOOT_SERVER, BOOT_FILE = 66, 67
SIOCGIFHWADDR = 0x8927
INTERFACE = "eth0"


class NoLeaseError(Exception):
    """No DHCP server gave the device an address."""


def hardware_address(connection: socket.socket) -> bytes:
    """Return the address of the device's interface."""
    answer = fcntl.ioctl(connection.fileno(), SIOCGIFHWADDR, struct.pack("256s", INTERFACE.encode()))
    return bytes(answer[18:24])


def message(kind: int, hardware: bytes, transaction: bytes, options: dict[int, bytes], address: str) -> bytes:
    """Return a DHCP message (RFC 2131) of a client at `address`."""
    # 0x8000: answer by broadcast, because a client without an address cannot be reached otherwise.
    head = struct.pack(">BBBB4sHH", 1, 1, 6, 0, transaction, 0, 0 if kind == RELEASE else 0x8000)
    addresses = socket.inet_aton(address) + bytes(12)
    body = b"".join(bytes((code, len(value))) + value for code, value in {KIND: bytes((kind,)), **options}.items())
    return head + addresses + hardware + bytes(10 + 64 + 128) + COOKIE + body + b"\xff"


def options_of(packet: bytes) -> dict[int, bytes]:
    """Return the options of a DHCP message by their codes."""
    found, rest = {}, packet[240:]
    while rest and rest[0] != 255:
        if rest[0] == 0:
            rest = rest[1:]
            continue
        found[rest[0]], rest = rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
    return found


def ask(connection: socket.socket, request: bytes, expected: int, seconds: int) -> tuple[str, dict[int, bytes], bytes]:
    """Send a message until the expected answer arrives; return the address given, the options and the whole answer."""
    connection.settimeout(seconds)
    for _attempt in range(ATTEMPTS):
        connection.sendto(request, ("255.255.255.255", 67))
        try:
            while True:
                packet = connection.recv(2048)
                options = options_of(packet)
                if packet[4:8] == request[4:8] and options.get(KIND) == bytes((expected,)):
                    return socket.inet_ntoa(packet[16:20]), options, packet
        except TimeoutError:
            continue
    raise NoLeaseError(f"no DHCP server answered within {ATTEMPTS * seconds} s")


def client() -> socket.socket:
    """Return a socket that works before the device has an address."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, INTERFACE.encode())
    connection.bind(("0.0.0.0", 68))  # noqa: S104, in the device's own namespace
    return connection


def take_lease(seconds: int) -> tuple[IPv4Interface, dict[str, Any]]:
    """Return the address that a DHCP server gives to this device, and the other facts of the lease."""
    wanted = bytes((MASK, ROUTER, DNS, DOMAIN, BOOT_SERVER, BOOT_FILE))
    with client() as connection:
        hardware, transaction = hardware_address(connection), os.urandom(4)
        discover = message(DISCOVER, hardware, transaction, {PARAMETERS: wanted}, "0.0.0.0")  # noqa: S104
        offered, options, _ = ask(connection, discover, OFFER, seconds)
        choice = {REQUESTED: socket.inet_aton(offered), SERVER: options[SERVER], PARAMETERS: wanted}
        request = message(REQUEST, hardware, transaction, choice, "0.0.0.0")  # noqa: S104
        address, options, packet = ask(connection, request, ACKNOWLEDGE, seconds)
    mask = socket.inet_ntoa(options[MASK])
    # A server may put the boot file into the fixed fields of the message instead of into options.
    lease = {
        "router": socket.inet_ntoa(options[ROUTER][:4]) if ROUTER in options else None,
        "dns": [socket.inet_ntoa(options[DNS][at : at + 4]) for at in range(0, len(options.get(DNS, b"")), 4)],
        "domain": text(options.get(DOMAIN, b"")),
        "seconds": struct.unpack(">L", options[SECONDS])[0],
        "boot_server": text(options.get(BOOT_SERVER, b"")) or socket.inet_ntoa(packet[20:24]),
        "boot_file": text(options.get(BOOT_FILE, b"") or packet[108:236]),
    }
    return IPv4Interface(f"{address}/{mask}"), lease


def text(value: bytes) -> str:
    """Return the text before the padding."""
    return value.split(b"\0")[0].decode(errors="replace")


def give_back(address: str, server: str) -> None:
    """Release the lease at the DHCP server."""
    with client() as connection:
        options = {SERVER: socket.inet_aton(server)}
        release = message(RELEASE, hardware_address(connection), os.urandom(4), options, address)
        connection.sendto(release, (server, 67))


def present(module: AnsibleModule) -> dict[str, Any]:
    """Make the device and return its address and lease."""
    name, bridge, router = module.params["name"], module.params["bridge"], module.params["router"]
    end = f"{name}-up"

    def ip(*arguments: str) -> None:
        module.run_command(["ip", *arguments], check_rc=True)

    if router:
        ip("link", "add", bridge, "type", "bridge")
        ip("address", "add", router, "dev", bridge)
        ip("link", "set", bridge, "up")
    ip("netns", "add", name)
    ip("link", "add", end, "type", "veth", "peer", "name", INTERFACE, "netns", name)
    ip("link", "set", end, "master", bridge, "up")
    ip("-n", name, "link", "set", "lo", "up")
    ip("-n", name, "link", "set", INTERFACE, "up")
    enter(name)
    if router:
        gateway = IPv4Interface(router)
        interface, result = IPv4Interface((gateway.ip + 1, gateway.network.prefixlen)), {}
        via = str(gateway.ip)
    else:
        interface, lease = take_lease(module.params["timeout"])
        via, result = lease["router"], {"lease": lease}
    ip("address", "add", str(interface), "dev", INTERFACE)
    if via:
        ip("route", "add", "default", "via", via)
    return {"address": str(interface.ip), **result}


def absent(module: AnsibleModule) -> None:
    """Remove the device, or whatever part of it exists."""
    name = module.params["name"]
    if Path("/run/netns", name).exists():
        if not module.params["router"]:
            _, found, _ = module.run_command(["ip", "-n", name, "-oneline", "-4", "address", "show", "dev", INTERFACE])
            _, routes, _ = module.run_command(["ip", "-n", name, "route", "show", "default"])
            if found and routes:
                child = os.fork()  # a process cannot leave a namespace, and a namespace in use cannot be removed
                if child == 0:
                    try:
                        enter(name)
                        give_back(found.split()[3].partition("/")[0], routes.split()[2])
                    finally:
                        os._exit(0)
                os.waitpid(child, 0)
        module.run_command(["ip", "netns", "delete", name], check_rc=True)
    # Both disappear with the namespace, but not at once.
    leftovers = [f"{name}-up", *([module.params["bridge"]] if module.params["router"] else [])]
    for interface in leftovers:
        if Path("/sys/class/net", interface).exists():
            module.run_command(["ip", "link", "delete", interface])


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "bridge": {"type": "str", "required": True},
            "router": {"type": "str"},
            "timeout": {"type": "int", "default": 2},
        },
        supports_check_mode=True,
    )
    try:
        absent(module)
        result = present(module) if module.params["state"] == "present" else {}
    except (OSError, NoLeaseError) as error:
        module.fail_json(msg=f"no device on {module.params['bridge']}: {error}")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
