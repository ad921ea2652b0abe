"""Keeps the status of failures that a task hides (`no_log`): that of its program or HTTP response, and no text.

Ansible loads this beside its own callbacks. It reports nothing itself. It makes Ansible keep two numbers when it
removes everything else from a hidden result (`censor_result` in ansible.executor.task_result; a test checks that).
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.executor import task_result
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: hidden_failures
type: notification
short_description: Keeps the status of hidden failures
description: Makes Ansible keep C(rc) and C(status), if they are numbers, of results that C(no_log) hides.
"""

NUMBERS = ("rc", "status")

Censor = Callable[[Mapping[str, Any]], dict[str, Any]]


def keeping_numbers(censor: Censor) -> Censor:
    def censor_result(result: Mapping[str, Any]) -> dict[str, Any]:
        return censor(result) | {name: result[name] for name in NUMBERS if type(result.get(name)) is int}

    return censor_result


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "hidden_failures"
    CALLBACK_NEEDS_ENABLED = False


task_result.censor_result = keeping_numbers(task_result.censor_result)
