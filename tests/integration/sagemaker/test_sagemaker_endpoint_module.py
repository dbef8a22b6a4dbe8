# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on the local cloud, run by ansible-playbook."""

from __future__ import annotations

from typing import Any

from sagemaker_on_cloud import replace_artifact

UNCHANGED = ["DescribeEndpoint", "ListTags", "DescribeEndpointConfig", "DescribeModel"]


def test_a_deployed_endpoint_answers_and_a_second_run_only_reads(endpoint: Any) -> None:
    first = endpoint.deploy()
    assert first.changed
    assert first.result["endpoint"]["endpoint_status"] == "InService"
    assert endpoint.answer()["generation"] == "1"

    second = endpoint.deploy()
    assert not second.changed
    assert second.operations("write") == []
    assert second.operations("read") == UNCHANGED


def test_progress_and_plan_are_told_while_waiting(endpoint: Any) -> None:
    run = endpoint.deploy()
    assert f"endpoint {endpoint.name}: new Model {endpoint.name}-MODEL-" in run.output
    assert f"endpoint {endpoint.name}: InService …" in run.output


def test_a_rotation_loses_no_request(endpoint: Any) -> None:
    endpoint.deploy(generation="1")
    with endpoint.asked_without_pause() as endings:
        run = endpoint.deploy(generation="2")
        assert run.changed
        assert endpoint.answer()["generation"] == "2"
    assert set(endings) == {"1", "2"}
    assert run.operations("write") == [
        "CreateModel",
        "CreateEndpointConfig",
        "UpdateEndpoint",
        "AddTags",
        "AddTags",
        "AddTags",
    ]


def test_going_back_uses_what_was_kept(endpoint: Any) -> None:
    endpoint.deploy(generation="1")
    endpoint.deploy(generation="2")
    run = endpoint.deploy(generation="1")
    assert "retained EndpointConfig" in run.result["plan"][0]
    assert "CreateModel" not in run.operations("write")
    assert endpoint.answer()["generation"] == "1"


def test_old_generations_go_once_a_new_one_is_proven(endpoint: Any) -> None:
    for generation in ("1", "2", "3"):
        endpoint.deploy(generation=generation, keep_generations=1)
    assert len(endpoint.listed("list_endpoint_configs", "EndpointConfigName")) == 2
    assert len(endpoint.listed("list_models", "ModelName")) == 2
    found = endpoint.info()
    assert [each["live"] for each in found["generations"]] == [True, False]
    assert {each["outcome"] for each in found["generations"]} == {"proven"}


def test_an_environment_and_tags_arrive_byte_for_byte(endpoint: Any) -> None:
    endpoint.deploy(environment={"HF_MODEL_ID": "a/b", "camelCase": " x\ty ", "QUOTED": "1.0"})
    environment = endpoint.answer()["environment"]
    assert (environment["HF_MODEL_ID"], environment["camelCase"], environment["QUOTED"]) == ("a/b", " x\ty ", "1.0")
    tags = endpoint.cloud.client("sagemaker").list_tags(ResourceArn=endpoint.describe()["EndpointArn"])["Tags"]
    assert {"Key": "Cost-Center", "Value": "42"} in tags
    assert {"Key": "modelhost:stage", "Value": endpoint.name} in tags


def test_an_update_that_is_rolled_back_is_a_failure_that_tells_why(endpoint: Any) -> None:
    first = endpoint.deploy(generation="1")
    run = endpoint.deploy(generation="2", environment={"TEST_MODE": "crash"}, fails=True)
    assert f"Live and InService is still {first.result['endpoint']['endpoint_config_name']}" in run.message
    assert "this model is broken on purpose" in run.message
    assert endpoint.answer()["generation"] == "1"

    again = endpoint.deploy(generation="2", environment={"TEST_MODE": "crash"}, fails=True)
    assert "not submitted again" in again.message
    assert again.operations("write") == []


