# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How traffic moves to a new generation: SageMaker's deployment guardrails.

They say how a rotation goes and not what is served, so they are no part of any name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STRATEGIES = ("all_at_once", "canary", "linear", "rolling")


@dataclass(frozen=True)
class Deployment:
    """The guardrails of one update; times in seconds, sizes in percent of the capacity or in instances."""

    strategy: str = "all_at_once"
    size: int | None = None
    size_type: str = "capacity_percent"
    wait_interval_in_seconds: int = 0
    termination_wait_in_seconds: int | None = None
    maximum_execution_timeout_in_seconds: int | None = None
    rollback_size: int | None = None
    alarms: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """How a person reads it, as in "canary 10 %, 300 s between steps, watched by 2 alarms"; empty for AWS's own."""
        if self == Deployment():
            return ""
        parts = [self.strategy.replace("_", " ")]
        if self.size is not None:
            parts[0] += f" {self.size} {'%' if self.size_type == 'capacity_percent' else 'instances'}"
        if self.wait_interval_in_seconds:
            after = "before the end" if self.strategy == "all_at_once" else "after each step"
            parts.append(f"{self.wait_interval_in_seconds} s {after}")
        if self.alarms:
            parts.append("rolled back by " + ", ".join(self.alarms))
        return ", ".join(parts)

    def request(self) -> dict[str, Any]:
        """UpdateEndpoint's DeploymentConfig; empty where nothing differs from what SageMaker does by itself."""
        if self == Deployment():
            return {}
        policy = self._rolling() if self.strategy == "rolling" else self._blue_green()
        alarms = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in self.alarms]}}
        return {**policy, **(alarms if self.alarms else {})}

    def _blue_green(self) -> dict[str, Any]:
        routing: dict[str, Any] = {
            "Type": self.strategy.upper(),
            "WaitIntervalInSeconds": self.wait_interval_in_seconds,
        }
        step = {"canary": "CanarySize", "linear": "LinearStepSize"}.get(self.strategy)
        if step:
            routing[step] = self._size(self.size)
        return {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": routing,
                **_given("TerminationWaitInSeconds", self.termination_wait_in_seconds),
                **_given("MaximumExecutionTimeoutInSeconds", self.maximum_execution_timeout_in_seconds),
            }
        }

    def _rolling(self) -> dict[str, Any]:
        back = {} if self.rollback_size is None else {"RollbackMaximumBatchSize": self._size(self.rollback_size)}
        return {
            "RollingUpdatePolicy": {
                "MaximumBatchSize": self._size(self.size),
                "WaitIntervalInSeconds": self.wait_interval_in_seconds,
                **_given("MaximumExecutionTimeoutInSeconds", self.maximum_execution_timeout_in_seconds),
                **back,
            }
        }

    def _size(self, value: int | None) -> dict[str, Any]:
        return {"Type": self.size_type.upper(), "Value": value}


def deployment_from_options(options: Mapping[str, Any] | None) -> Deployment:
    """Return a module's (validated) option C(deployment) as a value."""
    given = {key: value for key, value in (options or {}).items() if value is not None}
    return Deployment(**{**given, "alarms": tuple(given.get("alarms", ()))})


def _given(name: str, value: int | None) -> dict[str, int]:
    return {} if value is None else {name: value}
