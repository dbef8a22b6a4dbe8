# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from local_cloud.aws.caller import Caller
from local_cloud.aws.errors import AwsError
from local_cloud.sagemaker import lifecycle, rules
from local_cloud.sagemaker.arns import already_exists, arn_of, not_found, parse_arn
from local_cloud.sagemaker.listing import list_page

CALLER = Caller("000000000000", "eu-west-1")
ROLE = "arn:aws:iam::000000000000:role/execution"


def variant(**changes: Any) -> dict[str, Any]:
    return {"VariantName": "AllTraffic", "ModelName": "m", **changes}


def serverless(memory: int = 2048, concurrency: int = 5, **changes: Any) -> dict[str, Any]:
    return variant(ServerlessConfig={"MemorySizeInMB": memory, "MaxConcurrency": concurrency, **changes})


INSTANCES = variant(InstanceType="ml.m5.large", InitialInstanceCount=1)


@pytest.mark.parametrize("good", [INSTANCES, serverless(), serverless(6144, ProvisionedConcurrency=5)])
def test_a_variant_is_serverless_or_of_instances(good: dict[str, Any]) -> None:
    rules.check_endpoint_config({"ProductionVariants": [good]})


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (variant(), "either ServerlessConfig or InstanceType"),
        (variant(InstanceType="ml.m5.large"), "InitialInstanceCount"),
        ({**INSTANCES, **serverless()}, "must not have both ServerlessConfig and InstanceType"),
        (serverless(1500), "must be one of 1024, 2048"),
        (serverless(concurrency=2, ProvisionedConcurrency=3), "must not be greater than its MaxConcurrency"),
        ({**INSTANCES, "ModelName": None}, "must have a ModelName"),
    ],
)
def test_a_variant_that_aws_would_not_take_is_refused(bad: dict[str, Any], words: str) -> None:
    with pytest.raises(AwsError, match=words):
        rules.check_variant(bad)


def test_a_serverless_config_has_one_variant_and_no_data_capture() -> None:
    two = [serverless(), {**serverless(), "VariantName": "Other"}]
    with pytest.raises(AwsError, match="exactly one production variant"):
        rules.check_endpoint_config({"ProductionVariants": two})
    with pytest.raises(AwsError, match="DataCaptureConfig is not supported"):
        rules.check_endpoint_config({"ProductionVariants": [serverless()], "DataCaptureConfig": {"x": 1}})
    with pytest.raises(AwsError, match="must be unique"):
        rules.check_endpoint_config({"ProductionVariants": [INSTANCES, INSTANCES]})


def test_an_endpoint_keeps_its_kind() -> None:
    rules.check_same_kind([INSTANCES], [INSTANCES])
    with pytest.raises(AwsError, match="not supported"):
        rules.check_same_kind([INSTANCES], [serverless()])


def test_an_environment_has_32_kb_at_most() -> None:
    def model(size: int) -> dict[str, Any]:
        environment = {f"K{n:03}": "v" * (size // 32 - 4) for n in range(32)}
        return {"PrimaryContainer": {"Image": "x", "Environment": environment}, "ExecutionRoleArn": ROLE}

    rules.check_model(model(32 * 1024))
    with pytest.raises(AwsError, match="limited to 32768 bytes"):
        rules.check_model(model(32 * 1024 + 32))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({}, "either PrimaryContainer or Containers"),
        ({"PrimaryContainer": {"Image": "x"}, "Containers": [{"Image": "x"}]}, "not both"),
        ({"PrimaryContainer": {}}, "must have an Image"),
        ({"PrimaryContainer": {"Image": "x"}}, "ExecutionRoleArn is required"),
    ],
)
def test_a_model_names_its_container_and_role(model: dict[str, Any], words: str) -> None:
    with pytest.raises(AwsError, match=words):
        rules.check_model(model)


def trust(**changes: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {"Statement": [{**statement, **changes}]}


def test_sagemaker_may_assume_a_role_that_trusts_it() -> None:
    rules.check_trust(trust(), ROLE)
    rules.check_trust(trust(Principal={"Service": ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]}), ROLE)


