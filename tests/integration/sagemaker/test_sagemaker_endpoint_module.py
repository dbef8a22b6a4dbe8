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


def test_a_change_of_type_stops_until_it_is_agreed_to(endpoint: Any) -> None:
    endpoint.deploy()
    instances = [{"instance": {"instance_type": "ml.m5.large"}}]
    run = endpoint.deploy(production_variants=instances, fails=True)
    assert "replace: true" in run.message
    assert run.operations("write") == []
    endpoint.deploy(production_variants=instances, replace=True)
    assert endpoint.describe()["ProductionVariants"][0]["CurrentInstanceCount"] == 1


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
