#!/usr/bin/python
"""Ansible module: all accounts of one group of people."""

from __future__ import annotations

DOCUMENTATION = r"""
module: accounts
short_description: Manages all accounts of one group of people
description:
  - Makes a group and the accounts whose primary group it is, with their passwords and private homes, and removes the
    group's other accounts with their homes, processes and leftovers in shared directories.
  - The accounts are in no other group, and no other account is in theirs. Only they can read their homes. Their shell
    is C(/bin/bash).
  - An account that exists but belongs to another group is never touched; the module fails.
options:
  group:
    description: Name of the group.
    type: str
    required: true
  passwords:
    description:
      - Passwords by account name. Empty to remove all accounts and the group.
      - An account whose password is empty has none; something else must say who may log in to it.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description: Says what would change.
  diff_mode:
    support: full
    description: Which accounts are made, removed or given another password, and which access they lose.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Make the accounts of the agency
  accounts:
    group: agency-cabinet-office
    passwords: {user1: "{{ password }}"}
"""

RETURN = r"""#"""

import ctypes
import grp
import os
import pwd
import shutil
import signal
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

HOME_MODE = 0o700
SHELL = "/bin/bash"
NO_PASSWORD = "*"  # noqa: S105 - the hash of none
SHARED_DIRECTORIES = ("/tmp", "/var/tmp", "/var/mail", "/var/spool/cron/crontabs")  # noqa: S108 (looked through, not used)


def members(group: str) -> dict[str, pwd.struct_passwd]:
    """Return the accounts whose primary group this is."""
    try:
        number = grp.getgrnam(group).gr_gid
    except KeyError:
        return {}
    return {account.pw_name: account for account in pwd.getpwall() if account.pw_gid == number}


def group_exists(group: str) -> bool:
    """Tell whether the group exists."""
    return any(entry.gr_name == group for entry in grp.getgrall())


def has_password(name: str, password: str) -> bool:
    """Tell whether this is the account's password."""
    for line in Path("/etc/shadow").read_text(encoding="utf-8").splitlines():
        account, stored = line.split(":")[:2]
        if account == name:
            return (crypted(password, stored) if password else NO_PASSWORD) == stored
    return False


def crypted(password: str, setting: str) -> str:
    """Return a password hashed by the library that logins use; Python has no module for it since 3.13."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    return (crypt(password.encode(), setting.encode()) or b"").decode()


def end_processes(owner: int) -> None:
    """Kill all processes of this user, including those that started while we looked."""
    for _attempt in range(10):
        running = [entry for entry in Path("/proc").glob("[0-9]*") if belongs_to(entry, owner)]
        if not running:
            return
        for entry in running:
            with suppress(ProcessLookupError):
                os.kill(int(entry.name), signal.SIGKILL)
        time.sleep(0.1)


def belongs_to(path: Path, owner: int) -> bool:
    """Tell whether the path exists and belongs to this user."""
    try:
        return path.lstat().st_uid == owner
    except FileNotFoundError:
        return False


def delete(module: AnsibleModule, account: pwd.struct_passwd) -> None:
    """Remove an account, its home, its processes and what it left in shared directories."""
    end_processes(account.pw_uid)
    module.run_command(["userdel", "--force", "--remove", account.pw_name], check_rc=True)
    for directory in map(Path, SHARED_DIRECTORIES):
        for entry in directory.iterdir() if directory.is_dir() else ():
            if not belongs_to(entry, account.pw_uid):
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def make(module: AnsibleModule, group: str, name: str) -> None:
    """Make an account with a home that only it can read."""
    options = ["--create-home", "--key", f"HOME_MODE={HOME_MODE:04o}", "--shell", SHELL, "--gid", group]
    module.run_command(["useradd", *options, name], check_rc=True)


def set_password(module: AnsibleModule, name: str, password: str) -> None:
    """Give an account its password, over standard input."""
    encrypted = [] if password else ["--encrypted"]
    module.run_command(["chpasswd", *encrypted], data=f"{name}:{password or NO_PASSWORD}", check_rc=True)


def foreign_groups(group: str, name: str) -> list[str]:
    """Return groups that list the account besides its own: a member of `sudo` is not an agency's user."""
    return sorted(entry.gr_name for entry in grp.getgrall() if name in entry.gr_mem and entry.gr_name != group)


