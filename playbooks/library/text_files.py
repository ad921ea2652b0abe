#!/usr/bin/python
"""Ansible module: several small text files in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: text_files
short_description: Several small text files in one call
description:
  - Writes each of O(files) whose text or mode differs and removes each of O(absent), in one call to the host;
    M(ansible.builtin.copy) needs one or two calls for each file.
  - Folders in O(only) contain nothing else afterwards.
  - Missing parent directories are made, with mode 0755. Files are replaced atomically.
options:
  files:
    description: The files.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path of the file.
        type: path
        required: true
      content:
        description: Its text.
        type: str
        required: true
      mode:
        description: Its mode, quoted octal.
        type: str
        default: "0644"
      group:
        description: Its group. The owner is root.
        type: str
        default: root
      validate:
        description: Command that must succeed on the new file, C(%s), before it replaces the old one.
        type: str
  absent:
    description: Files and links to remove.
    type: list
    elements: path
    default: []
  only:
    description:
      - Folders that may contain only O(files), O(only.but) and folders. Anything else is removed, and so is a folder
        that
        is then empty.
    type: list
    elements: dict
    default: []
    suboptions:
      folder:
        description: The folder. It need not exist.
        type: path
        required: true
      but:
        description: Names of files in it that others manage.
        type: list
        elements: str
        default: []
  again:
    description:
      - The step was begun before but did not finish. Files may be right already although their readers were not
        notified,
        so all files count as changed and handlers are notified. Not in check mode.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Says what would change.
  diff_mode:
    support: full
    description: One diff for each file.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Write the policy
  text_files:
    files:
      - {path: /etc/ssh/sshd_config.d/10-policy.conf, content: "X11Forwarding no\n", validate: sshd -t -f %s}
    absent: [/etc/ssh/sshd_config.d/10-old.conf]
"""

RETURN = r"""
paths:
  description: Files that were written or removed, or count as such.
  returned: always
  type: list
  elements: str
"""

import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule


def text_of(path: Path) -> str:
    """Return a file's text, or an empty text if the file does not exist or has just been removed."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def write(module: AnsibleModule, path: Path, wanted: dict[str, Any]) -> None:
    """Replace one file with the wanted text, after its validation."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=module.tmpdir, delete=False) as new:
        new.write(wanted["content"])
    if wanted["validate"]:
        status, output, errors = module.run_command(wanted["validate"] % new.name)
        if status != 0:
            module.fail_json(msg=f"{path} would be invalid: {errors or output}")
    module.atomic_move(new.name, str(path))


def settle(module: AnsibleModule, wanted: dict[str, Any]) -> dict[str, str] | None:
    """Make one file as wanted; return the difference, or None if there was none."""
    path = Path(wanted["path"])
    before = text_of(path)
    differs = not path.exists() or before != wanted["content"]
    if differs and not module.check_mode:
        write(module, path, wanted)
    if path.exists():
        attributes = {"path": str(path), "mode": wanted["mode"], "owner": "root", "group": wanted["group"]}
        arguments = module.load_file_common_arguments({**module.params, **attributes}, path=str(path))
        arguments.update(attributes)
        differs = module.set_fs_attributes_if_different(arguments, differs)
    if not differs:
        return None
    return {"before_header": str(path), "after_header": str(path), "before": before, "after": wanted["content"]}


def remove(module: AnsibleModule, path: Path) -> dict[str, str] | None:
    """Remove one file; return the difference, or None if it did not exist. Another step may remove it meanwhile."""
    if not path.exists() and not path.is_symlink():
        return None
    before = text_of(path)
    if not module.check_mode:
        path.unlink(missing_ok=True)
    return {"before_header": str(path), "after_header": str(path), "before": before, "after": ""}


def strangers(files: list[dict[str, Any]], folder: Path, but: list[str]) -> list[Path]:
    """Return what should not be in a folder."""
    wanted = {Path(one["path"]) for one in files} | {folder / name for name in but}
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if path not in wanted and (path.is_symlink() or not path.is_dir()))


def main() -> None:
    """Bring every file up to date and report the differences."""
    file = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str", "required": True},
        "mode": {"type": "str", "default": "0644"},
        "group": {"type": "str", "default": "root"},
        "validate": {"type": "str"},
    }
    alone = {"folder": {"type": "path", "required": True}, "but": {"type": "list", "elements": "str", "default": []}}
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "options": file, "default": []},
            "absent": {"type": "list", "elements": "path", "default": []},
            "only": {"type": "list", "elements": "dict", "options": alone, "default": []},
            "again": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    found = [settle(module, wanted) for wanted in module.params["files"]]
    found += [remove(module, Path(path)) for path in module.params["absent"]]
    for one in module.params["only"]:
        folder = Path(one["folder"])
        found += [remove(module, path) for path in strangers(module.params["files"], folder, one["but"])]
        if not module.check_mode and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    diff = [difference for difference in found if difference]
    paths = [difference["after_header"] for difference in diff]
    if module.params["again"] and not module.check_mode:
        paths = [*(wanted["path"] for wanted in module.params["files"]), *module.params["absent"]]
    module.exit_json(changed=bool(paths), diff=diff, paths=paths)


if __name__ == "__main__":
    main()
