#!/usr/bin/python
"""Ansible module: everything on a host that bears an agency's name or number."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agency_traces
short_description: Lists everything on a host that bears an agency's name or number
description:
  - Searches file names, lines of configuration, accounts, groups, units, processes, links, network namespaces,
    nftables tables, mounts and crontabs. Fails if it finds anything that is not O(excused). Changes nothing.
  - It searches by name instead of relying on records, so it also finds what an interrupted attempt left behind.
options:
  id:
    description: The agency's short name.
    type: str
    required: true
  number:
    description: Its number on the site.
    type: int
    required: true
  namesakes:
    description: Other agencies whose short names contain this one's.
    type: list
    elements: str
    default: []
  numbered:
    description: Prefixes of names that carry the number, such as C(vpn).
    type: list
    elements: str
    default: []
  excused:
    description:
      - Patterns of traces that are allowed, each for a whole reported line. C({id}) and C({n}) stand for the agency's.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: The same as in normal mode.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: See that nothing of the agency is left
  agency_traces:
    id: cabinet-office
    number: 3
    numbered: [agency, vpn]
    excused: ['file /srv/recovery/{id}(/.*)?']
"""

RETURN = r"""
traces:
  description: What was found, one line each, beginning with its kind.
  returned: success
  type: list
  elements: str
"""

import grp
import os
import pwd
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

ROOTS = ("/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr/local", "/var")  # noqa: S108 (looked through)
NOT_LOOKED_INTO = {
    "/var/cache",
    "/var/lib/apt",
    "/var/lib/dpkg",
    "/var/log/journal",
    "/etc/ssl/certs",
    "/run/systemd/propagate",
    "/run/systemd/units",
    "/run/udev",
    "/run/user",
}
LISTS = {
    f"/etc/{name}{old}" for name in ("passwd", "group", "shadow", "gshadow", "subuid", "subgid") for old in ("", "-")
}
"""Account files are skipped: accounts are searched separately, and the next change overwrites their backups."""
NUMBERED_IN = ("/etc/systemd", "/etc/wireguard", "/run")
"""Folders in which files carry an agency's number. Elsewhere `vpn1` is the name of a host."""
UNITS = (".service", ".scope", ".slice")
MOST_BYTES = 1_000_000


class Names:
    """Tells what bears the agency's name or number."""

    def __init__(self, name: str, number: int, namesakes: list[str], numbered: list[str]) -> None:
        longer = "|".join(re.escape(other) for other in sorted(namesakes, key=len, reverse=True))
        self._others = re.compile(longer) if longer else None
        self._name = re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])")
        kinds = "|".join(map(re.escape, numbered))
        self._number = re.compile(rf"(?<![A-Za-z0-9])(?:{kinds}){number}(?![A-Za-z0-9])") if kinds else None

    def on(self, text: str) -> bool:
        """Tell whether the text contains the name or the number."""
        return bool(self.name_on(text) or (self._number and self._number.search(text)))

    def name_on(self, text: str) -> bool:
        """Tell whether the text contains the name."""
        own = self._others.sub("", text) if self._others else text
        return bool(self._name.search(own))


def files(names: Names) -> Iterator[str]:
    """Yield files and folders that bear the name, and everything in such folders."""
    for root in ROOTS:
        for folder, below, plain in os.walk(root):
            below[:] = [name for name in below if f"{folder}/{name}" not in NOT_LOOKED_INTO]
            bears = names.on if folder.startswith(NUMBERED_IN) else names.name_on
            inside = bears(folder)
            yield from (f"file {folder}/{name}" for name in (*below, *plain) if inside or bears(name))


def lines(names: Names) -> Iterator[str]:
    """Yield configuration files with a line that names the agency, and the line."""
    for folder, below, plain in os.walk("/etc"):
        below[:] = [name for name in below if f"{folder}/{name}" not in NOT_LOOKED_INTO and not names.on(name)]
        for path in (Path(folder, name) for name in plain if not names.on(name)):
            if str(path) in LISTS or not path.is_file() or path.stat().st_size > MOST_BYTES:
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            yield from (f"line {path}: {line.strip()[:120]}" for line in text.splitlines() if names.name_on(line))


def accounts(names: Names) -> Iterator[str]:
    """Yield accounts and groups."""
    yield from (f"user {one.pw_name}" for one in pwd.getpwall() if names.on(one.pw_name))
    for group in grp.getgrall():
        if names.on(group.gr_name):
            yield f"group {group.gr_name}"
        yield from (f"member of {group.gr_name} {name}" for name in group.gr_mem if names.on(name))


def processes(names: Names) -> Iterator[str]:
    """Yield processes in the agency's units, or of accounts that no longer exist."""
    known = {one.pw_uid for one in pwd.getpwall()}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            owner, group = entry.stat().st_uid, (entry / "cgroup").read_text()
            command = (entry / "comm").read_text().strip()
        except OSError:
            continue  # it has ended
        # Dynamic users of systemd units are above this range.
        units = [part for part in group.split("/") if part.strip().endswith(UNITS)]
        if any(map(names.on, units)) or (1000 <= owner < 60000 and owner not in known):
            yield f"process {command}"


def printed(names: Names, run: Callable[[list[str]], str]) -> Iterator[str]:
    """Yield units, tables, links and mounts."""
    units = run(["systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager"])
    yield from (f"unit {line.split()[0]}" for line in units.splitlines() if line and names.on(line.split()[0]))
    tables = run(["nft", "list", "tables"]) if shutil.which("nft") else ""
    yield from (line for line in tables.splitlines() if names.on(line))
    yield from (f"link {entry.name}" for entry in Path("/sys/class/net").iterdir() if names.on(entry.name))
    mounted = Path("/proc/self/mounts").read_text()
    yield from (f"mount {line.split()[1]}" for line in mounted.splitlines() if names.on(line.split()[1]))


def topmost(traces: list[str]) -> list[str]:
    """Return traces without the files in folders that are traces themselves."""
    folders = {trace.removeprefix("file ") for trace in traces if trace.startswith("file ")}

    def is_below(trace: str) -> bool:
        return trace.startswith("file ") and any(str(up) in folders for up in Path(trace.removeprefix("file ")).parents)

    return [trace for trace in traces if not is_below(trace)]


def main() -> None:
    """Search, and fail if anything is found."""
    module = AnsibleModule(
        argument_spec={
            "id": {"type": "str", "required": True},
            "number": {"type": "int", "required": True},
            "namesakes": {"type": "list", "elements": "str", "default": []},
            "numbered": {"type": "list", "elements": "str", "default": []},
            "excused": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    given = module.params
    names = Names(given["id"], given["number"], given["namesakes"], given["numbered"])
    facts = {"{id}": re.escape(given["id"]), "{n}": str(given["number"])}
    patterns = [re.compile(re.sub(r"\{id\}|\{n\}", lambda m: facts[m[0]], text)) for text in given["excused"]]

    def run(command: list[str]) -> str:
        return str(module.run_command(command)[1])

    found = [*files(names), *lines(names), *accounts(names), *processes(names), *printed(names, run)]
    left = [trace for trace in dict.fromkeys(found) if not any(pattern.fullmatch(trace) for pattern in patterns)]
    if traces := topmost(left):
        module.fail_json(msg=f"{given['id']} has left traces: {'; '.join(traces)}", traces=traces)
    module.exit_json(changed=False, traces=[])


if __name__ == "__main__":
    main()
