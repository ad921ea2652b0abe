#!/usr/bin/python
"""Ansible module: which of systemd's units run."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_units
short_description: Says which of systemd's units run, now and after a reboot
description:
  - Asks systemd for the state of all units at once, and has it change those that are not as they should be, all of a
    kind in one call. What a step of M(ansible.builtin.systemd_service) costs for each unit, this costs for all.
  - A unit that systemd does not know counts as stopped. In check mode it is assumed to be made later.
  - Systemd reads the files of units anew whenever it has not seen one of them as it is.
options:
  running:
    description: Units that run, and start when the host boots. Systemd starts them in the order that they ask for.
    type: list
    elements: str
    default: []
  reads:
    description:
      - Files that a unit reads as it starts, by unit. If it runs, it is restarted when one of them changed since,
        whoever changed it, and also when a step that did was killed before it came to the restart.
      - A folder changes when a file in it is added, replaced or removed. What is missing has not changed.
      - Units are restarted one after the other. One that is in none of the other lists is not started. Without files,
        systemd only reads what is new in its description.
    type: dict
    default: {}
  stopped:
    description: Units that do not run, and do not start when the host boots. Systemd forgets that they failed.
    type: list
    elements: str
    default: []
  masked:
    description: The same, and nothing else can start them either.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Asks only.
  diff_mode:
    support: full
    description: The state before and after, one unit a line.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Run the agency's name server
  service_units:
    running: [systemd-networkd, agency-dns@cabinet-office]
    reads:
      agency-dns@cabinet-office: [/etc/agency-network/cabinet-office/dnsmasq.conf]
"""

RETURN = r"""# """

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

RUNS = ("active", "reloading")
STARTS = ("alias", "enabled", "enabled-runtime", "indirect", "static")
"""What systemctl(1) calls enabled, apart from units that are made of other files: `is-enabled` exits with 0 for it."""
UNWANTED = ("stopped", "masked")
PROPERTIES = ("ActiveState", "UnitFileState", "ActiveEnterTimestamp", "NeedDaemonReload")


@dataclass(frozen=True)
class Unit:
    """A unit, what should become of it (`running`, `stopped`, `masked`, or `current`), whether it runs with an older
    configuration, and whether systemd does."""

    name: str
    wish: str
    active: str
    enabled: str
    stale: bool
    unread: bool

    @property
    def is_right(self) -> bool:
        """Whether nothing needs to be done."""
        if self.wish not in UNWANTED:
            return not self.stale and (self.wish == "current" or (self.active in RUNS and self.enabled in STARTS))
        enabled = self.enabled != "masked" if self.wish == "masked" else self.enabled == "enabled"
        return self.active == "inactive" and not enabled

    @property
    def before(self) -> str:
        """The state that was found."""
        stale = ", with an older configuration" if self.stale else ""
        return f"{self.name}: {self.active}, {self.enabled or 'unknown'}{stale}\n"

    @property
    def after(self) -> str:
        """The state that is wished for."""
        if self.wish in UNWANTED:
            return f"{self.name}: inactive, {'masked' if self.wish == 'masked' else 'disabled'}\n"
        return f"{self.name}: active, {self.enabled if self.enabled in STARTS else 'enabled'}\n"


def systemctl(*words: str, tolerant: bool = False) -> str:
    """Return what systemctl prints. Raises RuntimeError if it fails, unless `tolerant`."""
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if done.returncode and not tolerant:
        raise RuntimeError(f"systemctl {' '.join(words)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def changed_since(files: list[str], began: str) -> bool:
    """Whether one of these files changed after `began`, which is as systemd writes it, with microseconds in UTC."""
    changes = [path.stat().st_ctime for path in map(Path, files) if path.exists()]
    began_at = datetime.strptime(began, "%a %Y-%m-%d %H:%M:%S.%f UTC").replace(tzinfo=UTC)
    return any(change > began_at.timestamp() for change in changes)


def found(wishes: dict[str, str], reads: dict[str, list[str]]) -> list[Unit]:
    """Return these units (name -> what should become of it) as they are."""
    if not wishes:
        return []
    told = [f"--property={name}" for name in PROPERTIES]
    shown = systemctl("show", "--timestamp=us+utc", *told, "--", *wishes)
    units = []
    for (name, wish), text in zip(wishes.items(), shown.strip("\n").split("\n\n"), strict=True):
        told_of = dict(line.split("=", 1) for line in text.splitlines())
        active, enabled, began, unread = (told_of[name] for name in PROPERTIES)
        if enabled == "generated":  # from a script in /etc/init.d, and only links to that say when it runs
            asked = subprocess.run(["systemctl", "--quiet", "is-enabled", "--", name], stderr=subprocess.DEVNULL)
            enabled = "disabled" if asked.returncode else "enabled"
        stale = wish not in UNWANTED and active in RUNS and changed_since(reads.get(name, []), began)
        units.append(Unit(name, wish, active, enabled, stale, unread == "yes"))
    return units


def stop(units: list[Unit]) -> None:
    """Have units not run, nor start again."""
    # One whose file is missing has nothing but a link to remove.
    systemctl("--quiet", "disable", "--", *(unit.name for unit in units), tolerant=True)
    if live := [unit.name for unit in units if unit.active != "inactive"]:
        systemctl("stop", "--", *live)
        systemctl("--quiet", "reset-failed", "--", *live, tolerant=True)
    if masked := [unit.name for unit in units if unit.wish == "masked"]:
        systemctl("--quiet", "mask", "--", *masked)


def run(units: list[Unit]) -> None:
    """Have units run as they are configured, and start with the host."""
    wanted = [unit for unit in units if unit.wish == "running"]
    if new := [unit.name for unit in wanted if unit.enabled not in STARTS]:
        systemctl("--quiet", "enable", "--", *new)
    if idle := [unit.name for unit in wanted if unit.active not in RUNS]:
        systemctl("start", "--", *idle)
    for unit in units:
        if unit.stale:
            systemctl("restart", "--", unit.name)


def change(units: list[Unit]) -> None:
    """Have systemd change units that are not as they should be."""
    if unwanted := [unit for unit in units if unit.wish in UNWANTED]:
        stop(unwanted)
    run([unit for unit in units if unit.wish not in UNWANTED])


def main() -> None:
    """Ask, change, and report the difference."""
    names = {"type": "list", "elements": "str", "default": []}
    wishes = ("running", *UNWANTED)
    spec = {**dict.fromkeys(wishes, names), "reads": {"type": "dict", "default": {}}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    reads = module.params["reads"]
    wished = dict.fromkeys(reads, "current") | {name: wish for wish in wishes for name in module.params[wish]}
    try:
        units = found(wished, reads)
        wrong = [unit for unit in units if not unit.is_right]
        if not module.check_mode:
            if wrong or any(unit.unread for unit in units):
                systemctl("daemon-reload")
            change(wrong)
    except (OSError, RuntimeError) as error:
        module.fail_json(msg=str(error))
    texts = {"before": "".join(unit.before for unit in wrong), "after": "".join(unit.after for unit in wrong)}
    headers = {"before_header": "units as they are", "after_header": "units as declared"}
    module.exit_json(changed=bool(wrong), diff={**headers, **texts} if wrong else {})


if __name__ == "__main__":
    main()
