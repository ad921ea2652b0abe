#!/usr/bin/python
"""Ansible module: the baseline of every host, whatever it serves."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_baseline
short_description: A firewall that admits only what is declared, and ssh by key only
description:
  - Makes the host drop every packet that is not admitted. Management networks can reach ssh, and O(admits) lists what
    else is admitted, by source. Forwarded packets must be accepted and marked by the table of an agency.
  - The rules of each O(owner) are in a separate file; all files are loaded together. The rules in force are compared
    with the files, so that rules added or removed by hand are found.
  - Refuses to shut out the connection that the module itself uses.
options:
  management:
    description: Networks and addresses from which the host is managed.
    type: list
    elements: str
    required: true
  owner:
    description: The owner of the rules in O(admits). It becomes the name of a file.
    type: str
    required: true
  admits:
    description: What is admitted for the owner.
    type: list
    elements: dict
    default: []
    suboptions:
      address: {type: str, required: true, description: Address of the host that is reached.}
      protocol: {type: str, required: true, choices: [tcp, udp], description: The protocol.}
      port: {type: int, required: true, description: The port.}
      sources: {type: list, elements: str, required: true, description: Networks and addresses that may connect.}
  state:
    description: V(absent) removes the owner's rules, and leaves the rest in force.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    support: full
    description: Says what would change.
  diff_mode:
    support: full
    description: One diff for each file, and one for the rules in force.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Protect the host
  host_baseline:
    management: [192.0.2.10]
    owner: ministry-of-testing.service-desk
    admits:
      - {address: 192.0.2.21, protocol: tcp, port: 443, sources: [192.0.2.11]}
"""

RETURN = r"""
lacks:
  description: Missing Debian packages, without which no rules can be loaded. If there are any, nothing was done.
  returned: always
  type: list
  elements: str
"""

import fcntl
import os
import re
import shutil
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.nft_rules import declared, in_force

FOLDER = Path("/etc/host-firewall")
MAIN = FOLDER / "main.nft"
UNIT = Path("/etc/systemd/system/host-firewall.service")
SSH = Path("/etc/ssh/sshd_config.d/05-managed-host.conf")
LOCK = Path("/run/host-firewall.lock")
ANYWHERE = "0.0.0.0/0"
RULES = """# Everything that is let into this host. Files of owners say what each of them admits.
table inet host_firewall
delete table inet host_firewall
table inet host_firewall {{
    chain input {{
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        iifname "lo" accept
        icmp type {{ echo-request, destination-unreachable, time-exceeded, parameter-problem }} accept
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert }} accept
        ip saddr {{ {management} }} tcp dport {port} accept
        # The table of an agency marks what it has looked at, and drops what it does not want.
        meta mark 0x6f72 accept
        include "/etc/host-firewall/*.rules"
    }}
    chain forward {{
        type filter hook forward priority filter; policy drop;
        meta mark 0x6f72 accept
    }}
}}
"""
UNIT_TEXT = """[Unit]
Description=What is let into this host
# Before anything is reachable that it protects.
DefaultDependencies=no
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
After=local-fs.target

[Service]
Type=oneshot
RemainAfterExit=true
ExecStart=/usr/sbin/nft --file /etc/host-firewall/main.nft

[Install]
WantedBy=multi-user.target
"""
SSH_TEXT = """# What a service lets its users do besides, its own file says for them alone.
PasswordAuthentication no
KbdInteractiveAuthentication no
X11Forwarding no
"""
TABLE = "host_firewall"


def rules_of(admits: list[dict[str, Any]]) -> str:
    """Return the rules that admit these, one a line. What anyone may reach is admitted at every address of the host."""
    lines = []
    for one in admits:
        saddr, daddr = f"ip saddr {{ {', '.join(one['sources'])} }} ", f"ip daddr {one['address']} "
        what = f"{one['protocol']} dport {one['port']} accept\n"
        lines.append(what if ANYWHERE in one["sources"] else saddr + daddr + what)
    return "".join(lines)


