#!/usr/bin/python
"""Ansible module: the people, groups and services in an agency's directory."""

from __future__ import annotations

DOCUMENTATION = r"""
module: directory_entries
short_description: Manages all entries of an agency's directory
description:
  - Makes the entries of O(people), O(groups) and O(services) below O(base), and removes all others except those below
    C(ou=canaries). Who left is removed first.
  - Each person and each group gets a number when it is added, and keeps it. A number is never given out twice, because
    files of somebody who left may still bear it.
  - Speaks to the server of this host as root, over its socket. Texts are values of the protocol, so none of them can
    become a name, a filter or another line.
options:
  socket:
    description: Socket of the server. Without it, check mode predicts a change; otherwise the module fails.
    type: path
    required: true
  base:
    description: Name of the topmost entry, C(o=<agency>).
    type: str
    required: true
  title:
    description: Name of the agency in full.
    type: str
    required: true
  people:
    description: The people.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {type: str, required: true, description: Login name.}
      full_name: {type: str, required: true, description: Name as people say it.}
      email: {type: str, required: true, description: Mail address.}
      groups: {type: list, elements: str, required: true, description: Names of groups among O(groups).}
  groups:
    description: Names of groups of people.
    type: list
    elements: str
    required: true
  everyone:
    description: Name of the group of all people, which is everybody's primary group.
    type: str
    required: true
  first_number:
    description: Number of that group. People and other groups have the 9,999 after it.
    type: int
    required: true
  passwords:
    description: Hashes of people's passwords by name, as the server keeps them.
    type: dict
    required: true
  services:
    description: Hashes of the passwords of services by name.
    type: dict
    required: true
attributes:
  check_mode:
    support: full
    description: Says what would change.
  diff_mode:
    support: full
    description: Attributes before and after, without passwords.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Make the entries
  directory_entries:
    socket: /run/agency-directory/cabinet-office/ldapi
    base: o=cabinet-office
    title: Cabinet Office
    people: [{name: ada, full_name: Ada Whitehall, email: ada@cabinet-office.example, groups: [finance]}]
    groups: [finance]
    everyone: agency-cabinet-office
    first_number: 1900010000
    passwords: {ada: "{{ hash }}"}
    services: {services: "{{ other_hash }}"}
"""

RETURN = r"""#"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

try:
    import ldap3
    from ldap3.core.exceptions import LDAPException
except ImportError:  # the package comes with the server
    ldap3, LDAPException = None, OSError

MOST_NUMBERS = 10_000
SECRET = "userPassword"  # noqa: S105 - the name of an attribute
Entry = dict[str, list[str]]
Entries = dict[str, Entry]
"""Attributes by the name of the entry."""


class Numbers:
    """Numbers of people or of groups: who has one keeps it, others get the next. The container notes the highest."""

    def __init__(self, found: Entries, container: str, kind: str, first: int) -> None:
        known = [int(entry[kind][0]) for name, entry in found.items() if name.endswith(container) and kind in entry]
        self._found, self._kind, self._first = found, kind, first
        self.highest = max([first, *known])

    def of(self, name: str) -> list[str]:
        """Return the number of an entry."""
        if number := self._found.get(name, {}).get(self._kind):
            return number
        self.highest += 1
        if self.highest >= self._first + MOST_NUMBERS:
            raise ValueError(f"all numbers of the agency are given out, and there is none for {name}")
        return [str(self.highest)]


def wanted(given: dict[str, Any], found: Entries) -> Entries:
    """Return the entries as they should be. The highest number is noted before who has it is added."""
    base, first = given["base"], str(given["first_number"])
    people, groups, services = (f"ou={kind},{base}" for kind in ("people", "groups", "services"))
    uids, gids = Numbers(found, people, "uidNumber", int(first)), Numbers(found, groups, "gidNumber", int(first))
    entries = {f"cn={given['everyone']},{groups}": group(given["everyone"], [first], [])}
    for name in given["groups"]:
        members = [one["name"] for one in given["people"] if name in one["groups"]]
        entries[f"cn={name},{groups}"] = group(name, gids.of(f"cn={name},{groups}"), members)
    for one in given["people"]:
        name = f"uid={one['name']},{people}"
        entries[name] = person(one, uids.of(name), first, given["passwords"][one["name"]])
    for name, password in given["services"].items():
        kinds = ["applicationProcess", "simpleSecurityObject"]
        entries[f"cn={name},{services}"] = {"objectClass": kinds, "cn": [name], SECRET: [password]}
    return {
        base: {"objectClass": ["organization"], "o": [base.partition("=")[2]], "description": [given["title"]]},
        people: container("people", uidNumber=str(uids.highest)),
        groups: container("groups", gidNumber=str(gids.highest)),
        services: container("services"),
        f"ou=canaries,{base}": container("canaries"),
        **entries,
    }


def container(name: str, **noted: str) -> Entry:
    """Return an entry that holds others."""
    kinds = ["organizationalUnit", *(["extensibleObject"] if noted else [])]
    return {"objectClass": kinds, "ou": [name], **{key: [value] for key, value in noted.items()}}


def group(name: str, number: list[str], members: list[str]) -> Entry:
    """Return a group's entry."""
    entry = {"objectClass": ["posixGroup"], "cn": [name], "gidNumber": number}
    return {**entry, "memberUid": members} if members else entry


