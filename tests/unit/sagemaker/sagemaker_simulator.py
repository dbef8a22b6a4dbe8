# SPDX-License-Identifier: GPL-3.0-or-later
"""SageMaker in memory, as far as a rotation sees it, behind boto3's methods.

It keeps the rules that a rotation can break: unique names, no update but of an InService endpoint, no update between
serverless and instances, silent rollback, deletes that do not cascade. What AWS lets pass and a rotation must never do
(deleting what serves, touching what is not tagged as ours) is an AssertionError here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker import passes
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.client import Clock, SageMakerClient
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.outcome import OWNER_TAG, timestamp
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.scaling import Autoscaling
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.scaling_client import Scaling
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.spec import Wanted
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.wait import Patience, Sight, converge
from botocore.exceptions import ClientError

ARN = "arn:aws:sagemaker:eu-central-1:123456789012"
NAME = "modelhost-prod"
READS = ("describe", "list")


class Interrupted(Exception):
    """The run was killed."""


def refusal(message: str, code: str = "ValidationException") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Simulated")


class SimulatedSageMaker:
    """One account's SageMaker.

    C(fate) says how the next creates and updates end: "good", "bad" (Failed, or rolled back) or "stuck"
    (UpdateRollbackFailed). C(interrupt) is asked before and after each call and may raise C(Interrupted).
    C(looks) is how many DescribeEndpoint a create or an update takes to arrive. C(stale) says for each DescribeEndpoint
    after an update whether it still answers what was before. C(lost) names calls that get through while their answer is
    lost, so that they are tried again. Without C(tells_pending) nothing says where an update leads.
    """

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self.configs: dict[str, dict[str, Any]] = {}
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.tags_of: dict[str, dict[str, str]] = {}
        self.targets: dict[str, dict[str, Any]] = {}
        self.policies: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.fate: list[str] = []
        self.refuse: list[ClientError] = []
        self.interrupt: Callable[[int, str], None] = lambda number, when: None
        self.stale: list[bool] = []
        self.lost: list[str] = []
        self.tells_pending = True
        self.looks = 2
        self._before_update: dict[str, Any] = {}
        self.moment = datetime(2026, 11, 23, 10, tzinfo=UTC)

    # For tests

    @property
    def client(self) -> SageMakerClient:
        return SageMakerClient(self, clock=Clock(now=lambda: self.moment.timestamp(), sleep=self.sleep))

    @property
    def clients(self) -> passes.Clients:
        return passes.Clients(self.client, Scaling(self, NAME))

    @property
    def writing_calls(self) -> list[str]:
        return [call for call in self.calls if not call.startswith(READS)]

    def kill_at(self, call: int, when: str) -> None:
        """Kill the run C(when) ("before" or "after") it makes its call of that number, counted from now."""
        killed_at = len(self.calls) + call

        def kill(number: int, now: str) -> None:
            if (number, now) == (killed_at, when):
                raise Interrupted

        self.interrupt = kill

    def spare(self) -> None:
        """Kill no more runs."""
        self.interrupt = lambda number, now: None

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def now(self) -> str:
        self.moment += timedelta(milliseconds=1)
        return timestamp(self.moment)

    def live(self, name: str) -> str:
        return self.endpoints[name]["EndpointConfigName"]

    def status(self, name: str) -> str:
        return self.endpoints[name]["EndpointStatus"]

    def settle(self) -> None:
        """Let everything that moves arrive."""
        for name in list(self.endpoints):
            while name in self.endpoints and self.endpoints[name]["_looks"] > 0:
                self._advance(name)

    # The API

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        method = getattr(type(self), f"_{operation}", None)
        if method is None:
            raise AttributeError(operation)

        def call(**parameters: Any) -> dict[str, Any]:
            number = len(self.calls)
            self.interrupt(number, "before")
            self.calls.append(operation)
            self.moment += timedelta(milliseconds=1)
            if self.refuse and not operation.startswith(READS):
                raise self.refuse.pop(0)
            answer = copy.deepcopy(method(self, **parameters))
            if operation in self.lost:
                self.lost.remove(operation)
                answer = method(self, **parameters)
            self.interrupt(number, "after")
            return answer or {}

        return call

    def _describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        self._advance(EndpointName)
        endpoint = self._existing(self.endpoints, EndpointName, "endpoint")
        if self._before_update and self.stale and self.stale.pop(0):
            return self._before_update
        hidden = () if self.tells_pending else ("PendingDeploymentSummary",)
        return {key: value for key, value in endpoint.items() if not key.startswith("_") and key not in hidden}

    def _describe_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:
        return self._existing(self.configs, EndpointConfigName, "endpoint configuration")

    def _describe_model(self, ModelName: str) -> dict[str, Any]:
        return self._existing(self.models, ModelName, "model")

    def _list_endpoint_configs(self, NameContains: str, MaxResults: int) -> dict[str, Any]:
        return {"EndpointConfigs": [c for name, c in self.configs.items() if NameContains in name]}

    def _list_models(self, NameContains: str, MaxResults: int) -> dict[str, Any]:
        return {"Models": [m for name, m in self.models.items() if NameContains in name]}

    def _list_endpoints(self, LastModifiedTimeAfter: datetime, MaxResults: int) -> dict[str, Any]:
        return {"Endpoints": [e for e in self.endpoints.values() if e["LastModifiedTime"] >= LastModifiedTimeAfter]}

    def _list_tags(self, ResourceArn: str) -> dict[str, Any]:
        if ResourceArn not in self.tags_of:
            raise refusal(f'Could not find resource "{ResourceArn}".')
        return {"Tags": [{"Key": key, "Value": value} for key, value in self.tags_of[ResourceArn].items()]}

    def _delete_tags(self, ResourceArn: str, TagKeys: list[str]) -> dict[str, Any]:
        for key in TagKeys:
            self.tags_of[ResourceArn].pop(key, None)
        return {}

    def _add_tags(self, ResourceArn: str, Tags: list[dict[str, str]]) -> dict[str, Any]:
        ours = OWNER_TAG in self.tags_of[ResourceArn] or OWNER_TAG in {tag["Key"] for tag in Tags}
        assert ours, f"{ResourceArn} is not ours to tag"
        self.tags_of[ResourceArn] |= {tag["Key"]: tag["Value"] for tag in Tags}
        return {}

    def _create_model(self, ModelName: str, Tags: list[dict[str, str]], **facts: Any) -> dict[str, Any]:
        return self._created(self.models, "Model", ModelName, Tags, facts)

    def _create_endpoint_config(self, EndpointConfigName: str, Tags: list[dict[str, str]], **facts: Any) -> dict:
        for variant in facts["ProductionVariants"]:
            self._existing(self.models, variant["ModelName"], "model")
        return self._created(self.configs, "EndpointConfig", EndpointConfigName, Tags, facts)

    def _create_endpoint(self, EndpointName: str, EndpointConfigName: str, Tags: list[dict[str, str]]) -> dict:
        self._existing(self.configs, EndpointConfigName, "endpoint configuration")
        facts = {"EndpointConfigName": EndpointConfigName}
        self._created(self.endpoints, "Endpoint", EndpointName, Tags, facts)
        self._move(EndpointName, "Creating", EndpointConfigName)
        return {}

    def _update_endpoint(self, EndpointName: str, EndpointConfigName: str, **options: Any) -> dict[str, Any]:
        endpoint = self._existing(self.endpoints, EndpointName, "endpoint")
        config = self._existing(self.configs, EndpointConfigName, "endpoint configuration")
        if endpoint["EndpointStatus"] not in ("InService", "UpdateRollbackFailed"):
            raise refusal(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
        live = self._existing(self.configs, endpoint["EndpointConfigName"], "endpoint configuration")
        if _is_serverless(config) and not _is_serverless(live):
            raise refusal("Updating instances to serverless is not supported.")
        self._before_update = copy.deepcopy({k: v for k, v in endpoint.items() if not k.startswith("_")})
        was = {v["VariantName"]: v.get("InstanceType") for v in live["ProductionVariants"]}
        for variant in config["ProductionVariants"]:
            name = variant["VariantName"]
            if f"endpoint/{EndpointName}/variant/{name}" in self.targets and was.get(name) != variant.get(
                "InstanceType"
            ):
                raise refusal(f"The variant {name} is registered as a scalable target; deregister it first.")
        self.updates.append(options)
        self._move(EndpointName, "Updating", EndpointConfigName)
        return {}

    def _update_endpoint_weights_and_capacities(self, EndpointName: str, DesiredWeightsAndCapacities: list) -> dict:
        self._existing(self.endpoints, EndpointName, "endpoint")["ProductionVariants"] = [
            {"VariantName": each["VariantName"], "DesiredInstanceCount": each["DesiredInstanceCount"]}
            for each in DesiredWeightsAndCapacities
        ]
        self._move(EndpointName, "Updating", self.live(EndpointName))
        return {}

    # Application Auto Scaling

    def _describe_scalable_targets(self, ServiceNamespace: str, ResourceIds: list[str]) -> dict[str, Any]:
        return {"ScalableTargets": [self.targets[each] for each in ResourceIds if each in self.targets]}

    def _describe_scaling_policies(self, ServiceNamespace: str, ResourceId: str, ScalableDimension: str) -> dict:
        return {"ScalingPolicies": [policy for policy in self.policies if policy["ResourceId"] == ResourceId]}

    def _register_scalable_target(self, ServiceNamespace: str, ResourceId: str, **facts: Any) -> dict[str, Any]:
        _, endpoint, _, variant = ResourceId.split("/")
        assert variant in {v["VariantName"] for v in self._variants(self.live(endpoint))}, (
            "AWS refuses unknown variants"
        )
        self.targets[ResourceId] = {"ResourceId": ResourceId, **facts}
        return {}

    def _put_scaling_policy(self, ServiceNamespace: str, ResourceId: str, PolicyName: str, **facts: Any) -> dict:
        assert ResourceId in self.targets, "AWS refuses a policy of what is not registered"
        self.policies = [p for p in self.policies if (p["ResourceId"], p["PolicyName"]) != (ResourceId, PolicyName)]
        self.policies.append({"ResourceId": ResourceId, "PolicyName": PolicyName, **facts})
        return {}

    def _deregister_scalable_target(self, ServiceNamespace: str, ResourceId: str, ScalableDimension: str) -> dict:
        if ResourceId not in self.targets:
            raise refusal("No scalable target found.", "ObjectNotFoundException")
        del self.targets[ResourceId]
        self.policies = [policy for policy in self.policies if policy["ResourceId"] != ResourceId]
        return {}

    def _delete_endpoint(self, EndpointName: str) -> dict[str, Any]:
        endpoint = self._existing(self.endpoints, EndpointName, "endpoint")
        assert self.tags_of[endpoint["EndpointArn"]].get(OWNER_TAG) == EndpointName, "not ours to delete"
        if endpoint["_looks"]:
            raise refusal(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
        self.tags_of[endpoint["EndpointArn"]] = {}
        endpoint |= {"EndpointStatus": "Deleting", "_looks": 2, "_fate": "gone"}
        return {}

    def _delete_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:
        config = self._existing(self.configs, EndpointConfigName, "endpoint configuration")
        assert OWNER_TAG in self.tags_of[config["EndpointConfigArn"]], f"{EndpointConfigName} is not ours to delete"
        assert EndpointConfigName not in self._referred_configs(), f"{EndpointConfigName} serves"
        del self.configs[EndpointConfigName], self.tags_of[config["EndpointConfigArn"]]
        return {}

    def _delete_model(self, ModelName: str) -> dict[str, Any]:
        model = self._existing(self.models, ModelName, "model")
        assert OWNER_TAG in self.tags_of[model["ModelArn"]], f"{ModelName} is not ours to delete"
        serving = {v["ModelName"] for name in self._referred_configs() for v in self._variants(name)}
        assert ModelName not in serving, f"{ModelName} serves"
        del self.models[ModelName], self.tags_of[model["ModelArn"]]
        return {}

    # How it moves

    def _move(self, name: str, status: str, target: str) -> None:
        self.endpoints[name] |= {
            "EndpointStatus": status,
            "PendingDeploymentSummary": {"EndpointConfigName": target},
            "LastModifiedTime": self.moment,
            "_looks": self.looks,
            "_fate": self.fate.pop(0) if self.fate else "good",
            "_previous": self.endpoints[name]["EndpointConfigName"],
        }
        self.endpoints[name].pop("FailureReason", None)

    def _advance(self, name: str) -> None:
        endpoint = self.endpoints.get(name)
        if endpoint is None or not endpoint["_looks"]:
            return
        endpoint["_looks"] -= 1
        if endpoint["_looks"]:
            return
        endpoint["LastModifiedTime"] = self.moment
        target = endpoint.pop("PendingDeploymentSummary", {}).get("EndpointConfigName", "")
        if endpoint["_fate"] == "gone":
            del self.endpoints[name], self.tags_of[endpoint["EndpointArn"]]
        elif endpoint["_fate"] == "good":
            endpoint |= {"EndpointStatus": "InService", "EndpointConfigName": target}
        elif endpoint["_fate"] == "stuck":
            endpoint |= {"EndpointStatus": "UpdateRollbackFailed", "FailureReason": "No capacity to roll back."}
        else:
            status = "Failed" if endpoint["EndpointStatus"] == "Creating" else "InService"
            endpoint |= {"EndpointStatus": status, "FailureReason": "The container did not pass its health check."}

    def _referred_configs(self) -> set[str]:
        referred = {e["EndpointConfigName"] for e in self.endpoints.values()}
        pending = (e.get("PendingDeploymentSummary", {}).get("EndpointConfigName") for e in self.endpoints.values())
        return referred | {name for name in pending if name}

    def _variants(self, config_name: str) -> list[dict[str, Any]]:
        return self.configs.get(config_name, {}).get("ProductionVariants", [])

    def _created(
        self, shelf: dict[str, dict[str, Any]], kind: str, name: str, tags: list[dict[str, str]], facts: dict[str, Any]
    ) -> dict[str, Any]:
        if name in shelf:
            raise refusal(f'Cannot create already existing {kind.lower()} "{name}".')
        arn = f"{ARN}:{kind.lower()}/{name.lower()}"
        shelf[name] = {
            f"{kind}Name": name,
            f"{kind}Arn": arn,
            "CreationTime": self.moment,
            "LastModifiedTime": self.moment,
            "_looks": 0,
            **copy.deepcopy(facts),
        }
        self.tags_of[arn] = {tag["Key"]: tag["Value"] for tag in tags}
        return {f"{kind}Arn": arn}

    def _existing(self, shelf: dict[str, dict[str, Any]], name: str, kind: str) -> dict[str, Any]:
        if name not in shelf:
            raise refusal(f'Could not find {kind} "{ARN}:{kind.replace(" ", "-")}/{name}".')
        return shelf[name]


def _is_serverless(config: dict[str, Any]) -> bool:
    return any("ServerlessConfig" in variant for variant in config["ProductionVariants"])


@dataclass(frozen=True)
class Rollback:
    """Wants the generation before, or a named one."""

    to: str = ""
    scaling: Mapping[str, Autoscaling] = field(default_factory=dict)
    retry_failed: bool = False


Wish = Wanted | Rollback | str


class Run:
    """One run of the module against the simulation: passes, looks, virtual waiting."""

    def __init__(self, sagemaker: SimulatedSageMaker, wanted: Wish, check_mode: bool = False) -> None:
        self.sagemaker, self.wanted, self.check_mode = sagemaker, wanted, check_mode
        self.statuses: list[str] = []

    def run_pass(self, earlier: Mapping[str, Any]) -> dict[str, Any]:
        clients = self.sagemaker.clients
        if isinstance(self.wanted, Rollback):
            to, scaling, now = self.wanted.to, self.wanted.scaling, self.sagemaker.now
            memory = {"retry_failed": self.wanted.retry_failed, "moved_from": earlier.get("moved_from")}
            to = earlier.get("generation") or to
            return passes.rollback_pass(
                clients, NAME, to, scaling, **memory, check_mode=self.check_mode, tail=list, now=now
            )
        if isinstance(self.wanted, str):
            return passes.absent_pass(clients, self.wanted, check_mode=self.check_mode)
        wanted = passes.for_pass(self.wanted, earlier.get("moved_from"))
        return passes.present_pass(
            clients, wanted, check_mode=self.check_mode, tail=lambda: ["a line"], now=self.sagemaker.now
        )

    def look(self) -> Sight:
        name = self.wanted if isinstance(self.wanted, str) else getattr(self.wanted, "name", NAME)
        return passes.look(self.sagemaker.client, name)

    def report(self, status: str, waited: float) -> None:
        self.statuses.append(status)


def deploy(sagemaker: SimulatedSageMaker, wanted: Wish, timeout: float = 1800) -> dict[str, Any]:
    """Run to the end; an absent endpoint is wanted by its name alone."""
    patience = Patience(timeout, 15, now=lambda: sagemaker.moment.timestamp(), sleep=sagemaker.sleep)
    return converge(Run(sagemaker, wanted), patience)


def start(sagemaker: SimulatedSageMaker, wanted: Wanted) -> dict[str, Any]:
    """Make the first pass alone, as a run that is killed while it waits; what it started arrives meanwhile."""
    result = Run(sagemaker, wanted).run_pass({})
    sagemaker.settle()
    return result


def check(sagemaker: SimulatedSageMaker, wanted: Wish) -> dict[str, Any]:
    """Run in check mode."""
    return Run(sagemaker, wanted, check_mode=True).run_pass({})
