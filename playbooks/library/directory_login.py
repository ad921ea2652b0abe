#!/usr/bin/python
"""Ansible module: use an agency's directory as its people and services do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: directory_login
short_description: Use an agency's directory as its people and services do
description:
  - Logs in over TLS as each of the O(people), who find themselves as ordered, and as C(services), which finds all of
    them and nobody else.
  - Proves that a wrong password is refused, that nobody sees anything without one, that nobody sees a password or can
    change an entry, that C(canary) sees nobody, and that the server has entries of this agency only.
  - Runs anywhere that can reach O(host), with ldap3, and changes nothing.
options:
  host:
    description: Address of the directory, which its certificate must name.
    type: str
    required: true
  port:
    description: Its TCP port.
    type: int
    required: true
  authority:
    description: The certificate authority of the directory, as PEM text.
    type: str
    required: true
  base:
    description: Name of the topmost entry.
    type: str
    required: true
  people:
    description: The people, as M(directory_entries) describes them.
    type: list
    elements: dict
    required: true
  groups:
    description: Names of groups of people.
    type: list
    elements: str
    required: true
  everyone:
    description: Name of the group of all people.
    type: str
    required: true
  passwords:
    description: Passwords by name of the person.
    type: dict
    required: true
  services:
    description: Passwords of the accounts C(services) and C(canary).
    type: dict
    required: true
  timeout:
    description: Time limit for one answer, in seconds.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: The same as in normal mode, because nothing is changed.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Use the directory
  directory_login:
    host: 10.0.0.7
    port: 63601
    authority: "{{ authority }}"
    base: o=cabinet-office
    people: [{name: ada, full_name: Ada Whitehall, email: ada@cabinet-office.example, groups: []}]
    groups: []
    everyone: agency-cabinet-office
    passwords: {ada: "{{ password }}"}
    services: {services: "{{ one }}", canary: "{{ another }}"}
  delegate_to: localhost
  become: false
"""

RETURN = r"""#"""

import ssl
from dataclasses import dataclass
from typing import Any

import ldap3
from ansible.module_utils.basic import AnsibleModule
from ldap3.core.exceptions import LDAPException

Entry = dict[str, Any]
REFUSED = "invalidCredentials"
SECRET = "userPassword"  # noqa: S105 - the name of an attribute


class VerificationError(Exception):
    """The directory does not work as its users expect. The message says why."""


@dataclass(frozen=True)
class Directory:
    """An agency's directory."""

    host: str
    port: int
    authority: str
    base: str
    timeout: int

    def person(self, name: str) -> str:
        """Return the name of a person's entry."""
        return f"uid={name},ou=people,{self.base}"

    def connect(self, name: str | None = None, password: str | None = None) -> Any:
        """Return a connection that is not logged in yet. The server must have a certificate of the authority."""
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_data=self.authority)
        server = ldap3.Server(
            self.host, self.port, use_ssl=True, tls=tls, connect_timeout=self.timeout, get_info=ldap3.NONE
        )
        return ldap3.Connection(server, user=name, password=password, receive_timeout=self.timeout)

    def log_in(self, name: str, password: str) -> Any:
        """Return a connection that is logged in."""
        connection = self.connect(name, password)
        if not connection.bind():
            raise VerificationError(f"{name} cannot log in: {connection.result['description']}")
        return connection


def found(connection: Any, base: str, *, scope: str = "SUBTREE", attribute: str = "*") -> list[Entry]:
    """Return the entries that somebody finds, by attribute."""
    connection.search(base, "(objectClass=*)", search_scope=scope, attributes=[attribute])
    return [one["attributes"] for one in connection.response or () if one["type"] == "searchResEntry"]


