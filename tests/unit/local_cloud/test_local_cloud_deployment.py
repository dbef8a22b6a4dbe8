# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from local_cloud.sagemaker.deployment import (
    Deployment,
    Stage,
    config_members,
    plan_deployment,
    retain_variant_properties,
    variant_summaries,
)

MODEL = {"PrimaryContainer": {"Image": "image:1"}}


def deployment(name: str = "c", **changes: Any) -> Deployment:
    instances = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    variant = {"VariantName": "A", "ModelName": "m", **instances, **changes}
    return plan_deployment({"EndpointConfigName": name, "ProductionVariants": [variant]}, {"m": MODEL})


def serverless() -> Deployment:
    config = {"MemorySizeInMB": 1024, "MaxConcurrency": 3}
    return deployment(InstanceType=None, InitialInstanceCount=None, ServerlessConfig=config)


def test_a_deployment_survives_the_store() -> None:
    there = deployment()
    assert Deployment.from_document(json.loads(json.dumps(there.to_document()))) == there


def test_a_variant_has_a_process_for_each_instance_or_for_what_is_provisioned() -> None:
    assert deployment(InitialInstanceCount=3).variants[0].process_count == 3
    assert serverless().variants[0].process_count == 0
    warm = {"MemorySizeInMB": 1024, "MaxConcurrency": 3, "ProvisionedConcurrency": 2}
    assert serverless().with_capacities({}, {}, {"A": warm}).variants[0].process_count == 2


def test_a_container_has_awss_time_to_become_healthy() -> None:
    assert serverless().variants[0].startup_seconds == 180
    assert deployment().variants[0].startup_seconds == 480
    assert deployment(ContainerStartupHealthCheckTimeoutInSeconds=60).variants[0].startup_seconds == 60


@pytest.mark.parametrize(
    ("excluded", "count", "weight"),
    [((), 4, 0.5), (("DesiredInstanceCount",), 1, 0.5), (("DesiredWeight",), 4, 1.0)],
)
def test_what_was_set_at_run_time_is_retained_but_what_is_excluded(
    excluded: tuple[str, ...], count: int, weight: float
) -> None:
    live = deployment()
    live = live.with_capacities({"A": 4}, {"A": 0.5})
    (variant,) = retain_variant_properties(deployment("new"), live, frozenset(excluded)).variants
    assert (variant.instance_count, variant.weight) == (count, weight)


CAPTURE = {"EnableCapture": True, "InitialSamplingPercentage": 5, "DestinationS3Uri": "s3://b/c"}


@pytest.mark.parametrize(
    ("live", "wanted", "excluded", "kept"),
    [
        (CAPTURE, None, (), True),
        (None, CAPTURE, (), False),
        (CAPTURE, None, ("DataCaptureConfig",), False),
        (None, CAPTURE, ("DataCaptureConfig",), True),
    ],
)
def test_data_capture_is_the_endpoints_own_unless_it_is_excluded(
    live: Any, wanted: Any, excluded: tuple[str, ...], kept: bool
) -> None:
    before, after = (replace(deployment(), config={"DataCaptureConfig": capture}) for capture in (live, wanted))
    retained = retain_variant_properties(after, before, frozenset(excluded))
    capture = config_members(retained)["DataCaptureConfig"]
    assert (capture is not None) == kept
    assert capture is None or capture["CaptureStatus"] == "Started"


def test_a_shadow_variant_is_deployed_beside_production() -> None:
    instances = {"ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    config = {
        "EndpointConfigName": "c",
        "ProductionVariants": [{"VariantName": "A", **instances}],
        "ShadowProductionVariants": [{"VariantName": "S", **instances, "InitialVariantWeight": 0.5}],
    }
    there = plan_deployment(config, {"m": MODEL})
    assert [shadow.name for shadow in there.shadows] == ["S"]
    assert Deployment.from_document(json.loads(json.dumps(there.to_document()))) == there


def test_a_variant_that_is_new_keeps_what_it_asks_for() -> None:
    wanted = deployment("new", VariantName="B", InitialInstanceCount=2)
    assert retain_variant_properties(wanted, deployment(), frozenset()).variants[0].instance_count == 2


def test_describe_counts_instances_that_are_healthy_and_none_for_serverless() -> None:
    (summary,) = variant_summaries(deployment(InitialInstanceCount=3).variants, {"A": 2})
    assert (summary["CurrentInstanceCount"], summary["DesiredInstanceCount"]) == (2, 3)
    (summary,) = variant_summaries(serverless().variants, {"A": 1})
    assert summary["CurrentInstanceCount"] == 0
    assert summary["CurrentServerlessConfig"]["MaxConcurrency"] == 3


def test_a_stage_is_told_of_each_variant_in_its_own_words() -> None:
    stage = Stage("Creating", 5.0, "some", {"A": "Launching 1 instance(s)."})
    (summary,) = variant_summaries(deployment().variants, {}, stage)
    assert summary["VariantStatus"] == [
        {"Status": "Creating", "StatusMessage": "Launching 1 instance(s).", "StartTime": 5.0}
    ]
    assert stage.to_status("B")["StatusMessage"] == "some"
