#!/usr/bin/python
"""Ansible module: use a Request Tracker service desk as an agent of one agency does."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rt_ticket
short_description: Use a Request Tracker service desk as an agent of one agency does
description:
  - Logs in as every agent, over REST 2 and on the pages, opens a ticket as the first, reads it back, resolves it.
  - Proves that the agents see only the queue and the tickets of their own agency, that they can neither read nor write
    O(control_queue), that they find only accounts of their own agency, both over REST 2 and on the pages, and that a
    wrong password is refused.
  - Requires that the session's cookie is sent only over TLS, and is hidden from scripts and from other sites.
  - Runs anywhere that can reach O(host), needs no Request Tracker there, and leaves one resolved ticket named
    O(subject).
options:
  host:
    description: Name or address of the desk, which its certificate must name.
    type: str
    required: true
  authority:
    description: The certificate authority of the desk, as PEM text.
    type: str
    required: true
  queue:
    description: The agency's queue.
    type: str
    required: true
  level:
    description: The service level that the agency has ordered, which its tickets have without anybody's doing.
    type: str
    required: true
  control_queue:
    description: A queue on the desk that contains a ticket and that no agent may see.
    type: str
    required: true
  control_account:
    description: An account on the desk that no agent may find.
    type: str
    required: true
  passwords:
    description: Passwords by agent name. An agent's login is the queue, a full stop and the name.
    type: dict
    required: true
  subject:
    description: Subject of the ticket.
    type: str
    required: true
  timeout:
    description: Time limit for one request, in seconds.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: The same as in normal mode, because the ticket does not outlive the verification.
author: [Shared service orchestrator]
"""

EXAMPLES = r"""
- name: Use the desk as an agent does
  rt_ticket:
    host: 10.0.0.7
    authority: "{{ authority }}"
    queue: cabinet-office
    level: standard
    control_queue: isolation-control
    control_account: root
    passwords: {agent1: "{{ password }}"}
    subject: Service verification
  delegate_to: localhost
  become: false
"""

RETURN = r"""
ticket:
  description: Number of the ticket that was opened and resolved.
  returned: success
  type: int
"""

import base64
import http.client
import json
import ssl
import urllib.parse
from dataclasses import dataclass, replace
from email.message import Message
from typing import Any

from ansible.module_utils.basic import AnsibleModule

Answer = tuple[int, Any]
PAGE = 100
"""Users that the desk lists on one page, which is its maximum."""
SYSTEM = {"Nobody", "RT_System"}
"""Accounts of the desk itself, for tickets without an owner and for its own actions."""


class VerificationError(Exception):
    """The desk does not work as an agent expects. The message says why."""