def check_strangers(directory: Directory, name: str) -> None:
    """Require that nothing is said to somebody without a password, or with a wrong one."""
    guess = directory.connect(directory.person(name), "not the password")
    if guess.bind() or guess.result["description"] != REFUSED:
        raise VerificationError(f"a wrong password of {name} got {guess.result['description']}, not {REFUSED}")
    stranger = directory.connect()
    if stranger.bind():
        raise VerificationError("somebody without a name is let in")
    stranger.open()
    if found(stranger, directory.base) or found(stranger, "", scope="BASE"):
        raise VerificationError("somebody without a name finds entries")


def check_person(directory: Directory, person: Entry, password: str) -> None:
    """Require that a person can log in, is called what was ordered, sees no password and can change nothing."""
    name = directory.person(person["name"])
    with directory.log_in(name, password) as own:
        entries = found(own, name, scope="BASE")
        shown = [value for entry in entries for key in ("uid", "cn", "mail") for value in entry.get(key, ())]
        if shown != [person["name"], person["full_name"], person["email"]]:
            raise VerificationError(f"{person['name']} finds {shown}, and not themselves as ordered")
        if any(SECRET in entry for entry in entries):
            raise VerificationError(f"{person['name']} can read the hash of a password")
        # It says the same as before.
        if own.modify(name, {"cn": [(ldap3.MODIFY_REPLACE, [person["full_name"]])]}):
            raise VerificationError(f"{person['name']} can change entries")


def check_services(directory: Directory, given: dict[str, Any]) -> None:
    """Require that services find the people and groups that were ordered, and that nobody else is there."""
    base, people = directory.base, given["people"]
    with directory.log_in(f"cn=services,ou=services,{base}", given["services"]["services"]) as service:
        entries = found(service, base)
        contexts = [name for entry in found(service, "", scope="BASE", attribute="namingContexts")
                    for name in entry["namingContexts"]]  # fmt: skip
    names = {name for entry in entries for name in entry.get("uid", ())}
    if names != {one["name"] for one in people}:
        raise VerificationError(f"services find the people {', '.join(sorted(names))}, who are not those ordered")
    members = {entry["cn"][0]: set(entry.get("memberUid", ())) for entry in entries
               if "posixGroup" in entry["objectClass"]}  # fmt: skip
    ordered = {group: {one["name"] for one in people if group in one["groups"]} for group in given["groups"]}
    if members != {given["everyone"]: set(), **ordered}:
        raise VerificationError(f"services find the groups {members}, which are not those ordered")
    if any(SECRET in entry for entry in entries):
        raise VerificationError("services can read hashes of passwords")
    if contexts != [base]:
        raise VerificationError(f"the server has entries of {', '.join(contexts)}, not just of {base}")


def check_canary(directory: Directory, password: str) -> None:
    """Require that the account that recovery is measured with finds nobody."""
    with directory.log_in(f"cn=canary,ou=services,{directory.base}", password) as canary:
        found(canary, f"ou=canaries,{directory.base}", scope="BASE")
        if canary.result["description"] != "success":
            raise VerificationError(f"canary does not find its own place: {canary.result['description']}")
        if found(canary, f"ou=people,{directory.base}"):
            raise VerificationError("canary finds people")


def verify(given: dict[str, Any]) -> None:
    """Carry out the whole verification."""
    directory = Directory(*(given[name] for name in ("host", "port", "authority", "base", "timeout")))
    check_services(directory, given)
    check_strangers(directory, given["people"][0]["name"])
    for person in given["people"]:
        check_person(directory, person, given["passwords"][person["name"]])
    check_canary(directory, given["services"]["canary"])


def main() -> None:
    """Verify once and report what is wrong, if anything."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "authority": {"type": "str", "required": True},
            "base": {"type": "str", "required": True},
            "people": {"type": "list", "elements": "dict", "required": True},
            "groups": {"type": "list", "elements": "str", "required": True},
            "everyone": {"type": "str", "required": True},
            "passwords": {"type": "dict", "required": True, "no_log": True},
            "services": {"type": "dict", "required": True, "no_log": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        verify(module.params)
    except (VerificationError, LDAPException, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