def test_a_create_that_fails_is_told_and_made_anew_once_it_is_corrected(endpoint: Any) -> None:
    run = endpoint.deploy(environment={"TEST_MODE": "crash"}, fails=True)
    assert "Nothing is live" in run.message
    assert "this model is broken on purpose" in run.message
    endpoint.deploy()
    assert endpoint.answer()["generation"] == "1"


def test_the_way_back_to_serverless_stops_until_it_is_agreed_to(endpoint: Any) -> None:
    endpoint.deploy()
    instances = [{"instance": {"instance_type": "ml.m5.large"}}]
    # SageMaker has an update for this way, so nothing is interrupted and nobody has to agree.
    run = endpoint.deploy(production_variants=instances)
    assert "DeleteEndpoint" not in run.operations("write")
    assert endpoint.describe()["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    run = endpoint.deploy(fails=True)
    assert "replace: true" in run.message
    assert run.operations("write") == []
    endpoint.deploy(replace=True)
    assert "CurrentServerlessConfig" in endpoint.describe()["ProductionVariants"][0]


def test_check_mode_writes_nothing_and_says_what_the_run_does(endpoint: Any) -> None:
    foretold = endpoint.deploy("--check", "--diff")
    assert foretold.changed
    assert foretold.operations("write") == []
    assert "plan: new Model" in foretold.output
    assert endpoint.deploy().result["plan"] == foretold.result["plan"]
    unbuilt = endpoint.deploy("--check", model={"image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/x:context-1"})
    assert unbuilt.result["plan"][0] == "new Model: image changes (digest known after the build)"


def test_new_content_under_the_same_url_is_rolled_out(endpoint: Any, artifact: str) -> None:
    endpoint.deploy(model={"model_data_url": artifact})
    assert endpoint.answer()["model"] == {"weights.txt": "first"}
    unchanged = endpoint.deploy(model={"model_data_url": artifact})
    assert not unchanged.changed
    assert unchanged.operations("read") == ["HeadObject", *UNCHANGED]
    replace_artifact(endpoint.cloud, artifact)
    run = endpoint.deploy(model={"model_data_url": artifact})
    assert f"the content of {artifact} changed" in run.result["plan"][0]
    assert endpoint.answer()["model"] == {"weights.txt": "second"}


def test_bad_input_is_told_in_sentences_and_never_reaches_aws(endpoint: Any) -> None:
    run = endpoint.deploy(memory_size_mb=2000, environment={"HF_TOKEN": "x"}, fails=True)
    assert "production_variants[0].serverless.memory_size_mb: 2000 is not offered" in run.message
    assert "model.environment.HF_TOKEN: this looks like a secret" in run.message
    assert "Traceback" not in run.output
    assert run.calls == []


def test_absent_leaves_nothing_and_says_so_twice(endpoint: Any) -> None:
    endpoint.deploy(generation="1")
    endpoint.deploy(generation="2")
    foretold = endpoint.remove("--check")
    assert foretold.changed
    assert foretold.operations("write") == []
    run = endpoint.remove()
    assert run.changed
    assert run.result["plan"] == foretold.result["plan"]
    assert endpoint.listed("list_endpoint_configs", "EndpointConfigName") == []
    assert endpoint.listed("list_models", "ModelName") == []
    assert endpoint.info()["exists"] is False
    again = endpoint.remove()
    assert not again.changed
    assert again.operations("write") == []


def test_a_run_that_does_not_wait_is_taken_up_by_the_next(endpoint: Any) -> None:
    started = endpoint.deploy(wait=False)
    assert started.changed
    assert started.result["pending"]
    taken_up = endpoint.deploy()
    assert taken_up.result["endpoint"]["endpoint_status"] == "InService"
    assert "CreateEndpoint" not in taken_up.operations("write")


def test_without_the_action_plugin_the_outcome_is_the_same(endpoint: Any) -> None:
    made = endpoint.deploy_plainly(generation="1")
    assert made["changed"], made
    assert made["endpoint"]["endpoint_status"] == "InService"
    assert not endpoint.deploy(generation="1").changed
    rotated = endpoint.deploy(generation="2").result
    back = endpoint.deploy_plainly(generation="1")
    assert back["changed"]
    assert rotated["changed"]
    assert set(back) - {"invocation"} == set(rotated) - {"failed"}
    assert endpoint.answer()["generation"] == "1"
    failed = endpoint.deploy_plainly(generation="3", environment={"TEST_MODE": "crash"})
    assert failed["failed"]
    assert "this model is broken on purpose" in failed["msg"]


def test_a_scaled_variant_rotates_to_another_instance_type_and_keeps_its_count(endpoint: Any) -> None:
    bounds = {"min_capacity": 1, "max_capacity": 3, "target_value": 1000.0}

    def on(instance_type: str) -> list[dict[str, Any]]:
        return [{"instance": {"instance_type": instance_type, "initial_instance_count": 1}, "autoscaling": bounds}]

    scaling = endpoint.cloud.client("application-autoscaling")
    resource = f"endpoint/{endpoint.name}/variant/AllTraffic"
    endpoint.deploy(production_variants=on("ml.m5.large"))
    assert endpoint.deploy(production_variants=on("ml.m5.large")).operations("read") == [
        *UNCHANGED,
        "DescribeScalableTargets",
        "DescribeScalingPolicies",
    ]
    # As an autoscaler does. Its own policy sees no requests and would take the instances away again.
    endpoint.cloud.client("sagemaker").update_endpoint_weights_and_capacities(
        EndpointName=endpoint.name,
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}],
    )
    run = endpoint.deploy(production_variants=on("ml.c5.large"))
    writes = run.operations("write")
    assert writes.index("DeregisterScalableTarget") < writes.index("UpdateEndpoint")
    assert writes.index("UpdateEndpoint") < writes.index("RegisterScalableTarget")
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])[
        "ScalableTargets"
    ]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 3)
    assert endpoint.describe()["ProductionVariants"][0]["DesiredInstanceCount"] == 2
    endpoint.remove()
    assert not scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])[
        "ScalableTargets"
    ]


