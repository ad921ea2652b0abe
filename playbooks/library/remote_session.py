#!/usr/bin/python
"""Ansible module: starts a remote desktop session as a user does, checks it, and ends it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: remote_session
short_description: Logs a user in to the sessions of an xrdp server and ends the session again
description:
  - Asks the session manager of xrdp for a session of the user, as its listener does, checks that a display and a
    desktop run in it, and ends it. Does not count as a change.
  - The session has a colour depth that nobody uses, so it is never one that the user has open.
options:
  unit:
    description: The service of the session manager. Its socket may be visible only to the service.
    type: str
    required: true
  config:
    description: Configuration file of the session manager.
    type: path
    required: true
  user:
    description: The user who logs in.
    type: str
    required: true
  password:
    description: Their password.
    type: str
    required: true
  admitted:
    description: Whether the user should get a session. If not, the module fails when they do.
    type: bool
    default: true
  slice:
    description: The systemd slice that the session must run in.
    type: str
  timeout:
    description: Seconds within which the desktop must run, and within which the session must end.
    type: int
    default: 60
author:
  - The shared service orchestrator's authors
"""

EXAMPLES = r"""
- name: Log in
  remote_session:
    unit: xrdp-sesman.service
    config: /etc/xrdp/sesman.ini
    user: user1
    password: "{{ password }}"
"""

RETURN = r"""
display:
  description: The display that the session had.
  type: str
  returned: when admitted
"""

import os
import pwd
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

# What xrdp 0.9 and 0.10 say.
STARTED = re.compile(r"^ok (?:data=\d+ )?display=(:\d+)", re.MULTILINE)
REFUSED = re.compile(r"Connection denied|Login failed; User (?:is not authorized|does not exist)")
MANAGERS = {"xrdp-sesman", "xrdp-sesexec"}
STAYS_SECONDS = 3


class UnfitError(Exception):
    """There is a session, but it is not usable."""


def processes() -> dict[int, tuple[int, list[str]]]:
    """Return parent and command line of every process by its id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text().split("\0")
            parent = int((folder / "stat").read_text().rpartition(") ")[2].split()[1])
        except (OSError, ValueError):
            continue  # it ended meanwhile
        if command[0]:  # else it is a zombie
            found[int(folder.name)] = (parent, command)
    return found


def servers(display: str) -> list[int]:
    """Return the X servers of a display."""
    return [pid for pid, (_, command) in processes().items() if command[0].endswith("/Xorg") and display in command]


def desktops(server: int) -> list[int]:
    """Return what the session manager started beside this X server, except its own parts."""
    found = processes()
    parent = found[server][0] if server in found else None
    return [
        pid
        for pid, (other, command) in found.items()
        if other == parent and pid != server and not command[0].startswith("/usr/sbin/xrdp-")
    ]


def within(seconds: int, found: Callable[[], list[int]]) -> list[int]:
    """Wait until something is found and return it; an empty list when the time is over."""
    deadline = time.monotonic() + seconds
    while not (result := found()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return result


def look(display: str, user: str, slice_name: str | None, seconds: int) -> None:
    """Wait until the session is usable. Raises UnfitError if it is not."""
    running = within(seconds, lambda: servers(display))
    if not running:
        raise UnfitError("has no display")
    begun = within(seconds, lambda: desktops(running[0]))
    time.sleep(STAYS_SECONDS)
    if not begun or not desktops(running[0]):
        raise UnfitError("has no desktop that stays")
    try:
        owner = pwd.getpwuid(Path(f"/proc/{running[0]}").stat().st_uid).pw_name
        group = Path(f"/proc/{running[0]}/cgroup").read_text()
    except FileNotFoundError:
        raise UnfitError("ended by itself") from None
    if owner != user:
        raise UnfitError(f"runs as {owner}")
    if slice_name and f"/{slice_name}/" not in group:
        raise UnfitError(f"does not run in {slice_name}")


def members(display: str) -> dict[int, tuple[int, list[str]]]:
    """Return the processes that the session manager started on a display, and their descendants."""
    environment = f"DISPLAY={display}.0\0".encode()
    found = {}
    for pid, process in processes().items():
        with suppress(OSError):
            if environment in Path(f"/proc/{pid}/environ").read_bytes() + b"\0":
                found[pid] = process
    return found


def end(display: str, seconds: int) -> None:
    """End the session as leaving the desktop does, and wait until its manager has removed it.

    A manager ends its channel server when the desktop has ended. A channel server that has only just started misses
    that signal, and the session would stay for ever as a display that nobody can use. So the signal is repeated here.
    """
    deadline = time.monotonic() + seconds
    managers: set[int] = set()
    while True:
        left, running = members(display), processes()
        parents = {parent for parent, _ in left.values()}
        managers |= {pid for pid in parents if pid in running and Path(running[pid][1][0]).name in MANAGERS}
        if not left and not managers & running.keys():
            return
        if time.monotonic() > deadline:
            raise UnfitError("does not end")
        # Repeated, because a desktop that is just starting does not listen yet.
        server = next(iter(servers(display)), None)
        for pid in (desktops(server) if server else []) or left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        time.sleep(0.2)


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "config": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "admitted": {"type": "bool", "default": True},
            "slice": {"type": "str"},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    _, shown, _ = module.run_command(["systemctl", "show", "--property=MainPID", "--value", wanted["unit"]])
    if shown.strip() == "0":
        module.fail_json(msg=f"{wanted['unit']} is not running")
    enter = ["timeout", str(wanted["timeout"]), "nsenter", f"--target={shown.strip()}", "--mount", "--net"]
    ask = ["xrdp-sesrun", "-c", wanted["config"], "-t", "Xorg", "-b", "16", "-F", "0", wanted["user"]]
    _, output, errors = module.run_command([*enter, *ask], data=wanted["password"], binary_data=True)
    started = STARTED.search(output + errors)
    said = ((output + errors).strip().splitlines() or ["nothing"])[-1]
    try:
        if started:
            try:
                look(started[1], wanted["user"], wanted["slice"], wanted["timeout"])
            finally:
                end(started[1], wanted["timeout"])
    except UnfitError as error:
        module.fail_json(msg=f"the session of {wanted['user']} {error}")
    if started and not wanted["admitted"]:
        module.fail_json(msg=f"{wanted['user']} got a session, but should not")
    if not started and (wanted["admitted"] or not REFUSED.search(output + errors)):
        module.fail_json(msg=f"{wanted['user']} got no session: {said}")
    module.exit_json(changed=False, display=started[1] if started else None)


if __name__ == "__main__":
    main()