def home_is_private(account: pwd.struct_passwd) -> bool:
    """Tell whether only the account itself can read its home."""
    home = Path(account.pw_dir)
    return belongs_to(home, account.pw_uid) and home.is_dir() and stat.S_IMODE(home.stat().st_mode) == HOME_MODE


def make_private(account: pwd.struct_passwd) -> None:
    """Give an account its home, and nobody else access to it. A home that is a link is refused, not followed."""
    Path(account.pw_dir).mkdir(exist_ok=True)
    home = os.open(account.pw_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(home, account.pw_uid, account.pw_gid)
        os.fchmod(home, HOME_MODE)
    finally:
        os.close(home)


def reach(module: AnsibleModule, group: str, account: pwd.struct_passwd) -> list[tuple[str, Callable[[], object]]]:
    """Return descriptions of the access that an account should not have, each with the action that removes it."""
    run, name = partial(module.run_command, check_rc=True), account.pw_name
    if Path(account.pw_dir).is_symlink():
        module.fail_json(msg=f"the home of {name} is a link: find out who made it, and remove it")
    found: list[tuple[str, Callable[[], object]]] = [
        (f"{name} not in group {other}", partial(run, ["gpasswd", "--delete", name, other]))
        for other in foreign_groups(group, name)
    ]
    if not home_is_private(account):
        found.append((f"home of {name} for it alone", partial(make_private, account)))
    if account.pw_shell != SHELL:
        found.append((f"shell of {name} {SHELL}", partial(run, ["usermod", "--shell", SHELL, name])))
    if account.pw_uid == 0:
        module.fail_json(
            msg=f"{name} is another name for root: remove that line from /etc/passwd, and find out who wrote it"
        )
    return found


def differences(module: AnsibleModule, group: str, passwords: dict[str, str]) -> list[tuple[str, Callable[[], object]]]:
    """Return descriptions of what must change, each with the action that does it."""
    found: list[tuple[str, Callable[[], object]]] = []
    present, group_present = members(group), group_exists(group)
    run = partial(module.run_command, check_rc=True)
    if passwords and not group_present:
        found.append((f"group {group}", partial(run, ["groupadd", group])))
    for name in sorted(passwords.keys() - present.keys()):
        if name in (account.pw_name for account in pwd.getpwall()):
            module.fail_json(msg=f"the account {name} exists and does not belong to {group}")
        found.append((f"account {name}", partial(make, module, group, name)))
    for name, password in sorted(passwords.items()):
        if not has_password(name, password):
            found.append((f"password of {name}", partial(set_password, module, name, password)))
    for name in sorted(passwords.keys() & present.keys()):
        found += reach(module, group, present[name])
    guests = {name for entry in grp.getgrall() if entry.gr_name == group for name in entry.gr_mem} - passwords.keys()
    found.extend(
        (f"{name} not in group {group}", partial(run, ["gpasswd", "--delete", name, group])) for name in sorted(guests)
    )
    leaving = sorted(present.keys() - passwords.keys())
    found.extend((f"no account {name}", partial(delete, module, present[name])) for name in leaving)
    if group_present and not passwords:
        found.append((f"no group {group}", partial(run, ["groupdel", group])))
    return found


def main() -> None:
    """Bring the accounts up to date and report what differed."""
    module = AnsibleModule(
        argument_spec={
            "group": {"type": "str", "required": True},
            "passwords": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    found = differences(module, module.params["group"], module.params["passwords"])
    if not module.check_mode:
        for _words, put_right in found:
            put_right()
    module.exit_json(changed=bool(found), diff={"before": "", "after": "".join(f"{words}\n" for words, _act in found)})


if __name__ == "__main__":
    main()