def test_an_endpoint_made_by_hand_is_taken_over_without_a_lost_request(endpoint: Any) -> None:
    sagemaker = endpoint.cloud.client("sagemaker")
    container = {"Image": endpoint.cloud.image, "Environment": {"GENERATION": "theirs"}}
    sagemaker.create_model(
        ModelName=f"{endpoint.name}-x", ExecutionRoleArn=endpoint.cloud.role, PrimaryContainer=container
    )
    sizes = {"MemorySizeInMB": 1024, "MaxConcurrency": 5}
    variant = {"VariantName": "theirs", "ModelName": f"{endpoint.name}-x", "ServerlessConfig": sizes}
    sagemaker.create_endpoint_config(EndpointConfigName=f"{endpoint.name}-x", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=endpoint.name, EndpointConfigName=f"{endpoint.name}-x")
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint.name, WaiterConfig={"Delay": 1})
    assert "adopt: true" in endpoint.deploy(fails=True).message
    with endpoint.asked_without_pause() as endings:
        endpoint.deploy(adopt=True)
        assert endpoint.answer()["generation"] == "1"
    assert set(endings) == {"theirs", "1"}
    assert sagemaker.describe_endpoint_config(EndpointConfigName=f"{endpoint.name}-x")


def test_a_rollback_is_one_update_and_the_next_deploy_says_that_it_goes_forward(endpoint: Any) -> None:
    endpoint.deploy(generation="1")
    endpoint.deploy(generation="2")
    with endpoint.asked_without_pause() as endings:
        back = endpoint.roll_back()
        assert endpoint.answer()["generation"] == "1"
    assert set(endings) == {"1", "2"}
    assert back.operations("write") == ["AddTags", "UpdateEndpoint", "AddTags", "AddTags"]
    left = {each["endpoint_config_name"]: each["rolled_back"] for each in endpoint.info()["generations"]}
    assert sorted(map(bool, left.values())) == [False, True]
    assert "forward again to what a rollback left" in " ".join(
        endpoint.deploy("--check", generation="2").result["plan"]
    )