def checked(module: AnsibleModule) -> int:
    """Fail on invalid addresses and names, as they become lines of the firewall and names of files, and on rules that
    would shut us out. Return the port through which the host is managed."""
    given = module.params
    if not re.fullmatch(r"[a-z0-9_.-]+", given["owner"]):
        module.fail_json(msg=f"{given['owner']!r} cannot be the name of a file")
    try:
        networks = [IPv4Network(text) for text in given["management"]]
        for one in given["admits"]:
            IPv4Address(one["address"])
            [IPv4Network(text) for text in one["sources"]]
    except ValueError as error:
        module.fail_json(msg=str(error))
    if not networks:
        module.fail_json(
            msg="site_management is empty: list in group_vars/all.yml the addresses that manage the site's hosts"
        )
    # Tasks that a resident runs are no descendants of the connection they came by.
    came_from, port = connection(int(os.environ.get("ORCHESTRATOR_CALLER", os.getpid())))
    if not came_from:
        return port
    if ":" in came_from:
        module.fail_json(msg=f"this host is managed over IPv6, from {came_from}, which its firewall would not admit")
    if not any(IPv4Address(came_from) in network for network in networks):
        module.fail_json(msg=f"site_management does not contain {came_from}, from which this host is managed now")
    return port


def connection(process: int) -> tuple[str, int]:
    """Return the client's address and our port of the ssh connection that a process belongs to; if it belongs to none,
    an empty address and the standard port of ssh."""
    while process > 1:
        folder = Path("/proc", str(process))
        for variable in (folder / "environ").read_bytes().split(b"\0"):
            if variable.startswith(b"SSH_CONNECTION="):
                address, _, _, port = variable.partition(b"=")[2].decode().split()
                return address, int(port)
        process = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    return "", 22


class Host:
    """The host's files and rules, and the differences found."""

    def __init__(self, module: AnsibleModule, port: int) -> None:
        self._module, self._port = module, port
        self.diff: list[dict[str, str]] = []

    def run(self, command: str) -> str:
        """Run a command that must succeed, and return its output."""
        status, output, errors = self._module.run_command(command, use_unsafe_shell=True)
        if status != 0:
            self._module.fail_json(msg=f"{command}: {errors or output}")
        return str(output)

    def has(self, path: Path, content: str | None) -> bool:
        """Make the file have this content, or remove it. Return whether it changed."""
        before = path.read_text() if path.exists() else None
        if before == content:
            return False
        self.differ(str(path), before or "", content or "")
        if not self._module.check_mode:
            if content is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                new = path.with_suffix(".new")
                new.write_text(content)
                new.chmod(0o644)
                new.rename(path)
        return True

    def differ(self, what: str, before: str, after: str) -> None:
        """Record a difference."""
        self.diff.append({"before_header": what, "after_header": what, "before": before, "after": after})

    def protect(self) -> None:
        """Write the files, and put their rules in force."""
        given = self._module.params
        kept = given["state"] == "present" and given["admits"]
        files = self.has(FOLDER / f"{given['owner']}.rules", rules_of(given["admits"]) if kept else None)
        if given["state"] == "present":
            files |= self.has(MAIN, RULES.format(management=", ".join(given["management"]), port=self._port))
            if self.has(SSH, SSH_TEXT) and not self._module.check_mode:
                self.run("sshd -t && systemctl reload ssh.service")
            unit = self.has(UNIT, UNIT_TEXT)
            if not Path("/etc/systemd/system/multi-user.target.wants", UNIT.name).is_symlink() or unit:
                self.start()
        if MAIN.exists() and not (files and self._module.check_mode):
            self.enforce()

    def start(self) -> None:
        """Start the firewall whenever the host boots."""
        self.differ(UNIT.name, "", "enabled\n")
        if not self._module.check_mode:
            self.run(f"systemctl daemon-reload && systemctl enable --now {UNIT.name}")

    def enforce(self) -> None:
        """Compare the rules in force with the files, and load the files if they differ."""
        found, wanted = in_force(self._module, TABLE), declared(self._module, MAIN, TABLE)
        if found != wanted:
            self.differ("rules in force", found, wanted)
            if not self._module.check_mode:
                self.run(f"nft --file {MAIN}")


def main() -> None:
    """Protect the host and report the differences."""
    admitted = {
        "address": {"type": "str", "required": True},
        "protocol": {"type": "str", "choices": ["tcp", "udp"], "required": True},
        "port": {"type": "int", "required": True},
        "sources": {"type": "list", "elements": "str", "required": True},
    }
    module = AnsibleModule(
        argument_spec={
            "management": {"type": "list", "elements": "str", "required": True},
            "owner": {"type": "str", "required": True},
            "admits": {"type": "list", "elements": "dict", "options": admitted, "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    port = checked(module)
    if shutil.which("nft") is None:
        wanted = module.params["state"] == "present"
        module.exit_json(changed=wanted, lacks=["nftables"] if wanted else [])
    host = Host(module, port)
    with LOCK.open("w") as lock:
        # Steps of several agencies may work on one host at the same time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        host.protect()
    module.exit_json(changed=bool(host.diff), diff=host.diff, lacks=[])


if __name__ == "__main__":
    main()
