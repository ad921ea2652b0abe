#!/usr/bin/python
"""Ansible module: the people who may dial in to an agency's access server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: access_people
short_description: Manages who may dial in to an access server, and ends the sessions of everybody else
description:
  - Writes the passwords, the keys of one-time codes and the accounts of the people who may dial in. Which codes were
    used stays known.
  - Ends the sessions of everybody who is not among them, whether or not the lists changed.
options:
  lists:
    description: Where an agency's lists are.
    type: dict
    required: true
    suboptions:
      folder: {type: path, required: true, description: Folder of passwords and accounts.}
      state: {type: path, required: true, description: Folder in which the server notes which codes were used.}
      control: {type: path, required: true, description: Socket by which the server is controlled.}
      number: {type: int, required: true, description: Number of the user of the server's processes.}
  passwords:
    description: Digests of passwords, by name of the person.
    type: dict
    required: true
  keys:
    description: Keys of one-time codes in hexadecimal, by name of the person.
    type: dict
    required: true
attributes:
  check_mode:
    support: full
    description: Says what would change.
  diff_mode:
    support: full
    description: Who may dial in, without what they log in with, and who is connected and may not.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Let in those who are on the list
  access_people:
    lists:
      folder: /etc/agency-access/cabinet-office
      state: /var/lib/agency-access/cabinet-office
      control: /run/agency-access/cabinet-office/control/occtl
      number: 1890000003
    passwords: {ada: "{{ digest }}"}
    keys: {ada: "{{ key }}"}
"""

RETURN = r"""
ended:
  description: Names of those whose sessions were ended.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.access_lists import LISTS, Lists, Login, end, sessions
from ansible.module_utils.basic import AnsibleModule


def described(people: dict[str, Login], others: dict[str, Login]) -> str:
    """Return people as text, without secrets."""
    return "".join(
        f"{name} may dial in{'' if others.get(name) in (None, one) else ', with other secrets'}\n"
        for name, one in sorted(people.items())
    )


def main() -> None:
    """Bring the lists up to date, end sessions, and report what differed."""
    module = AnsibleModule(
        argument_spec={
            "lists": {"type": "dict", "required": True, "options": LISTS},
            "passwords": {"type": "dict", "required": True, "no_log": True},
            "keys": {"type": "dict", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    given, lists = module.params, Lists.of(module.params["lists"])
    want = {name: Login(password, given["keys"][name]) for name, password in given["passwords"].items()}
    try:
        found = lists.people()
        differs = found != want or lists.accounts_differ(list(want)) or lists.is_stuck()
        if differs and not module.check_mode:
            with lists.locked():
                lists.write(want)
        strangers = [one for one in sessions(module, lists) if one["Username"] not in want]
        if not module.check_mode:
            end(module, lists, strangers)
    except (OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    ended = sorted(one["Username"] for one in strangers)
    before = described(found, want) + "".join(f"{name} is connected\n" for name in ended)
    headers = {"before_header": "people as they are", "after_header": "people as ordered"}
    diff = {**headers, "before": before, "after": described(want, {})} if differs or ended else {}
    module.exit_json(changed=differs or bool(ended), ended=ended, diff=diff)


if __name__ == "__main__":
    main()
