#!/usr/bin/python3 -I
"""Asks an agency's directory whether a password is somebody's, and exits with 0 if it is.

Run by pam_exec, with the name of an account in PAM_USER and the password on standard input. The argument is a pattern
of files that say for which accounts whom to ask: {"server": .., "authority": PEM, "names": {account: name there}}. An
account in none of them is refused, and so is everybody while the directory does not answer.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
from pathlib import Path

import ldap3

SECONDS = 3


def told_of(account: str, files: str) -> tuple[dict[str, str], str] | None:
    """Return whom to ask about an account, and what it is called there."""
    for file in Path("/").glob(files.removeprefix("/")):
        told = json.loads(file.read_text(encoding="utf-8"))
        if account in told["names"]:
            return told, told["names"][account]
    return None


def is_right(told: dict[str, str], name: str, password: bytes) -> bool:
    """Tell whether the directory lets somebody in with this password."""
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_data=told["authority"])
    server = ldap3.Server(told["server"], tls=tls, connect_timeout=SECONDS, get_info=ldap3.NONE)
    return bool(ldap3.Connection(server, user=name, password=password, receive_timeout=SECONDS).bind())


if __name__ == "__main__":
    given = sys.stdin.buffer.read().rstrip(b"\0")
    found = told_of(os.environ["PAM_USER"], sys.argv[1])
    # Who gives no password would be let in as nobody.
    if not given or found is None or not is_right(*found, given):
        raise SystemExit(1)