def person(one: dict[str, Any], number: list[str], primary_group: str, password: str) -> Entry:
    """Return a person's entry."""
    return {
        "objectClass": ["inetOrgPerson", "posixAccount"],
        "uid": [one["name"]],
        "cn": [one["full_name"]],
        "sn": (one["full_name"].split() or [one["full_name"]])[-1:],
        "mail": [one["email"]],
        "uidNumber": number,
        "gidNumber": [primary_group],
        "homeDirectory": [f"/home/{one['name']}"],
        "loginShell": ["/bin/bash"],
        SECRET: [password],
    }


class Directory:
    """The server of this host, as root."""

    def __init__(self, socket: str) -> None:
        server = ldap3.Server(f"ldapi://{socket}", get_info=ldap3.NONE)
        self._root = ldap3.Connection(
            server, authentication=ldap3.SASL, sasl_mechanism=ldap3.EXTERNAL, sasl_credentials="", auto_bind=True
        )

    def entries(self, base: str) -> Entries:
        """Return all entries below a name, but for the thousands of canaries."""
        top = self._found(base, ldap3.BASE) | self._found(base, ldap3.LEVEL)
        searched = [name for name in top if name not in (base, f"ou=canaries,{base}")]
        return top | {key: entry for name in searched for key, entry in self._found(name, ldap3.SUBTREE).items()}

    def _found(self, name: str, scope: str) -> Entries:
        self._root.search(name, "(objectClass=*)", search_scope=scope, attributes=["*"])
        return {
            one["dn"]: {key: [value.decode() for value in values] for key, values in one["raw_attributes"].items()}
            for one in self._root.response or ()
        }

    def settle(self, name: str, before: Entry | None, after: Entry | None) -> None:
        """Add an entry, remove it, or change what differs."""
        if after is None:
            self._root.delete(name)
        elif before is None:
            kinds = after["objectClass"]
            self._root.add(name, kinds, {key: values for key, values in after.items() if key != "objectClass"})
        else:
            differ = [key for key in {**before, **after} if sorted(before.get(key, [])) != sorted(after.get(key, []))]
            self._root.modify(name, {key: [(ldap3.MODIFY_REPLACE, after.get(key, []))] for key in differ})
        if self._root.result["result"] != 0:
            raise ValueError(f"{name}: {self._root.result['description']} {self._root.result['message']}".strip())


def same(one: Entry | None, other: Entry | None) -> bool:
    """Whether two entries have the same attributes. The order of values means nothing."""
    return {key: sorted(values) for key, values in (one or {}).items()} == {
        key: sorted(values) for key, values in (other or {}).items()
    }


def differences(found: Entries, want: Entries) -> list[str]:
    """Return the names of entries that differ, in the order in which they are settled: first those to remove, lowest
    first, then those to make, highest first."""
    gone = sorted(found.keys() - want.keys(), key=lambda name: name.count(","), reverse=True)
    return gone + [name for name, entry in want.items() if not same(found.get(name), entry)]


def shown(entries: Entries, names: list[str]) -> str:
    """Return entries as text, without passwords."""
    return "".join(
        f"{name} {key}: {'(a hash)' if key == SECRET else ', '.join(sorted(values))}\n"
        for name in names
        for key, values in entries.get(name, {}).items()
    )


def main() -> None:
    """Bring the entries up to date and report what differed."""
    facts: dict[str, Any] = {name: {"type": "str", "required": True} for name in ("name", "full_name", "email")}
    facts["groups"] = {"type": "list", "elements": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "socket": {"type": "path", "required": True},
            "base": {"type": "str", "required": True},
            "title": {"type": "str", "required": True},
            "people": {"type": "list", "elements": "dict", "options": facts, "required": True},
            "groups": {"type": "list", "elements": "str", "required": True},
            "everyone": {"type": "str", "required": True},
            "first_number": {"type": "int", "required": True},
            "passwords": {"type": "dict", "required": True, "no_log": True},
            "services": {"type": "dict", "required": True, "no_log": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    if module.check_mode and (ldap3 is None or not Path(given["socket"]).exists()):
        module.exit_json(changed=True, msg="the server does not run yet")
    try:
        directory = Directory(given["socket"])
        found = directory.entries(given["base"])
        want = wanted(given, found)
        names = differences(found, want)
        for name in names if not module.check_mode else ():
            directory.settle(name, found.get(name), want.get(name))
    except (LDAPException, OSError, ValueError) as error:
        module.fail_json(msg=f"the directory cannot be changed: {error}")
    module.exit_json(changed=bool(names), diff={"before": shown(found, names), "after": shown(want, names)})


if __name__ == "__main__":
    main()
