#!/usr/bin/python
"""Ansible module: lists of the accounts that an agency's people may see."""

from __future__ import annotations

DOCUMENTATION = r"""
module: account_lists
short_description: Lists of accounts and groups without those of other agencies
description:
  - Writes copies of this host's C(passwd), C(group) and C(shadow) into a folder, without the accounts and groups of
    other agencies. An agency's sessions see the copies instead.
  - They are written in place, because a session keeps the file that existed when it began.
options:
  group:
    description: The agency's own group. Groups of other agencies have the same name up to the first hyphen.
    type: str
    required: true
  folder:
    description: The folder of the lists.
    type: path
    required: true
  unlisted:
    description: Folders that people may enter but not list, because they contain names of other agencies.
    type: list
    elements: path
    default: []
attributes:
  check_mode:
    support: full
    description: Says what would change.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Show the agency its own accounts
  account_lists:
    group: agency-ministry-of-testing
    folder: /etc/thin-client/ministry-of-testing
    unlisted: [/home]
"""

RETURN = r""" # """

from pathlib import Path
from shutil import chown

from ansible.module_utils.basic import AnsibleModule

NAME, PASSWD_GROUP, GROUP_NUMBER = 0, 3, 2


def private(own: str) -> dict[str, str]:
    """Return the lists by name, without entries of other agencies."""
    kin = own.partition("-")[0]
    # In this order: another step may be making accounts, and it makes the group first.
    accounts = [line.split(":") for line in Path("/etc/passwd").read_text().splitlines()]
    groups = [line.split(":") for line in Path("/etc/group").read_text().splitlines()]
    others = {row[GROUP_NUMBER] for row in groups if row[NAME].startswith(kin) and row[NAME] != own}
    own_accounts = [row for row in accounts if row[PASSWD_GROUP] not in others]
    names = {row[NAME] for row in own_accounts}
    shadow = [line.split(":") for line in Path("/etc/shadow").read_text().splitlines()]
    lists = {
        "passwd": own_accounts,
        "group": [row for row in groups if row[GROUP_NUMBER] not in others],
        "shadow": [row for row in shadow if row[NAME] in names],
    }
    return {name: "".join(":".join(row) + "\n" for row in rows) for name, rows in lists.items()}


def write(path: Path, text: str) -> None:
    """Replace the text of a file that others have open: write the new text before truncating the old."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o640)
        if path.name == "shadow":
            chown(path, group="shadow")
        else:
            path.chmod(0o644)
    with path.open("r+") as file:
        file.write(text)
        file.truncate()


def main() -> None:
    """Bring the lists up to date and report whether they differed."""
    module = AnsibleModule(
        argument_spec={
            "group": {"type": "str", "required": True},
            "folder": {"type": "path", "required": True},
            "unlisted": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    wanted = {Path(module.params["folder"], name): text for name, text in private(module.params["group"]).items()}
    differ = {path: text for path, text in wanted.items() if not path.exists() or path.read_text() != text}
    listed = [path for path in map(Path, module.params["unlisted"]) if path.exists() and path.stat().st_mode & 0o44]
    if not module.check_mode:
        for path, text in differ.items():
            write(path, text)
        for path in listed:
            path.chmod(0o711)
    module.exit_json(changed=bool(differ or listed))


if __name__ == "__main__":
    main()
