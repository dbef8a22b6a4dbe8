# SPDX-License-Identifier: GPL-3.0-or-later
"""What SageMaker's control plane refuses, lists and tags."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_cloud_images import push_image
from local_cloud_workbench import Workbench


def message_of(call: Any, code: str = "ValidationException") -> str:
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


def test_what_is_not_there_could_not_be_found(workbench: Workbench) -> None:
    sagemaker = workbench.sagemaker
    arn = "arn:aws:sagemaker:us-east-1:000000000000"
    assert message_of(lambda: sagemaker.describe_model(ModelName="no")) == f'Could not find model "{arn}:model/no".'
    assert (
        message_of(lambda: sagemaker.delete_endpoint(EndpointName="no"))
        == f'Could not find endpoint "{arn}:endpoint/no".'
    )
    assert (
        message_of(lambda: sagemaker.create_endpoint(EndpointName="x", EndpointConfigName="no"))
        == f'Could not find endpoint configuration "{arn}:endpoint-config/no".'
    )


def test_a_name_is_used_once_whatever_its_case(workbench: Workbench) -> None:
    model = workbench.model(workbench.name("Model"))
    assert message_of(lambda: workbench.model(model.lower())).startswith("Cannot create already existing model")
    config = workbench.config(model)
    already = message_of(lambda: workbench.config(model, name=config))
    assert already.startswith("Cannot create already existing endpoint configuration")


def test_parameters_are_checked_against_the_service_model(workbench: Workbench) -> None:
    assert message_of(lambda: workbench.config("a_b", name="also_bad")).startswith("2 validation errors detected: ")
    too_long = message_of(lambda: workbench.model("m" * 64))
    assert "Member must have length less than or equal to 63" in too_long


def test_a_model_needs_an_image_an_artifact_and_a_role_that_are_there(workbench: Workbench) -> None:
    def create(**changes: Any) -> Any:
        container = {"Image": workbench.image, "ModelDataUrl": workbench.artifact} | changes
        role = container.pop("role", workbench.role_arn)
        return workbench.sagemaker.create_model(
            ModelName=workbench.name(), ExecutionRoleArn=role, PrimaryContainer=container
        )

    missing = workbench.image.partition("@")[0] + "@sha256:" + "0" * 64
    assert message_of(lambda: create(Image=missing)) == f"Requested image {missing} not found."
    assert "Using non-ECR image" in message_of(lambda: create(Image="python:3.11-slim"))
    assert "Could not access model data" in message_of(lambda: create(ModelDataUrl="s3://models/other.tar.gz"))
    nobody = "arn:aws:iam::000000000000:role/nobody"
    assert message_of(lambda: create(role=nobody)).startswith(f'The execution role ARN "{nobody}" is invalid.')


def test_an_oci_manifest_that_is_no_process_image_is_refused_as_sagemaker_does(workbench: Workbench) -> None:
    ecr = workbench.cloud.client("ecr")
    ecr.create_repository(repositoryName="demo/oci")
    image = push_image(ecr, "demo/oci", kind="container")
    refused = message_of(
        lambda: workbench.sagemaker.create_model(
            ModelName=workbench.name(), ExecutionRoleArn=workbench.role_arn, PrimaryContainer={"Image": image}
        )
    )
    assert refused.startswith("Unsupported manifest media type application/vnd.oci.image.manifest.v1+json for image")


@pytest.mark.parametrize("order", ["Ascending", "Descending"])
def test_lists_are_filtered_sorted_and_paged(workbench: Workbench, order: str) -> None:
    prefix = workbench.name("listed")
    names = [workbench.model(f"{prefix}-{number}") for number in range(5)]
    pages = workbench.sagemaker.get_paginator("list_models").paginate(
        NameContains=prefix, SortBy="Name", SortOrder=order, PaginationConfig={"PageSize": 2}
    )
    listed = [[model["ModelName"] for model in page["Models"]] for page in pages]
    assert [len(page) for page in listed] == [2, 2, 1]
    assert [name for page in listed for name in page] == sorted(names, reverse=order == "Descending")


def test_tags_come_with_a_resource_change_and_go_with_it(workbench: Workbench) -> None:
    sagemaker, name = workbench.sagemaker, workbench.name("tagged")
    container = {"Image": workbench.image}
    tags = [{"Key": "modelhost:stage", "Value": "local"}]
    create = {"ModelName": name, "ExecutionRoleArn": workbench.role_arn, "PrimaryContainer": container, "Tags": tags}
    arn = sagemaker.create_model(**create)["ModelArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "failed", "Value": "no"}])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [*tags, {"Key": "failed", "Value": "no"}]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["modelhost:stage"])
    assert [tag["Key"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]] == ["failed"]
    sagemaker.delete_model(ModelName=name)
    assert message_of(lambda: sagemaker.list_tags(ResourceArn=arn)).startswith("Could not find model")
    del create["Tags"]
    sagemaker.create_model(**create)
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []


def test_an_operation_that_is_not_served_says_so(workbench: Workbench) -> None:
    refused = message_of(lambda: workbench.sagemaker.list_training_jobs(), "UnknownOperationException")
    assert refused == "The local cloud does not serve SageMaker's ListTrainingJobs."


def test_accounts_and_regions_do_not_see_each_other(workbench: Workbench) -> None:
    model = workbench.model()
    other = type(workbench.cloud)(
        workbench.cloud.home, workbench.cloud.venvs, workbench.cloud.port, access_key="111111111111"
    )
    refused = message_of(lambda: other.client("sagemaker").describe_model(ModelName=model))
    assert refused == f'Could not find model "arn:aws:sagemaker:us-east-1:111111111111:model/{model}".'


def test_a_layer_is_stored_only_when_it_is_what_its_digest_says(workbench: Workbench) -> None:
    ecr = workbench.cloud.client("ecr")
    content = b"not what it says"

    def upload(digest: str) -> Any:
        upload_id = ecr.initiate_layer_upload(repositoryName="demo/serving")["uploadId"]
        ecr.upload_layer_part(
            repositoryName="demo/serving",
            uploadId=upload_id,
            partFirstByte=0,
            partLastByte=len(content) - 1,
            layerPartBlob=content,
        )
        return ecr.complete_layer_upload(repositoryName="demo/serving", uploadId=upload_id, layerDigests=[digest])

    message_of(lambda: upload("sha256:" + "0" * 64), "InvalidLayerException")
    right = "sha256:" + hashlib.sha256(content).hexdigest()
    assert upload(right)["layerDigest"] == right
    message_of(lambda: upload(right), "LayerAlreadyExistsException")
    known = ecr.batch_check_layer_availability(repositoryName="demo/serving", layerDigests=[right])
    assert known["layers"][0]["layerAvailability"] == "AVAILABLE"
    docker = "application/vnd.docker"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{docker}.distribution.manifest.v2+json",
        "config": {"mediaType": f"{docker}.container.image.v1+json", "size": len(content), "digest": right},
        "layers": [{"mediaType": f"{docker}.image.rootfs.diff.tar.gzip", "size": 1, "digest": "sha256:" + "1" * 64}],
    }
    message_of(
        lambda: ecr.put_image(repositoryName="demo/serving", imageManifest=json.dumps(manifest)),
        "LayersNotFoundException",
    )
