# SPDX-License-Identifier: GPL-3.0-or-later
"""CreateEndpoint, DescribeEndpoint and DeleteEndpoint by AWS's documented rules, and what each state allows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from conformance_life import delete, event, leave, reweigh, update
from conformance_source import reference, source
from conformance_target import ARN, Target, instances, refusal
from local_cloud_workbench import Workbench

WORDS = "aws/amazon-sagemaker-operator-for-k8s, the constants of its clientwrapper"


@pytest.fixture(scope="module")
def failed(local: Target) -> str:
    """An endpoint whose container ends while it starts."""
    model = local.model(PrimaryContainer={"Image": local.image, "Environment": {"TEST_MODE": "crash"}})
    name = local.name("failed")
    config = local.config(instances(model))
    local.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    with pytest.raises(Exception, match="terminal failure state"):
        local.wait(name)
    return name


@reference("CreateEndpoint", "DescribeEndpoint")
def test_an_endpoint_is_created_and_then_in_service(aws: Target, model: str) -> None:
    name, config = aws.name(), aws.config(instances(model))
    arn = aws.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)["EndpointArn"]
    assert arn == f"{ARN}:endpoint/{name}"
    assert aws.describe(name)["EndpointStatus"] in ("Creating", "InService")
    aws.wait(name)
    described = aws.describe(name)
    assert (described["EndpointName"], described["EndpointConfigName"]) == (name, config)
    (variant,) = described["ProductionVariants"]
    assert variant["VariantName"] == "AllTraffic"
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (1, 1)
    assert (variant["CurrentWeight"], variant["DesiredWeight"]) == (1.0, 1.0)
    leave(aws, name)


@reference("DescribeEndpoint: EndpointStatus")
def test_a_new_endpoint_is_being_created(local: Target, local_model: str) -> None:
    name, config = local.name("endpoint"), local.config(instances(local_model))
    local.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    assert local.describe(name)["EndpointStatus"] == "Creating"
    local.wait(name)
    leave(local, name)


@source(WORDS)
def test_an_endpoint_that_is_not_there_could_not_be_found(aws: Target, model: str) -> None:
    expected = f'Could not find endpoint "{ARN}:endpoint/none".'
    assert refusal(lambda: aws.sagemaker.describe_endpoint(EndpointName="none")) == expected
    assert refusal(lambda: aws.sagemaker.delete_endpoint(EndpointName="none")) == expected
    config = aws.config(instances(model))
    update_none = {"EndpointName": "none", "EndpointConfigName": config}
    assert refusal(lambda: aws.sagemaker.update_endpoint(**update_none)) == expected
    assert refusal(lambda: reweigh(aws, "none", {"VariantName": "AllTraffic", "DesiredWeight": 1})) == expected


@source(WORDS)
def test_an_endpoints_config_has_to_be_there(aws: Target) -> None:
    parameters = {"EndpointName": aws.name(), "EndpointConfigName": "none"}
    message = refusal(lambda: aws.sagemaker.create_endpoint(**parameters))
    assert message == f'Could not find endpoint configuration "{ARN}:endpoint-config/none".'


@source("aws/sagemaker-python-sdk #101")
def test_a_duplicate_endpoint_is_refused(aws: Target, model: str) -> None:
    config = aws.config(instances(model))
    name = aws.endpoint(config)
    parameters = {"EndpointName": name, "EndpointConfigName": config}
    message = refusal(lambda: aws.sagemaker.create_endpoint(**parameters))
    assert message == f'Cannot create already existing endpoint "{ARN}:endpoint/{name}".'
    leave(aws, name)


@reference("CreateEndpoint", "DeleteModel")
def test_an_endpoint_needs_the_models_of_its_config(local: Target) -> None:
    model = local.model()
    config = local.config(instances(model))
    local.sagemaker.delete_model(ModelName=model)
    parameters = {"EndpointName": local.name(), "EndpointConfigName": config}
    assert "Could not find model" in refusal(lambda: local.sagemaker.create_endpoint(**parameters))


@reference("DescribeEndpoint: CreationTime, LastModifiedTime")
def test_an_endpoints_times_move(aws: Target, model: str) -> None:
    name = aws.endpoint(aws.config(instances(model)))
    before = aws.describe(name)
    assert isinstance(before["CreationTime"], datetime)
    assert before["LastModifiedTime"] >= before["CreationTime"]
    after = update(aws, name, aws.config(instances(model)))
    assert after["CreationTime"] == before["CreationTime"]
    assert after["LastModifiedTime"] > before["LastModifiedTime"]
    leave(aws, name)


@reference("DescribeEndpoint: ProductionVariants, DeployedImages")
def test_a_running_endpoint_says_what_it_runs(local: Target, running: str) -> None:
    (variant,) = local.describe(running)["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == variant["DesiredInstanceCount"] == 2
    (image,) = variant["DeployedImages"]
    assert image["SpecifiedImage"] == local.image
    assert image["ResolvedImage"].startswith(local.image.partition("@")[0].partition(":")[0])
    assert "@sha256:" in image["ResolvedImage"]


@reference("DescribeEndpoint: FailureReason; DeleteEndpoint is the only operation on a failed endpoint")
def test_a_failed_endpoint_can_only_be_deleted(local: Target, failed: str, local_model: str) -> None:
    described = local.describe(failed)
    assert described["EndpointStatus"] == "Failed"
    assert described["FailureReason"]
    config = local.config(instances(local_model))
    refusal(lambda: local.sagemaker.update_endpoint(EndpointName=failed, EndpointConfigName=config))
    refusal(lambda: reweigh(local, failed, {"VariantName": "AllTraffic", "DesiredWeight": 1}))
    parameters = {"EndpointName": failed, "EndpointConfigName": config}
    assert "already existing" in refusal(lambda: local.sagemaker.create_endpoint(**parameters))
    delete(local, failed)
    refusal(lambda: local.describe(failed))


@source(WORDS)
def test_an_endpoint_in_progress_is_neither_updated_nor_deleted(local: Target, local_model: str) -> None:
    name, config = local.name("busy"), local.config(instances(local_model))
    local.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    expected = f'Cannot update in-progress endpoint "{ARN}:endpoint/{name}".'
    assert local.describe(name)["EndpointStatus"] == "Creating"
    parameters = {"EndpointName": name, "EndpointConfigName": config}
    assert refusal(lambda: local.sagemaker.update_endpoint(**parameters)) == expected
    assert refusal(lambda: local.sagemaker.delete_endpoint(EndpointName=name)) == expected
    assert refusal(lambda: reweigh(local, name, {"VariantName": "AllTraffic", "DesiredWeight": 1})) == expected
    local.wait(name)
    leave(local, name)


@reference("DescribeEndpoint: an endpoint in SystemUpdating cannot be updated, deleted or re-scaled")
def test_an_endpoint_in_maintenance_is_neither_updated_nor_deleted(
    local: Target, workbench: Workbench, local_model: str
) -> None:
    config = local.config(instances(local_model))
    name = local.endpoint(config)
    event(workbench, "POST", f"endpoints/{name}/system-update")
    assert local.describe(name)["EndpointStatus"] == "SystemUpdating"
    expected = f'Cannot update in-progress endpoint "{ARN}:endpoint/{name}".'
    call = {"EndpointName": name, "EndpointConfigName": config}
    assert refusal(lambda: local.sagemaker.update_endpoint(**call)) == expected
    assert refusal(lambda: local.sagemaker.delete_endpoint(EndpointName=name)) == expected
    assert refusal(lambda: reweigh(local, name, {"VariantName": "AllTraffic", "DesiredWeight": 1})) == expected
    event(workbench, "DELETE", f"endpoints/{name}/system-update")
    assert update(local, name, config)["EndpointStatus"] == "InService"
    leave(local, name)


@reference("DescribeEndpoint: OutOfService", "UpdateEndpoint")
def test_an_endpoint_out_of_service_can_only_be_deleted(local: Target, workbench: Workbench, local_model: str) -> None:
    config = local.config(instances(local_model))
    name = local.endpoint(config)
    event(workbench, "POST", f"endpoints/{name}/out-of-service")
    assert local.describe(name)["EndpointStatus"] == "OutOfService"
    refusal(lambda: local.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config))
    delete(local, name)


@reference("DeleteEndpointConfig", "DeleteModel")
def test_an_endpoint_outlives_its_config_and_model(local: Target) -> None:
    model = local.model()
    config = local.config(instances(model))
    name = local.endpoint(config)
    local.sagemaker.delete_endpoint_config(EndpointConfigName=config)
    local.sagemaker.delete_model(ModelName=model)
    assert local.describe(name)["EndpointStatus"] == "InService"
    local.client("sagemaker-runtime").invoke_endpoint(EndpointName=name, Body=b"{}")
    leave(local, name)


@reference("DeleteEndpoint")
def test_an_endpoints_end_leaves_its_config_and_model(aws: Target, model: str) -> None:
    config = aws.config(instances(model))
    delete(aws, aws.endpoint(config))
    aws.sagemaker.describe_endpoint_config(EndpointConfigName=config)
    aws.sagemaker.describe_model(ModelName=model)


@source("The local cloud's own: what it does not run it refuses, where AWS would run it")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"PrimaryContainer": None, "Containers": 2}, "inference pipelines"),
        ({"PrimaryContainer": {"Mode": "MultiModel", "ModelDataUrl": "s3://models/all/"}}, "multi-model"),
    ],
)
def test_what_the_local_cloud_does_not_run_is_refused_when_the_endpoint_is_made(
    local: Target, change: dict[str, Any], words: str
) -> None:
    image = {"Image": local.image}
    if "Containers" in change:
        change = {**change, "Containers": [image, image]}
    else:
        change = {"PrimaryContainer": {**image, **change["PrimaryContainer"]}}
    config = local.config(instances(local.model(**change)))
    parameters = {"EndpointName": local.name(), "EndpointConfigName": config}
    message = refusal(lambda: local.sagemaker.create_endpoint(**parameters))
    assert message.startswith(f"The local cloud does not run {words}")
