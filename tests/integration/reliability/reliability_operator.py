# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who runs the module, in this process: the module's own driver, loop and clients, and a hand on the plug."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.botocore import boto3_conn
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError
from ansible_collections.amazon.aws.plugins.module_utils.retries import RetryingBotoClientWrapper
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.arguments import argument_spec
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.wait import Patience, converge
from ansible_collections.modelhost.sagemaker.plugins.modules.sagemaker_endpoint import ModuleDriver, problems
from botocore.exceptions import ClientError
from local_cloud_process import LocalCloud

READS = ("Describe", "List", "Get", "Head")


class Killed(BaseException):
    """The run was killed. No code of ours catches it, as none catches SIGKILL."""


class Operator:
    """A person at a terminal.

    C(calls) are the operations AWS answered in the last run. C(waited) is how long looks are apart, in seconds.
    """

    def __init__(self, cloud: LocalCloud, *, interval: float = 0.05, timeout: float = 120, **connection: Any) -> None:
        self.region = "us-east-1"
        self.check_mode = False
        self.params: dict[str, Any] = {}
        self.calls: list[str] = []
        self._interval, self._timeout = interval, timeout
        self._connection = {
            "region": self.region,
            "endpoint": cloud.url,
            "aws_access_key_id": cloud.access_key,
            "aws_secret_access_key": "local",
            **connection,
        }
        self._clients: dict[str, Any] = {}
        self._kill_at, self._answered, self._writes_alone = 0, False, False
        self._due = 0

    # What the module's driver asks of a module

    def client(self, service: str, retry_decorator: Any = None, **options: Any) -> Any:
        if service not in self._clients:
            made = boto3_conn(self, "client", service, **self._connection, **options)
            made.meta.events.register("before-send", self._before)
            made.meta.events.register("response-received", self._after)
            self._clients[service] = made
        plain = self._clients[service]
        return plain if retry_decorator is None else RetryingBotoClientWrapper(plain, retry_decorator)

    def debug(self, line: str) -> None:
        """Progress is nobody's concern here."""

    # What a person does

    def run(self, wish: Mapping[str, Any], *, check_mode: bool = False) -> dict[str, Any]:
        """Run the module once, to its end; a failure is returned as the module tells it."""
        self.calls, self._due, self.check_mode = [], self._kill_at, check_mode
        validated = ArgumentSpecValidator(argument_spec()).validate(copy.deepcopy(dict(wish)))
        assert not validated.error_messages, validated.error_messages
        self.params = validated.validated_parameters
        wrong = problems(self)
        assert not wrong, wrong
        try:
            driver = ModuleDriver(self)
            if check_mode:
                return driver.run_pass({})
            return converge(driver, Patience(timeout=self._timeout, interval=self._interval))
        except AnsibleAWSError as error:
            return {"failed": True, "changed": False, "msg": error.message}

    def is_killed(self, wish: Mapping[str, Any], at: int, *, answered: bool, writes_alone: bool) -> bool:
        """Run, and be killed at a call; C(False) where the run ended before that call came.

        The call is the C(at)-th of all, or with C(writes_alone) of those that change something. It is killed before the
        call reaches AWS, or where it is C(answered), when the work is done and before the run has seen the answer.
        """
        self._kill_at, self._answered, self._writes_alone = at, answered, writes_alone
        try:
            result = self.run(wish)
        except Killed:
            return True
        finally:
            self._kill_at = self._due = 0
        assert not result.get("failed"), result["msg"]
        return False

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith(READS)]

    def _before(self, event_name: str, **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        if self._due and not (self._writes_alone and operation.startswith(READS)):
            self._due -= 1
            if not self._due and not self._answered:
                raise Killed(operation)

    def _after(self, event_name: str, **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        self.calls.append(operation)
        watched = self._kill_at and self._answered and not (self._writes_alone and operation.startswith(READS))
        if watched and not self._due:
            raise Killed(operation)


class Account:
    """What is there, seen by somebody who makes no part in it."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self._sagemaker = cloud.client("sagemaker")

    def there(self, name: str) -> dict[str, list[str]]:
        """The names of everything that an endpoint of that name is made of, by kind; empty kinds are left out."""
        sagemaker = self._sagemaker
        named = {"NameContains": name, "MaxResults": 100}
        found = {
            "endpoint": [each["EndpointName"] for each in sagemaker.list_endpoints(**named)["Endpoints"]],
            "config": [
                each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs(**named)["EndpointConfigs"]
            ],
            "model": [each["ModelName"] for each in sagemaker.list_models(**named)["Models"]],
            "target": [each["ResourceId"] for each in self.targets(name)],
            "policy": [each["ResourceId"] for each in self._policies(name)],
        }
        return {kind: sorted(names) for kind, names in found.items() if names}

    def targets(self, name: str) -> list[dict[str, Any]]:
        scaling = self.cloud.client("application-autoscaling")
        found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        return [each for each in found if each["ResourceId"].startswith(f"endpoint/{name}/")]

    def _policies(self, name: str) -> list[dict[str, Any]]:
        scaling = self.cloud.client("application-autoscaling")
        found = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
        return [each for each in found if each["ResourceId"].startswith(f"endpoint/{name}/")]

    def describe(self, name: str) -> dict[str, Any]:
        """The endpoint; empty where there is none."""
        try:
            return dict(self._sagemaker.describe_endpoint(EndpointName=name))
        except ClientError:
            return {}

    def live(self, name: str) -> str:
        return str(self.describe(name).get("EndpointConfigName", ""))

    def models_of(self, config: str) -> list[str]:
        found = self._sagemaker.describe_endpoint_config(EndpointConfigName=config)
        return [variant["ModelName"] for variant in found["ProductionVariants"]]

    def tags(self, name: str) -> dict[str, str]:
        found = self._sagemaker.list_tags(ResourceArn=self.describe(name)["EndpointArn"])["Tags"]
        return {tag["Key"]: tag["Value"] for tag in found}