@dataclass(frozen=True)
class Agent:
    """One login on the desk."""

    host: str
    authority: str
    timeout: int
    login: str
    password: str
    cookie: str = ""
    """Of the session. Without one, every request proves the password anew, which is expensive for the desk."""

    def ask(self, method: str, path: str, body: dict[str, str] | None = None) -> Answer:
        """Send one request; return the status and the decoded JSON document, or None where there is none."""
        credentials = base64.b64encode(f"{self.login}:{self.password}".encode()).decode()
        proof = self.session if self.cookie else {"Authorization": f"Basic {credentials}"}
        headers = {"Content-Type": "application/json", **proof}
        status, told, text = self.send(method, f"/REST/2.0/{path}", headers, json.dumps(body) if body else None)
        return status, json.loads(text) if told.get_content_type() == "application/json" else None

    def send(
        self, method: str, path: str, headers: dict[str, str], body: str | None = None
    ) -> tuple[int, Message, bytes]:
        """Send one request of any kind; return the status, the headers and the text of the response."""
        trust = ssl.create_default_context(cadata=self.authority)
        connection = http.client.HTTPSConnection(self.host, timeout=self.timeout, context=trust)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise VerificationError(f"{self.host} does not answer: {error}") from error
        finally:
            connection.close()

    @property
    def session(self) -> dict[str, str]:
        """Headers by which the desk knows the agent after logging in."""
        return {"Cookie": self.cookie.partition(";")[0], "Referer": f"https://{self.host}/"}

    def logged_in(self) -> Agent:
        """Log in over REST 2, and then on the pages as a browser does; return the agent with a session."""
        self.expect(200, "GET", "queues/all")
        form = urllib.parse.urlencode({"user": self.login, "pass": self.password, "next": "start"})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Referer": f"https://{self.host}/"}
        status, told, _ = self.send("POST", "/NoAuth/Login.html", headers, form)
        if status != 302 or not (cookie := told["Set-Cookie"]):
            raise VerificationError(f"{self.login} cannot log in on the pages: the status was {status}")
        return replace(self, cookie=str(cookie))

    def suggested(self, term: str) -> set[str]:
        """Return the names of accounts that the pages suggest for a typed term."""
        asked = urllib.parse.urlencode({"term": term, "return": "Name", "max": PAGE})
        status, _, text = self.send("GET", f"/Helpers/Autocomplete/Users?{asked}", self.session)
        if status != 200:
            raise VerificationError(f"{self.login}: the pages suggest nothing: the status was {status}")
        return {one["value"] for one in json.loads(text)}

    def accounts(self) -> set[str]:
        """Return the names of all accounts that this agent finds, except those of people who only write mail."""
        query = urllib.parse.quote(json.dumps([{"field": "Name", "operator": "NOT LIKE", "value": "@"}]))
        found, page, more = set(), 1, True
        while more:
            asked = f"users?query={query}&fields=Name&find_disabled_rows=1&per_page={PAGE}&page={page}"
            items = self.expect(200, "GET", asked)["items"]
            found |= {item["Name"] for item in items}
            page, more = page + 1, len(items) == PAGE
        return found

    def expect(self, status: int, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        """Send one request and require a status. Returns the document of the response."""
        found, document = self.ask(method, path, body)
        if found != status:
            raise VerificationError(f"{self.login}: {method} {path} got status {found}, not {status}")
        return document

    def find(self, query: str) -> int:
        """Count the tickets this agent finds."""
        return int(self.expect(200, "GET", f"tickets?query={urllib.parse.quote(query)}")["total"])


def check_isolation(agent: Agent, queue: str, control_queue: str) -> None:
    """Require that nothing beyond the agency's own queue can be seen or written."""
    visible = [item["id"] for item in agent.expect(200, "GET", "queues/all?fields=Name")["items"]]
    names = [agent.expect(200, "GET", f"queue/{number}")["Name"] for number in visible]
    if names != [queue]:
        raise VerificationError(f"{agent.login} sees the queues {', '.join(names) or '(none)'}, not just {queue}")
    if agent.find(f"Queue != '{queue}'"):
        raise VerificationError(f"{agent.login} finds tickets of other agencies")
    attempt = {"Queue": control_queue, "Subject": "This must be refused"}
    for status, act in (
        (agent.ask("GET", f"queue/{control_queue}")[0], "read"),
        (agent.ask("POST", "ticket", attempt)[0], "write to"),
    ):
        if status not in (403, 404):
            raise VerificationError(f"{agent.login} may {act} the queue {control_queue}: the status was {status}")


def check_accounts(agent: Agent, queue: str, own: set[str], control_account: str) -> None:
    """Require that the agents of the own agency are found, and nobody else."""
    lacking = [what for what in ("Secure", "HttpOnly", "SameSite=Lax") if what.lower() not in agent.cookie.lower()]
    if lacking:
        raise VerificationError(f"the session's cookie is not {', '.join(lacking)}")
    for way, found in (("REST", agent.accounts()), ("the pages", agent.suggested(f"{queue}."))):
        if others := {name for name in found - SYSTEM if not name.startswith(f"{queue}.")}:
            raise VerificationError(f"{agent.login} finds accounts of others by {way}: {', '.join(sorted(others))}")
        if missing := own - found:
            raise VerificationError(f"{agent.login} does not find by {way}: {', '.join(sorted(missing))}")
    agent.expect(200, "GET", f"user/{agent.login}")
    status = agent.ask("GET", f"user/{control_account}")[0]
    if status not in (403, 404) or agent.suggested(control_account):
        raise VerificationError(f"{agent.login} finds the account {control_account}")


def work_a_ticket(agent: Agent, queue: str, level: str, subject: str) -> int:
    """Open a ticket, read it back with its service level, resolve it; return its number."""
    opened = agent.expect(201, "POST", "ticket", {"Queue": queue, "Subject": subject, "Content": "Opened to verify."})
    number = int(opened["id"])
    ticket = agent.expect(200, "GET", f"ticket/{number}")
    for field, wanted in (("Subject", subject), ("Status", "new"), ("SLA", level)):
        if ticket[field] != wanted:
            raise VerificationError(f"ticket {number} has {field} {ticket[field]!r}, not {wanted!r}")
    if not ticket["Due"] or ticket["Due"].startswith("1970"):
        raise VerificationError(f"ticket {number} has no due time: the service level {level} does not work")
    agent.expect(200, "PUT", f"ticket/{number}", {"Status": "resolved"})
    status = agent.expect(200, "GET", f"ticket/{number}")["Status"]
    if status != "resolved":
        raise VerificationError(f"ticket {number} was resolved but is {status}")
    return number


def verify(given: dict[str, Any]) -> int:
    """Carry out the whole verification; return the number of the ticket."""

    desk = (given["host"], given["authority"], given["timeout"])
    agents = [Agent(*desk, f"{given['queue']}.{name}", password) for name, password in given["passwords"].items()]
    replace(agents[0], password="not the password").expect(401, "GET", "queues/all")  # noqa: S106
    agents = [agent.logged_in() for agent in agents]
    for one in agents:
        check_isolation(one, given["queue"], given["control_queue"])
        check_accounts(one, given["queue"], {agent.login for agent in agents}, given["control_account"])
    return work_a_ticket(agents[0], given["queue"], given["level"], given["subject"])


def main() -> None:
    """Verify once and report what is wrong, if anything."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "authority": {"type": "str", "required": True},
            "queue": {"type": "str", "required": True},
            "level": {"type": "str", "required": True},
            "control_queue": {"type": "str", "required": True},
            "control_account": {"type": "str", "required": True},
            "passwords": {"type": "dict", "required": True, "no_log": True},
            "subject": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, ticket=verify(module.params))
    except VerificationError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
