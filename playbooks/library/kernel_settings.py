#!/usr/bin/python
"""Ansible module: settings of the running kernel."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kernel_settings
short_description: Sets settings of the running kernel
description:
  - Compares the values in force with O(settings), and sets those that differ, until the next boot. Something else
    must set them at boot (a file of systemd-networkd, a unit).
  - In check mode, a setting that the kernel does not have is assumed to be set later. It may belong to an interface
    that does not exist yet.
options:
  settings:
    description:
      - Values by name, such as C(net.ipv4.ip_forward). Parts of a name contain no dots. A part V(*) stands for whatever
        the kernel has there at the moment, such as interfaces.
    type: dict
    required: true
attributes:
  check_mode:
    support: full
    description: Compares only.
  diff_mode:
    support: full
    description: What differs, one setting a line.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Let packets through the gateway
  kernel_settings:
    settings:
      net.ipv4.ip_forward: 1
"""

RETURN = r"""# """

import re
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

NAME = re.compile(r"[a-z0-9_-]+(\.([a-z0-9_-]+|\*))+")
SETTINGS = Path("/proc/sys")


def places(name: str) -> list[Path]:
    """Return the files in which the kernel shows a setting. Raises ValueError if the name is invalid."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a setting")
    parts = name.split(".")
    return sorted(SETTINGS.glob("/".join(parts))) if "*" in parts else [SETTINGS.joinpath(*parts)]


def in_force(file: Path) -> str | None:
    """Return a value, None if the kernel has no such setting."""
    return file.read_text().strip() if file.exists() else None


def main() -> None:
    """Compare, set, and report the difference."""
    module = AnsibleModule(argument_spec={"settings": {"type": "dict", "required": True}}, supports_check_mode=True)
    before, after = [], []
    for name, value in sorted(module.params["settings"].items()):
        try:
            for file in places(name):
                found, called = in_force(file), ".".join(file.relative_to(SETTINGS).parts)
                if found == str(value):
                    continue
                before += [f"{called} = {found}\n"] if found is not None else []
                after.append(f"{called} = {value}\n")
                if not module.check_mode:
                    file.write_text(f"{value}\n")
        except (OSError, ValueError) as error:
            module.fail_json(msg=f"{name} cannot be set to {value}: {error}")
    headers = {"before_header": "in force", "after_header": "declared"}
    texts = {"before": "".join(before), "after": "".join(after)}
    module.exit_json(changed=bool(after), diff={**headers, **texts} if after else {})


if __name__ == "__main__":
    main()
