# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what a playbook says with debug and nothing else, so that its output can be used in a shell."""

from __future__ import annotations

DOCUMENTATION = r"""
name: bare
type: stdout
version_added: 0.1.0
short_description: Print the messages of debug tasks alone
description:
  - Prints the O(ansible.builtin.debug#module:msg) of every debug task to standard output and every failure to standard error.
  - Made for playbooks whose answer is one line, like C(url.yml), so that C($(make url)) is the URL.
author:
  - modelhost contributors (@modelhost)
"""

import sys
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "modelhost.sagemaker.bare"

    def v2_runner_on_ok(self, result: Any) -> None:
        if result.task.action in ("debug", "ansible.builtin.debug"):
            self._display.display(str(result.result.get("msg", "")))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            print(str(result.result.get("msg", result.result)), file=sys.stderr)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self.v2_runner_on_failed(result)