@pytest.mark.parametrize(
    "policy",
    [None, {}, trust(Principal={"Service": "lambda.amazonaws.com"}), trust(Effect="Deny"), trust(Action="s3:Get")],
)
def test_a_role_that_does_not_trust_sagemaker_could_not_be_assumed(policy: dict[str, Any] | None) -> None:
    with pytest.raises(AwsError, match=f"Could not assume role {ROLE}"):
        rules.check_trust(policy, ROLE)


def test_tags_are_fifty_at_most_and_none_is_awss() -> None:
    rules.check_tags({f"k{n}": "v" for n in range(50)})
    with pytest.raises(AwsError, match="at most 50"):
        rules.check_tags({f"k{n}": "v" for n in range(51)})
    with pytest.raises(AwsError, match="reserved"):
        rules.check_tags({"AWS:x": "v"})


def test_an_arn_is_in_lower_case_and_leads_back_to_its_resource() -> None:
    arn = arn_of("endpoint-config", CALLER, "Demo-CONFIG-1")
    assert arn == "arn:aws:sagemaker:eu-west-1:000000000000:endpoint-config/demo-config-1"
    assert parse_arn(arn) == ("endpoint-config", "demo-config-1")
    assert parse_arn("arn:aws:s3:::bucket") is None


def test_missing_and_taken_names_are_told_as_on_aws() -> None:
    arn = "arn:aws:sagemaker:eu-west-1:000000000000:model/m"
    assert not_found("model", CALLER, "m").message == f'Could not find model "{arn}".'
    assert already_exists("model", CALLER, "m").message == f'Cannot create already existing model "{arn}".'


def test_an_endpoint_takes_only_the_steps_that_aws_documents() -> None:
    lifecycle.check_transition("Updating", "RollingBack")
    for before, after in (("Failed", "InService"), ("InService", "Creating"), ("Deleting", "InService")):
        with pytest.raises(ValueError, match="does not go from"):
            lifecycle.check_transition(before, after)
    assert len(lifecycle.TRANSITIONS) == 9


@pytest.mark.parametrize("status", sorted(lifecycle.TRANSITIONS))
def test_only_an_endpoint_at_rest_is_updated_or_deleted(status: str) -> None:
    busy = status in ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
    updatable = status in ("InService", "UpdateRollbackFailed")
    assert (lifecycle.refuse_update(status, "arn") is None) == updatable
    assert (lifecycle.refuse_delete(status, "arn") is None) == (not busy)


def documents(count: int) -> list[dict[str, Any]]:
    return [{"EndpointName": f"e{n}", "CreationTime": float(n), "EndpointStatus": "InService"} for n in range(count)]


def names(page: list[dict[str, Any]]) -> list[str]:
    return [document["EndpointName"] for document in page]


def test_a_list_begins_with_the_newest_and_has_ten_to_a_page() -> None:
    page, token = list_page(documents(12), {}, "EndpointName")
    assert names(page) == [f"e{n}" for n in range(11, 1, -1)]
    rest, end = list_page(documents(12), {"NextToken": token}, "EndpointName")
    assert (names(rest), end) == (["e1", "e0"], None)


def test_a_page_begins_where_the_last_one_ended_whatever_was_deleted() -> None:
    there = documents(6)
    _, token = list_page(there, {"MaxResults": 2}, "EndpointName")
    del there[4:]
    page, _ = list_page(there, {"MaxResults": 2, "NextToken": token}, "EndpointName")
    assert names(page) == ["e3", "e2"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"NameContains": "E1"}, ["e1"]),
        ({"SortBy": "Name"}, ["e0", "e1", "e2"]),
        ({"CreationTimeAfter": 0.5, "CreationTimeBefore": 1.5}, ["e1"]),
        ({"StatusEquals": "Failed"}, []),
    ],
)
def test_lists_are_filtered_and_sorted(parameters: dict[str, Any], expected: list[str]) -> None:
    assert names(list_page(documents(3), parameters, "EndpointName")[0]) == expected


@pytest.mark.parametrize("token", ["nonsense", "e30="])
def test_a_token_that_is_not_ours_is_refused(token: str) -> None:
    with pytest.raises(AwsError, match="NextToken"):
        list_page(documents(3), {"NextToken": token}, "EndpointName")
