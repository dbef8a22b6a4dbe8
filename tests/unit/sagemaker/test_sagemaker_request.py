# SPDX-License-Identifier: GPL-3.0-or-later
"""All that SageMaker offers for one endpoint reaches it as botocore's service model wants it, and is read back."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker import validate_endpoint
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.aws_names import differences
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.spec import Wanted, wanted_from_options
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.state import config_from_boto
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from sagemaker_simulator import SimulatedSageMaker, deploy
from sagemaker_wanted import options

API = ServiceModel(Loader().load_service_model("sagemaker", "service-2"))
INSTANCE = {"instance_type": "ml.m5.large", "initial_instance_count": 2}
EVERYTHING: dict[str, Any] = {
    "production_variants": [
        {
            "variant_name": "blue",
            "initial_variant_weight": 3.0,
            "instance": {
                **INSTANCE,
                "volume_size_in_gb": 64,
                "model_data_download_timeout_in_seconds": 600,
                "container_startup_health_check_timeout_in_seconds": 600,
                "inference_ami_version": "al2-ami-sagemaker-inference-gpu-2",
                "enable_ssm_access": True,
                "routing_strategy": "LEAST_OUTSTANDING_REQUESTS",
                "managed_instance_scaling": {"min_instance_count": 1, "max_instance_count": 4},
            },
        }
    ],
    "shadow_production_variants": [
        {"variant_name": "shadow", "instance": INSTANCE, "model": {"environment": {"SERVING_THREADS": "1"}}}
    ],
    "data_capture": {
        "destination_s3_uri": "s3://bucket/capture",
        "initial_sampling_percentage": 20,
        "capture_modes": ["Input"],
        "json_content_types": ["application/json"],
    },
    "kms_key_id": "alias/volumes",
}
ASYNCHRONOUS = {
    "production_variants": [{"variant_name": "AllTraffic", "instance": INSTANCE}],
    "async_inference": {
        "s3_output_path": "s3://bucket/out",
        "s3_failure_path": "s3://bucket/failed",
        "error_topic": "arn:aws:sns:eu-central-1:123456789012:failures",
        "max_concurrent_invocations_per_instance": 4,
    },
}


def wanted(**others: Any) -> Wanted:
    given = options(**others)
    assert validate_endpoint.endpoint(given) == []
    return wanted_from_options(given)


class Recorder:
    """A boto3 client that checks parameters as botocore does and remembers them."""

    def __init__(self, sagemaker: SimulatedSageMaker) -> None:
        self.requests: dict[str, dict[str, Any]] = {}
        answer = type(sagemaker).__getattr__

        def checked(self_: SimulatedSageMaker, operation: str) -> Any:
            call = answer(self_, operation)
            name = "".join(word.capitalize() for word in operation.split("_"))

            def check(**parameters: Any) -> Any:
                self.requests[operation] = parameters
                if name in API.operation_names:
                    report = ParamValidator().validate(parameters, API.operation_model(name).input_shape)
                    assert not report.has_errors(), report.generate_report()
                return call(**parameters)

            return check

        self.checked = checked


@pytest.fixture
def requests(sagemaker: SimulatedSageMaker, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    recorder = Recorder(sagemaker)
    monkeypatch.setattr(SimulatedSageMaker, "__getattr__", recorder.checked)
    return recorder.requests


@pytest.mark.parametrize("given", [EVERYTHING, ASYNCHRONOUS])
def test_a_request_is_one_that_botocore_takes(
    sagemaker: SimulatedSageMaker, requests: dict[str, dict[str, Any]], given: dict[str, Any]
) -> None:
    assert not deploy(sagemaker, wanted(**given)).get("failed")
    assert requests["create_endpoint_config"]["ProductionVariants"]


@pytest.mark.parametrize("given", [EVERYTHING, ASYNCHRONOUS])
def test_what_was_asked_for_is_read_back_as_the_same(sagemaker: SimulatedSageMaker, given: dict[str, Any]) -> None:
    wish = wanted(**given)
    deploy(sagemaker, wish)
    read = config_from_boto(sagemaker.configs[wish.config_name]).spec
    assert read.document() == wish.named_config.document()
    assert differences(read, wish.named_config) == []


def test_everything_has_its_place_in_the_request(
    sagemaker: SimulatedSageMaker, requests: dict[str, dict[str, Any]]
) -> None:
    deploy(sagemaker, wanted(**EVERYTHING))
    config = requests["create_endpoint_config"]
    assert config["ProductionVariants"][0] == {
        "VariantName": "blue",
        "ModelName": config["ProductionVariants"][0]["ModelName"],
        "InitialVariantWeight": 3.0,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 2,
        "VolumeSizeInGB": 64,
        "ModelDataDownloadTimeoutInSeconds": 600,
        "ContainerStartupHealthCheckTimeoutInSeconds": 600,
        "InferenceAmiVersion": "al2-ami-sagemaker-inference-gpu-2",
        "EnableSSMAccess": True,
        "RoutingConfig": {"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
        "ManagedInstanceScaling": {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 4},
    }
    assert config["DataCaptureConfig"] == {
        "EnableCapture": True,
        "DestinationS3Uri": "s3://bucket/capture",
        "InitialSamplingPercentage": 20,
        "CaptureOptions": [{"CaptureMode": "Input"}],
        "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
    }
    assert config["KmsKeyId"] == "alias/volumes"


def test_variants_with_models_of_their_own_share_what_is_the_same(sagemaker: SimulatedSageMaker) -> None:
    variants = [
        {"variant_name": "a", "instance": INSTANCE, "initial_variant_weight": 9.0},
        {"variant_name": "b", "instance": INSTANCE, "model": {"environment": {"HF_TASK": "fill-mask"}}},
        {"variant_name": "c", "instance": INSTANCE},
    ]
    wish = wanted(production_variants=variants, environment={"HF_TASK": "text-classification"})
    result = deploy(sagemaker, wish)
    assert len(sagemaker.models) == 2
    assert {model["ExecutionRoleArn"] for model in sagemaker.models.values()} == {wish.models[0].execution_role_arn}
    names = [each["ModelName"] for each in sagemaker.configs[wish.config_name]["ProductionVariants"]]
    assert names[0] == names[2] != names[1]
    assert set(result["endpoint"]["images"]) == set(names)
    assert deploy(sagemaker, wish)["plan"] == []


def test_the_network_of_a_model_is_part_of_it(
    sagemaker: SimulatedSageMaker, requests: dict[str, dict[str, Any]]
) -> None:
    given = options(variant={"instance": INSTANCE})
    deploy(sagemaker, wanted_from_options(given))
    given["model"] |= {
        "vpc": {"security_group_ids": ["sg-1"], "subnets": ["subnet-1"]},
        "enable_network_isolation": True,
    }
    wish = wanted_from_options(given)
    result = deploy(sagemaker, wish)
    assert result["plan"][0] == f"new Model {wish.model_names[0]}: VPC added, network isolation on"
    assert requests["create_model"]["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    assert requests["create_model"]["EnableNetworkIsolation"] is True


def test_a_plan_says_which_variant_changes_and_how(sagemaker: SimulatedSageMaker) -> None:
    def of(weight: float, **others: Any) -> Wanted:
        variants = [
            {"variant_name": "a", "instance": INSTANCE, "initial_variant_weight": weight},
            {"variant_name": "b", "instance": INSTANCE},
        ]
        return wanted(production_variants=variants, **others)

    deploy(sagemaker, of(1.0))
    wish = of(9.0, data_capture={"destination_s3_uri": "s3://bucket/capture"})
    result = deploy(sagemaker, wish)
    assert result["plan"][0] == (f"new EndpointConfig {wish.config_name}: variant a: weight 1 → 9, data capture added")


@pytest.mark.parametrize(
    ("deployment", "request_part", "sentence"),
    [
        (
            {"strategy": "canary", "size": 10, "wait_interval_in_seconds": 300, "alarms": ["errors", "latency"]},
            {
                "BlueGreenUpdatePolicy": {
                    "TrafficRoutingConfiguration": {
                        "Type": "CANARY",
                        "WaitIntervalInSeconds": 300,
                        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
                    }
                },
                "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}, {"AlarmName": "latency"}]},
            },
            "canary 10 %, 300 s after each step, rolled back by errors, latency",
        ),
        (
            {
                "strategy": "linear",
                "size": 1,
                "size_type": "instance_count",
                "termination_wait_in_seconds": 60,
                "maximum_execution_timeout_in_seconds": 3600,
            },
            {
                "BlueGreenUpdatePolicy": {
                    "TrafficRoutingConfiguration": {
                        "Type": "LINEAR",
                        "WaitIntervalInSeconds": 0,
                        "LinearStepSize": {"Type": "INSTANCE_COUNT", "Value": 1},
                    },
                    "TerminationWaitInSeconds": 60,
                    "MaximumExecutionTimeoutInSeconds": 3600,
                }
            },
            "linear 1 instances",
        ),
        (
            {"strategy": "rolling", "size": 50, "rollback_size": 50, "wait_interval_in_seconds": 60},
            {
                "RollingUpdatePolicy": {
                    "MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50},
                    "WaitIntervalInSeconds": 60,
                    "RollbackMaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50},
                }
            },
            "rolling 50 %, 60 s after each step",
        ),
    ],
)
def test_guardrails_reach_the_update_and_the_plan(
    sagemaker: SimulatedSageMaker,
    requests: dict[str, dict[str, Any]],
    deployment: dict[str, Any],
    request_part: dict[str, Any],
    sentence: str,
) -> None:
    sizes = {"variant": {"instance": INSTANCE}, "deployment": deployment}
    deploy(sagemaker, wanted(image_digest="a", **sizes))
    result = deploy(sagemaker, wanted(image_digest="b", **sizes))
    assert requests["update_endpoint"]["DeploymentConfig"] == request_part
    assert any(f", {sentence}" in line for line in result["plan"])


def test_guardrails_alone_change_nothing(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, wanted(variant={"instance": INSTANCE}))
    changed = wanted(variant={"instance": INSTANCE}, deployment={"strategy": "canary", "size": 10})
    assert deploy(sagemaker, changed)["plan"] == []


INSTANCE_VARIANT = {"variant_name": "a", "instance": INSTANCE}
SERVERLESS_VARIANT = {"variant_name": "a", "serverless": {"memory_size_mb": 2048, "max_concurrency": 5}}
WARM_VARIANT = {
    "variant_name": "a",
    "serverless": {"memory_size_mb": 2048, "max_concurrency": 5, "provisioned_concurrency": 2},
}
BOUNDS = {"min_capacity": 1, "max_capacity": 4, "target_value": 70.0}


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"production_variants": [INSTANCE_VARIANT, INSTANCE_VARIANT]}, "production_variants"),
        (
            {"production_variants": [SERVERLESS_VARIANT, {**SERVERLESS_VARIANT, "variant_name": "b"}]},
            "production_variants",
        ),
        (
            {"production_variants": [{**INSTANCE_VARIANT, "variant_name": f"v{n}"} for n in range(11)]},
            "production_variants",
        ),
        (
            {"production_variants": [{**INSTANCE_VARIANT, "initial_variant_weight": -1.0}]},
            "production_variants[0].initial",
        ),
        (
            {
                "production_variants": [
                    {**INSTANCE_VARIANT, "initial_variant_weight": 0},
                    {**INSTANCE_VARIANT, "variant_name": "b", "initial_variant_weight": 0},
                ]
            },
            "production_variants",
        ),
        (
            {"production_variants": [{"variant_name": "a", "instance": {**INSTANCE, "volume_size_in_gb": 513}}]},
            "production_variants[0].instance.volume_size_in_gb",
        ),
        (
            {"production_variants": [SERVERLESS_VARIANT], "data_capture": {"destination_s3_uri": "s3://bucket/x"}},
            "data_capture",
        ),
        ({"production_variants": [SERVERLESS_VARIANT], "kms_key_id": "alias/x"}, "kms_key_id"),
        (
            {
                "production_variants": [INSTANCE_VARIANT],
                "shadow_production_variants": [{**INSTANCE_VARIANT, "variant_name": f"s{n}"} for n in range(2)],
            },
            "shadow_production_variants",
        ),
        (
            {
                "production_variants": [INSTANCE_VARIANT, {**INSTANCE_VARIANT, "variant_name": "b"}],
                "shadow_production_variants": [{**INSTANCE_VARIANT, "variant_name": "s"}],
            },
            "shadow_production_variants",
        ),
        (
            {"production_variants": [INSTANCE_VARIANT], "async_inference": {"s3_output_path": "bucket/x"}},
            "async_inference.s3_output_path",
        ),
        (
            {"production_variants": [INSTANCE_VARIANT], "data_capture": {"destination_s3_uri": "nowhere"}},
            "data_capture.destination_s3_uri",
        ),
        (
            {"production_variants": [INSTANCE_VARIANT], "deployment": {"strategy": "canary", "size": 51}},
            "deployment.size",
        ),
        (
            {"production_variants": [INSTANCE_VARIANT], "deployment": {"strategy": "linear", "size": 9}},
            "deployment.size",
        ),
        (
            {"production_variants": [INSTANCE_VARIANT], "deployment": {"strategy": "rolling", "size": 4}},
            "deployment.size",
        ),
        ({"production_variants": [INSTANCE_VARIANT], "deployment": {"strategy": "canary"}}, "deployment.size"),
        ({"production_variants": [INSTANCE_VARIANT], "deployment": {"size": 10}}, "deployment.size"),
        (
            {
                "production_variants": [INSTANCE_VARIANT],
                "deployment": {"strategy": "canary", "size": 10, "wait_interval_in_seconds": 3601},
            },
            "deployment.wait_interval_in_seconds",
        ),
        (
            {"production_variants": [INSTANCE_VARIANT], "deployment": {"maximum_execution_timeout_in_seconds": 599}},
            "deployment.maximum_execution_timeout_in_seconds",
        ),
        (
            {"production_variants": [INSTANCE_VARIANT], "deployment": {"alarms": [f"a{n}" for n in range(11)]}},
            "deployment.alarms",
        ),
        (
            {"production_variants": [SERVERLESS_VARIANT], "deployment": {"strategy": "rolling", "size": 50}},
            "deployment.strategy",
        ),
        (
            {
                "production_variants": [INSTANCE_VARIANT],
                "deployment": {"strategy": "rolling", "size": 50, "termination_wait_in_seconds": 1},
            },
            "deployment.termination_wait_in_seconds",
        ),
        (
            {"production_variants": [{**SERVERLESS_VARIANT, "autoscaling": {**BOUNDS, "target_value": 0.7}}]},
            "production_variants[0].autoscaling",
        ),
        (
            {"production_variants": [{**WARM_VARIANT, "autoscaling": {**BOUNDS, "target_value": 70.0}}]},
            "production_variants[0].autoscaling.target_value",
        ),
        (
            {
                "production_variants": [
                    {**WARM_VARIANT, "autoscaling": {**BOUNDS, "max_capacity": 6, "target_value": 0.7}}
                ]
            },
            "production_variants[0].autoscaling.max_capacity",
        ),
        (
            {"production_variants": [{**INSTANCE_VARIANT, "autoscaling": {**BOUNDS, "min_capacity": 5}}]},
            "production_variants[0].autoscaling",
        ),
        (
            {
                "production_variants": [
                    {
                        **INSTANCE_VARIANT,
                        "autoscaling": {**BOUNDS, "metric": "SageMakerVariantProvisionedConcurrencyUtilization"},
                    }
                ]
            },
            "production_variants[0].autoscaling.metric",
        ),
        (
            {
                "production_variants": [
                    {
                        "variant_name": "a",
                        "instance": {**INSTANCE, "managed_instance_scaling": {"max_instance_count": 4}},
                        "autoscaling": BOUNDS,
                    }
                ]
            },
            "production_variants[0]",
        ),
    ],
)
def test_what_aws_refuses_is_refused_before_it_is_asked(given: dict[str, Any], where: str) -> None:
    problems = validate_endpoint.endpoint(options(**given))
    assert problems
    assert problems[0].startswith(where)
    assert len(problems) == 1


def test_a_serverless_model_has_no_network_of_its_own() -> None:
    given = options()
    given["model"] |= {
        "vpc": {"security_group_ids": ["sg-1"], "subnets": ["subnet-1"]},
        "enable_network_isolation": True,
    }
    assert [problem.split(":")[0] for problem in validate_endpoint.endpoint(given)] == [
        "model.vpc",
        "model.enable_network_isolation",
    ]
