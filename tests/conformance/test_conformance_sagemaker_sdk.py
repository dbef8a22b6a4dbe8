# SPDX-License-Identifier: GPL-3.0-or-later
"""The SageMaker Python SDK works unchanged: Model, Predictor, AsyncPredictor and its serializers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from conformance_source import source
from conformance_target import ACCOUNT, REGION, Target, instances, serverless

pytestmark = pytest.mark.conformance

SDK = "SageMaker Python SDK 2.257: Predictors, Model, AsyncPredictor"


@pytest.fixture(scope="module")
def session(local: Target, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The SDK's session as a user makes one who has pointed the environment at the local cloud."""
    environment = {
        "HOME": str(tmp_path_factory.mktemp("home")),
        "AWS_ENDPOINT_URL": local.url,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        import sagemaker

        yield sagemaker.Session(default_bucket="models")
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(scope="module")
def endpoint(local: Target, local_model: str) -> str:
    return local.endpoint(local.config(instances(local_model)))


def predictor_of(session: Any, endpoint: str) -> Any:
    from sagemaker.deserializers import JSONDeserializer
    from sagemaker.predictor import Predictor
    from sagemaker.serializers import JSONSerializer

    return Predictor(endpoint, sagemaker_session=session, serializer=JSONSerializer(), deserializer=JSONDeserializer())


@source(SDK)
def test_a_predictor_predicts_with_jsons_serializers(session: Any, endpoint: str) -> None:
    answer = predictor_of(session, endpoint).predict({"inputs": ["good"]})
    assert answer["headers"]["content-type"] == "application/json"
    assert answer["headers"]["accept"] == "application/json"
    assert answer["model"] == {"weights.txt": "one"}


@source(SDK)
def test_a_predictors_arguments_reach_the_container(session: Any, endpoint: str) -> None:
    answer = predictor_of(session, endpoint).predict(
        {}, target_variant="AllTraffic", inference_id="42", custom_attributes="trace=1"
    )
    assert answer["headers"]["x-amzn-sagemaker-custom-attributes"] == "trace=1"


@source(SDK)
def test_a_predictor_tells_the_models_error(session: Any, endpoint: str) -> None:
    with pytest.raises(Exception, match="ModelError") as caught:
        predictor_of(session, endpoint).predict({"status": 400})
    assert caught.value.response["OriginalStatusCode"] == 400  # type: ignore[attr-defined]


@source(SDK)
def test_a_predictor_knows_its_endpoint(session: Any, endpoint: str, local: Target) -> None:
    from sagemaker.predictor import Predictor

    predictor = Predictor(endpoint, sagemaker_session=session)
    assert predictor._get_endpoint_config_name() == local.describe(endpoint)["EndpointConfigName"]


@source(SDK)
def test_a_model_is_deployed_predicted_with_updated_and_deleted(session: Any, local: Target) -> None:
    from sagemaker.model import Model
    from sagemaker.serverless import ServerlessInferenceConfig

    name = local.name("sdk")
    model = Model(
        image_uri=local.image, model_data=local.artifact, role=local.role_arn, name=name, sagemaker_session=session
    )
    limits = ServerlessInferenceConfig(memory_size_in_mb=2048, max_concurrency=3)
    model.deploy(serverless_inference_config=limits, endpoint_name=name, wait=False)
    local.wait(name)
    predictor = predictor_of(session, name)
    assert predictor.predict({})["model"] == {"weights.txt": "one"}
    predictor.update_endpoint(initial_instance_count=1, instance_type="ml.m5.large", wait=False)
    local.wait(name)
    (variant,) = local.describe(name)["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 1
    predictor.delete_model()
    predictor.delete_endpoint(delete_endpoint_config=True)
    local.wait(name, "endpoint_deleted")


@source(SDK, "Amazon SageMaker API reference: InvokeEndpointAsync")
def test_an_asynchronous_predictor_fetches_its_result_from_s3(session: Any, local: Target, local_model: str) -> None:
    from sagemaker.async_inference import WaiterConfig
    from sagemaker.deserializers import JSONDeserializer
    from sagemaker.predictor_async import AsyncPredictor

    config = local.config(
        instances(local_model), AsyncInferenceConfig={"OutputConfig": {"S3OutputPath": "s3://models/results"}}
    )
    name = local.endpoint(config)
    predictor = AsyncPredictor(predictor_of(session, name))
    response = predictor.predict_async({"inputs": ["good"]})
    assert response.output_path.startswith("s3://models/results/")
    response.predictor_async.predictor.deserializer = JSONDeserializer()
    answer = response.get_result(WaiterConfig(max_attempts=60, delay=1))
    assert answer["model"] == {"weights.txt": "one"}
    local.sagemaker.delete_endpoint(EndpointName=name)


@source(SDK)
def test_a_stream_is_read_piece_by_piece(session: Any, endpoint: str) -> None:
    from sagemaker.predictor import Predictor
    from sagemaker.serializers import JSONSerializer

    predictor = Predictor(endpoint, sagemaker_session=session, serializer=JSONSerializer())
    pieces = b"".join(
        event["PayloadPart"]["Bytes"]
        for event in session.sagemaker_runtime_client.invoke_endpoint_with_response_stream(
            EndpointName=endpoint, Body=predictor.serializer.serialize({}), ContentType="application/json"
        )["Body"]
    )
    assert json.loads(pieces)["model"] == {"weights.txt": "one"}


@source("SageMaker Python SDK 2.257: serverless inference")
def test_serverless_and_instances_answer_alike(session: Any, endpoint: str, local: Target, local_model: str) -> None:
    without = local.endpoint(local.config(serverless(local_model)))
    answers = [predictor_of(session, name).predict({})["model"] for name in (endpoint, without)]
    assert answers[0] == answers[1]
    local.sagemaker.delete_endpoint(EndpointName=without)
