#!/usr/bin/python
"""Ansible module: log in to a host by ssh as its users do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ssh_login
short_description: Log in to a host by ssh as its users do
description:
  - Logs in with each of the O(passwords), runs O(command) and requires its output to be O(output).
  - The host must present a key that O(known_hosts) lists. Runs on the controller, with paramiko, and changes nothing.
options:
  host:
    description: Name or address of the host, as in O(known_hosts).
    type: str
    required: true
  port:
    description: Its TCP port.
    type: int
    default: 22
  known_hosts:
    description: File of pinned host keys.
    type: path
    required: true
  passwords:
    description: Passwords by user name.
    type: dict
    required: true
  command:
    description: The command that each user runs.
    type: str
    default: id -gn
  output:
    description: What the command must print.
    type: str
    required: true
  timeout:
    description: Time limit for each part of a login, in seconds.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: The same as in normal mode, because nothing is changed.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Log in as every user
  ssh_login:
    host: 10.0.0.7
    known_hosts: "{{ site_known_hosts_file }}"
    passwords: {user1: "{{ password }}"}
    output: agency-cabinet-office
  delegate_to: localhost
  become: false
"""

RETURN = r"""#"""

import paramiko
from ansible.module_utils.basic import AnsibleModule


def run_as(user: str, password: str, *, host: str, port: int, known_hosts: str, command: str, timeout: int) -> str:
    """Log in, run the command, and return its output."""
    with paramiko.SSHClient() as client:
        client.load_host_keys(known_hosts)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect(
            host,
            port,
            user,
            password,
            timeout=timeout,
            banner_timeout=timeout,
            auth_timeout=timeout,
            allow_agent=False,
            look_for_keys=False,
        )
        _stdin, stdout, _stderr = client.exec_command(command, timeout=timeout)
        return stdout.read().decode().strip()


def main() -> None:
    """Log in as every user and report the first who cannot."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "default": 22},
            "known_hosts": {"type": "path", "required": True},
            "passwords": {"type": "dict", "required": True, "no_log": True},
            "command": {"type": "str", "default": "id -gn"},
            "output": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    given = module.params
    connection = {name: given[name] for name in ("host", "port", "known_hosts", "command", "timeout")}
    for user, password in given["passwords"].items():
        try:
            printed = run_as(user, password, **connection)
        except (OSError, paramiko.SSHException) as error:
            module.fail_json(msg=f"{user} cannot log in to {given['host']}: {error or type(error).__name__}")
        if printed != given["output"]:
            module.fail_json(msg=f"{user} ran {given['command']!r} and got {printed!r}, not {given['output']!r}")
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
