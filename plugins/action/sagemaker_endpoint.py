# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell of progress while an endpoint moves.

A module cannot print while it works. So each pass is one run of the module that does not wait, and between passes the
endpoint is looked at from here, one line on the terminal per change. What is decided, done and proven is the module's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.arguments import (
    POLL_INTERVAL,
    WAIT_TIMEOUT,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.wait import Patience, Sight, converge
from ansible_collections.modelhost.sagemaker.plugins.plugin_utils._parting_words import PartingWords

MODULE = "modelhost.sagemaker.sagemaker_endpoint"
INFO_MODULE = "modelhost.sagemaker.sagemaker_endpoint_info"

#: While nothing changes, a line this often is enough to see that the run is alive, in seconds.
_LINE_EVERY = 15.0

#: Looks that may fail in a row, so that a moment without network does not end a wait of many minutes.
_FAILED_LOOKS = 5

display = Display()
words = PartingWords()


class ActionModule(ActionBase):
    """Runs the module pass by pass. The task's arguments already hold what C(module_defaults) gives for this module."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        driver = _Driver(self, arguments, task_vars or {})
        if self._task.check_mode:
            return driver.run_pass({})
        words.keep(interrupted(arguments.get("name", ""), None))
        try:
            return self._converged(driver, arguments)
        finally:
            words.keep("")

    def _converged(self, driver: _Driver, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if not boolean(arguments.get("wait", True)):
            return driver.run_pass({})
        patience = Patience(
            timeout=_seconds(arguments, "wait_timeout", WAIT_TIMEOUT),
            interval=_seconds(arguments, "poll_interval", POLL_INTERVAL),
        )
        return converge(driver, patience)

    def execute(self, module: str, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        return self._execute_module(module_name=module, module_args=arguments, task_vars=task_vars)

    @property
    def tells_plan(self) -> bool:
        # With --diff the plan is part of the diff already.
        return not self._task.no_log and not self._task.diff

    @property
    def tells_progress(self) -> bool:
        return not self._task.no_log


class _Driver:
    """Passes by running the module, looks by running the info module."""

    def __init__(self, action: ActionModule, arguments: Mapping[str, Any], task_vars: dict[str, Any]) -> None:
        self._action = action
        self._arguments = dict(arguments)
        self._task_vars = task_vars
        self._told: set[str] = set()
        self._status = ""
        self._told_at = 0.0
        self._failed_looks = 0

    def run_pass(self, earlier: Mapping[str, Any]) -> dict[str, Any]:
        memory = {key: earlier[key] for key in ("moved_from", "generation") if earlier.get(key) is not None}
        arguments = {**self._arguments, "wait": False, **memory}
        result = self._action.execute(MODULE, arguments, self._task_vars)
        # _execute_module names the module that ran; only the outermost result is to carry it.
        result.pop("invocation", None)
        self._tell_plan(result)
        words.keep(interrupted(self._arguments["name"], result.get("pending")))
        return result

    def look(self) -> Sight:
        arguments = {**connection_arguments(self._arguments), "name": self._arguments["name"], "generations": False}
        found = self._action.execute(INFO_MODULE, arguments, self._task_vars)
        if found.get("failed"):
            return self._failed_look(found)
        self._failed_looks = 0
        endpoint = found["endpoint"]
        return Sight(
            status=endpoint.get("endpoint_status", ""),
            config_name=endpoint.get("endpoint_config_name", ""),
            modified=endpoint.get("last_modified_time", ""),
            failure_reason=endpoint.get("failure_reason", ""),
        )

    def report(self, status: str, waited: float) -> None:
        quiet = time.monotonic() - self._told_at
        if not self._action.tells_progress or (status == self._status and quiet < _LINE_EVERY):
            return
        self._status, self._told_at = status, time.monotonic()
        display.display(f"endpoint {self._arguments['name']}: {status} … {waited:.0f} s")

    def _failed_look(self, found: Mapping[str, Any]) -> Sight:
        self._failed_looks += 1
        if self._failed_looks >= _FAILED_LOOKS:
            raise AnsibleActionFail(
                f"Endpoint {self._arguments['name']} could not be looked at {_FAILED_LOOKS} times in a row: "
                f"{found.get('msg', 'no reason given')} SageMaker goes on by itself: run again to take up the wait."
            )
        return Sight(status="Updating" if not self._status else self._status)

    def _tell_plan(self, result: Mapping[str, Any]) -> None:
        if not self._action.tells_plan:
            return
        news = [line for line in result.get("plan", []) if line not in self._told]
        self._told.update(news)
        if news:
            # One message, not one for each line: a Ctrl-C between two of them can leave ansible-core's queue locked.
            display.display("\n".join(f"endpoint {self._arguments['name']}: {line}" for line in news))


def interrupted(name: str, pending: Mapping[str, Any] | None) -> str:
    """Return what a person is told who interrupts a run; C(pending) is what it waits for."""
    again = "the same command goes on where this one stopped."
    if not pending:
        return f"endpoint {name}: interrupted. Nothing is lost: {again}"
    return (
        f"endpoint {name}: interrupted while waiting until {pending['what']}. SageMaker goes on with that by itself: "
        f"{again}"
    )


def connection_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return those arguments that say which AWS is meant, and as whom, under whatever alias they were given."""
    spec = aws_argument_spec()
    names = {name for option, facts in spec.items() for name in (option, *facts.get("aliases", []))}
    return {name: value for name, value in arguments.items() if name in names}


def _seconds(arguments: Mapping[str, Any], name: str, default: float) -> float:
    # The module validates the option; what it will refuse need not be refused here as well.
    try:
        return max(1.0, float(arguments.get(name) or default))
    except (TypeError, ValueError):
        return default
