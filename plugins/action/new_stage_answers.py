# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the questions that make a stage; see the module of the same name for its documentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage import settings as stage_settings
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage.finding import Finding
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage.questions import (
    Question,
    next_question,
    problems_so_far,
)

try:
    from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
except ImportError:  # pragma: no cover
    from ansible.utils.display import AnsiblePromptInterrupt, AnsiblePromptNoninteractive

display = Display()


class ActionModule(ActionBase):
    """Runs on the controller, where the person is."""

    BYPASS_HOST_LOOP = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _result, arguments = self.validate_argument_spec(
            argument_spec={
                "inventories": {"type": "path", "required": True},
                "project": {"type": "str", "required": True},
            }
        )
        self._inventories = Path(arguments["inventories"])
        self._options = stage_settings.all_options()
        given = load_extra_vars(self._loader)
        unknown = stage_settings.unknown_keys(given, self._options)
        if unknown:
            return _failure(unknown)
        answers: dict[str, Any] = {"stage_project": arguments["project"]}
        while question := next_question(answers):
            if question.key in given:
                value, findings = self._check(question.key, given[question.key], answers)
            else:
                value, findings = self._ask(question, answers)
            if findings:
                return _failure(findings)
            answers[question.key] = value
        unused = sorted(key for key in given if key in self._options and key not in answers)
        if unused:
            return {
                "failed": True,
                "msg": f"Nothing was written: {', '.join(unused)} means nothing to a stage with the other answers.",
            }
        del answers["stage_project"]
        return {"changed": False, "answers": answers}

    def _ask(self, question: Question, answers: dict[str, Any]) -> tuple[Any, list[Finding]]:
        """Asks until the answer is one AWS would take; where nobody is there to answer, takes the default."""
        hint = f" [{question.default}]" if question.default else ""
        while True:
            try:
                typed = display.prompt_until(f"{question.text}{hint}: ").decode(errors="replace").strip()
            except AnsiblePromptNoninteractive:
                return self._check(question.key, question.default, answers)
            except AnsiblePromptInterrupt as interrupt:
                raise AnsibleError("Stopped. Nothing was written.") from interrupt
            value, findings = self._check(question.key, typed or question.default, answers)
            if not findings:
                return value, []
            for finding in findings:
                display.display(f"  {finding.problem}", color="red")

    def _check(self, key: str, value: Any, answers: dict[str, Any]) -> tuple[Any, list[Finding]]:
        so_far = {**answers, key: value}
        typed, found = stage_settings.check_typed(so_far, self._options)
        findings = problems_so_far(found, so_far)
        if key == "stage_name" and not findings:
            if not value:
                findings = [Finding(key, None, "a stage needs a name. Give it with -e stage_name=…")]
            elif (self._inventories / value).exists():
                findings = [
                    Finding(
                        key, value, f"inventories/{value} is there already. Choose another name, or edit that stage."
                    )
                ]
        return typed.get(key), findings


def _failure(findings: list[Finding]) -> dict[str, Any]:
    lines = [f"  {stage_settings.explain(finding, None)}" for finding in findings]
    return {"failed": True, "msg": "\n".join(["Nothing was written.", *lines])}
