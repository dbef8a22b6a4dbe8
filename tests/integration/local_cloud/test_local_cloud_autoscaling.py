# SPDX-License-Identifier: GPL-3.0-or-later
"""Application Auto Scaling: what is kept and refused, and processes that come and go."""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_cloud_process import LocalCloud
from local_cloud_workbench import Workbench, furnish

COUNT, PROVISIONED = "sagemaker:variant:DesiredInstanceCount", "sagemaker:variant:DesiredProvisionedConcurrency"
INVOCATIONS = {"PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}}
STEPS = {
    "AdjustmentType": "ChangeInCapacity",
    "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 2}],
}


@pytest.fixture(scope="module")
def workbench(new_cloud: Callable[..., LocalCloud]) -> Workbench:
    """A cloud in which a minute of CloudWatch's is a second, and a cooldown of five minutes a third of one."""
    cloud = new_cloud(startup_timeout=5, options=("--time-scale", "0.001"))
    cloud.start()
    return furnish(cloud)


@pytest.fixture(scope="module")
def scaling(workbench: Workbench) -> Any:
    return workbench.cloud.client("application-autoscaling")


@pytest.fixture(scope="module", autouse=True)
def busy(workbench: Workbench, scaling: Any) -> Iterator[str]:
    """An endpoint that is under load until it has three instances, and idle ever after.

    It begins with the module, so that the time it takes to scale in passes while other tests run.
    """
    endpoint = workbench.serving(instances=1)
    register(scaling, endpoint, 1, 3)
    track(scaling, endpoint, TargetValue=60.0, **INVOCATIONS)
    stop = threading.Event()

    def load() -> None:
        deadline = time.monotonic() + 60
        while not stop.is_set() and time.monotonic() < deadline and instances(workbench, endpoint) < 3:
            workbench.invoke(endpoint)
            stop.wait(0.05)

    thread = threading.Thread(target=load)
    thread.start()
    yield endpoint
    stop.set()
    thread.join()


def target_of(endpoint: str, dimension: str = COUNT) -> dict[str, str]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/AllTraffic",
        "ScalableDimension": dimension,
    }


def register(scaling: Any, endpoint: str, low: int, high: int, dimension: str = COUNT, **more: Any) -> str:
    answer = scaling.register_scalable_target(
        **target_of(endpoint, dimension), MinCapacity=low, MaxCapacity=high, **more
    )
    return str(answer["ScalableTargetARN"])


def track(scaling: Any, endpoint: str, name: str = "track", **configuration: Any) -> dict[str, Any]:
    answer: dict[str, Any] = scaling.put_scaling_policy(
        **target_of(endpoint),
        PolicyName=name,
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=configuration,
    )
    return answer


def activities(scaling: Any, endpoint: str, **more: Any) -> list[dict[str, Any]]:
    members = target_of(endpoint)
    del members["ScalableDimension"]
    found: list[dict[str, Any]] = scaling.describe_scaling_activities(**members, **more)["ScalingActivities"]
    return found


def instances(workbench: Workbench, endpoint: str) -> int:
    count: int = workbench.describe(endpoint)["ProductionVariants"][0]["CurrentInstanceCount"]
    return count


def system_update(workbench: Workbench, method: str, endpoint: str) -> None:
    """Begin (POST) or end (DELETE) maintenance of AWS's own, during which an endpoint cannot be changed."""
    connection = http.client.HTTPConnection("127.0.0.1", workbench.cloud.port)
    path = f"/_local_cloud/endpoints/{endpoint}/system-update"
    connection.request(method, path, "{}", {"content-type": "application/json"})
    assert connection.getresponse().status == 200
    connection.close()


def until(condition: Callable[[], Any]) -> Any:
    """What `condition` gives once it is true."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise AssertionError("it did not come true")


def message_of(call: Any, code: str = "ValidationException") -> str:
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


def test_what_is_not_registered_is_not_found_in_awss_words(scaling: Any, busy: str) -> None:
    target = target_of("nobody")
    where = f"for service namespace: sagemaker, resource ID: {target['ResourceId']}, scalable dimension: {COUNT}"
    missing = "ObjectNotFoundException"
    assert message_of(lambda: track(scaling, "nobody", TargetValue=1.0, **INVOCATIONS), missing) == (
        f"No scalable target registered {where}"
    )
    action = {"ScheduledActionName": "x"}
    wanted = {"Schedule": "rate(1 day)", "ScalableTargetAction": {"MinCapacity": 1}}
    assert message_of(lambda: scaling.put_scheduled_action(**target, **action, **wanted), missing) == (
        f"No scalable target registered {where}"
    )
    assert message_of(lambda: scaling.deregister_scalable_target(**target), missing) == (
        f"No scalable target found {where}"
    )
    assert message_of(lambda: scaling.delete_scaling_policy(**target, PolicyName="p"), missing) == (
        f"No scaling policy found {where}, policy name: p"
    )
    assert message_of(lambda: scaling.delete_scheduled_action(**target, **action), missing) == (
        f"No scheduled action found {where}, scheduled action name: x"
    )
    arn = "arn:aws:application-autoscaling:us-east-1:000000000000:scalable-target/none"
    message_of(lambda: scaling.list_tags_for_resource(ResourceARN=arn), "ResourceNotFoundException")


def test_only_variants_that_are_there_can_be_registered(workbench: Workbench, scaling: Any, busy: str) -> None:
    assert message_of(lambda: register(scaling, "nobody", 1, 2)) == (
        'Could not find endpoint "arn:aws:sagemaker:us-east-1:000000000000:endpoint/nobody".'
    )
    other = target_of(busy) | {"ResourceId": f"endpoint/{busy}/variant/other"}
    assert "no variant other" in message_of(
        lambda: scaling.register_scalable_target(**other, MinCapacity=1, MaxCapacity=2)
    )
    assert message_of(lambda: register(scaling, busy, 1, 2, "sagemaker:inference-component:DesiredCopyCount")) == (
        "Unsupported service namespace, resource type or scalable dimension"
    )


def test_a_target_is_changed_in_parts_tagged_and_found(workbench: Workbench, scaling: Any) -> None:
    endpoint = workbench.serving(instances=1)
    arn = register(scaling, endpoint, 1, 3, Tags={"team": "demo"})
    suspended = {"DynamicScalingInSuspended": True}
    again = scaling.register_scalable_target(**target_of(endpoint), MaxCapacity=4, SuspendedState=suspended)
    assert again["ScalableTargetARN"] == arn
    listed = scaling.describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[target_of(endpoint)["ResourceId"]], ScalableDimension=COUNT
    )
    (kept,) = listed["ScalableTargets"]
    assert (kept["MinCapacity"], kept["MaxCapacity"]) == (1, 4)
    assert kept["SuspendedState"] == {
        "DynamicScalingInSuspended": True,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": False,
    }
    role = kept["RoleARN"].rpartition("/")[2]
    assert role == "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    assert workbench.cloud.client("iam").get_role(RoleName=role)["Role"]["Arn"] == kept["RoleARN"]
    scaling.tag_resource(ResourceARN=arn, Tags={"stage": "local"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"stage": "local"}
    assert "use the TagResource API" in message_of(lambda: register(scaling, endpoint, 1, 3, Tags={"a": "b"}))
    pages = scaling.get_paginator("describe_scalable_targets").paginate(
        ServiceNamespace="sagemaker", PaginationConfig={"PageSize": 1}
    )
    found = [each["ScalableTargetARN"] for page in pages for each in page["ScalableTargets"]]
    assert arn in found
    assert len(found) == len(set(found)) >= 2


def test_a_policy_and_its_alarms_are_made_changed_and_deleted_together(workbench: Workbench, scaling: Any) -> None:
    cloudwatch = workbench.cloud.client("cloudwatch")
    endpoint = workbench.serving(instances=1)
    prefix = f"TargetTracking-endpoint/{endpoint}/variant/AllTraffic-"

    def alarms() -> dict[str, Any]:
        found = cloudwatch.describe_alarms(AlarmNamePrefix=prefix)["MetricAlarms"]
        return {alarm["AlarmName"].removeprefix(prefix)[: len("AlarmLow-")]: alarm for alarm in found}

    register(scaling, endpoint, 1, 3)
    first = track(scaling, endpoint, TargetValue=100.0, **INVOCATIONS)
    made = alarms()
    assert {alarm["AlarmArn"] for alarm in made.values()} == {alarm["AlarmARN"] for alarm in first["Alarms"]}
    high, low = made["AlarmHigh"], made["AlarmLow-"]
    assert (high["Threshold"], low["Threshold"]) == (100.0, 90.0)
    assert high["AlarmActions"][0].startswith(f"{first['PolicyARN']}:createdBy/")
    again = track(scaling, endpoint, TargetValue=50.0, DisableScaleIn=True)
    assert again["PolicyARN"] == first["PolicyARN"]
    assert {name: alarm["Threshold"] for name, alarm in alarms().items()} == {"AlarmHigh": 50.0}
    words = "Only one TargetTrackingScaling policy for a given metric specification is allowed."
    assert message_of(lambda: track(scaling, endpoint, "other", TargetValue=9.0, **INVOCATIONS)) == words
    (kept,) = scaling.describe_scaling_policies(**target_of(endpoint))["ScalingPolicies"]
    assert kept["TargetTrackingScalingPolicyConfiguration"] == {
        "TargetValue": 50.0,
        **INVOCATIONS,
        "DisableScaleIn": True,
    }
    scaling.delete_scaling_policy(**target_of(endpoint), PolicyName="track")
    assert alarms() == {}
    track(scaling, endpoint, TargetValue=100.0, **INVOCATIONS)
    rate = {"Schedule": "rate(1 day)", "ScalableTargetAction": {"MinCapacity": 1}}
    scaling.put_scheduled_action(**target_of(endpoint), ScheduledActionName="daily", **rate)
    scaling.deregister_scalable_target(**target_of(endpoint))
    assert alarms() == {}
    assert scaling.describe_scaling_policies(**target_of(endpoint))["ScalingPolicies"] == []
    assert scaling.describe_scheduled_actions(**target_of(endpoint))["ScheduledActions"] == []


def test_a_minimum_above_the_count_scales_out_at_once(workbench: Workbench, scaling: Any) -> None:
    endpoint = workbench.serving(instances=1)
    before = len(workbench.cloud.serving_processes())
    register(scaling, endpoint, 2, 3)
    until(lambda: instances(workbench, endpoint) == 2)
    assert len(workbench.cloud.serving_processes()) > before
    done = until(lambda: [each for each in activities(scaling, endpoint) if each["StatusCode"] == "Successful"])
    assert [each["Description"] for each in done] == ["Setting desired instance count to 2."]
    assert done[0]["Cause"] == "minimum capacity was set to 2"
    assert done[0]["StatusMessage"] == (
        "Successfully set desired instance count to 2. Change successfully fulfilled by sagemaker."
    )
    assert done[0]["EndTime"] >= done[0]["StartTime"]


def test_an_endpoint_in_the_middle_of_something_is_scaled_when_it_is_through(
    workbench: Workbench, scaling: Any
) -> None:
    endpoint = workbench.serving(instances=1)
    system_update(workbench, "POST", endpoint)
    register(scaling, endpoint, 2, 3)
    (refused,) = until(lambda: activities(scaling, endpoint))
    assert refused["StatusCode"] == "Failed"
    assert refused["StatusMessage"].startswith(
        "Failed to set desired instance count to 2. Reason: Cannot update in-progress endpoint "
        f'"arn:aws:sagemaker:us-east-1:000000000000:endpoint/{endpoint}". (Service: AmazonSageMaker; Status Code: 400; '
        "Error Code: ValidationException; Request ID: "
    )
    system_update(workbench, "DELETE", endpoint)
    until(lambda: instances(workbench, endpoint) == 2)
    until(lambda: [each["StatusCode"] for each in activities(scaling, endpoint)] == ["Successful", "Failed"])


def test_an_alarm_whose_action_is_a_step_scaling_policy_scales(workbench: Workbench, scaling: Any) -> None:
    cloudwatch = workbench.cloud.client("cloudwatch")
    endpoint = workbench.serving(instances=1)
    register(scaling, endpoint, 1, 4)
    policy = scaling.put_scaling_policy(
        **target_of(endpoint), PolicyName="step", PolicyType="StepScaling", StepScalingPolicyConfiguration=STEPS
    )
    assert policy["Alarms"] == []
    name = workbench.name("alarm")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        AlarmActions=[policy["PolicyARN"]],
        Namespace="Demo",
        MetricName="Backlog",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=5.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    (kept,) = scaling.describe_scaling_policies(**target_of(endpoint))["ScalingPolicies"]
    assert [alarm["AlarmName"] for alarm in kept["Alarms"]] == [name]
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    until(lambda: instances(workbench, endpoint) == 3)
    done = until(lambda: [each for each in activities(scaling, endpoint) if each["StatusCode"] == "Successful"])
    assert done[0]["Cause"] == f"monitor alarm {name} in state ALARM triggered policy step"


def test_a_metric_of_ones_own_scales_out_and_in(workbench: Workbench, scaling: Any) -> None:
    cloudwatch = workbench.cloud.client("cloudwatch")
    endpoint = workbench.serving(instances=1)
    register(scaling, endpoint, 1, 4)
    dimensions = [{"Name": "EndpointName", "Value": endpoint}]
    metric = {"MetricName": "Utilization", "Namespace": "Demo", "Statistic": "Average", "Dimensions": dimensions}
    track(scaling, endpoint, TargetValue=50.0, CustomizedMetricSpecification=metric)

    def put(value: float) -> None:
        now = datetime.now(UTC)
        data = [
            {
                "MetricName": "Utilization",
                "Dimensions": dimensions,
                "Timestamp": now - timedelta(seconds=ago),
                "Value": value,
            }
            for ago in range(20)
        ]
        cloudwatch.put_metric_data(Namespace="Demo", MetricData=data)

    put(140.0)
    until(lambda: instances(workbench, endpoint) >= 3)
    put(-5000.0)  # brings the averages of the same seconds far below the target
    until(lambda: instances(workbench, endpoint) == 1)


def test_scheduled_actions_happen(workbench: Workbench, scaling: Any) -> None:
    endpoint = workbench.serving(instances=1)
    register(scaling, endpoint, 1, 1)
    soon = datetime.now(UTC) + timedelta(seconds=2)
    scaling.put_scheduled_action(
        **target_of(endpoint),
        ScheduledActionName="more",
        Schedule=f"at({soon:%Y-%m-%dT%H:%M:%S})",
        ScalableTargetAction={"MinCapacity": 2, "MaxCapacity": 3},
    )
    (kept,) = scaling.describe_scheduled_actions(**target_of(endpoint))["ScheduledActions"]
    assert kept["ScheduledActionARN"].endswith("/variant/AllTraffic:scheduledActionName/more")
    until(lambda: instances(workbench, endpoint) == 2)
    until(lambda: activities(scaling, endpoint)[0]["StatusCode"] == "Successful")
    moved, changed = activities(scaling, endpoint)
    assert changed["Cause"] == "scheduled action name more was triggered"
    assert changed["StatusMessage"] == "Successfully set min capacity to 2 and max capacity to 3"
    assert moved["Cause"] == "minimum capacity was set to 2"


def test_a_suspended_schedule_is_skipped(workbench: Workbench, scaling: Any) -> None:
    endpoint = workbench.serving(instances=1)
    register(scaling, endpoint, 1, 1, SuspendedState={"ScheduledScalingSuspended": True})
    start = datetime.now(UTC) + timedelta(seconds=1)
    action = {"StartTime": start, "ScalableTargetAction": {"MinCapacity": 2, "MaxCapacity": 3}}
    scaling.put_scheduled_action(
        **target_of(endpoint),
        ScheduledActionName="hourly",
        Schedule="cron(0 * * * ? *)",
        Timezone="Europe/Berlin",
        **action,
    )
    assert "is no schedule" in message_of(
        lambda: scaling.put_scheduled_action(
            **target_of(endpoint), ScheduledActionName="bad", Schedule="daily", **action
        )
    )
    until(lambda: datetime.now(UTC) > start + timedelta(seconds=1))
    assert activities(scaling, endpoint) == []
    scaling.delete_scheduled_action(**target_of(endpoint), ScheduledActionName="hourly")


def test_provisioned_concurrency_is_scaled(workbench: Workbench, scaling: Any) -> None:
    config = workbench.name("config")
    serverless = {"MemorySizeInMB": 1024, "MaxConcurrency": 5, "ProvisionedConcurrency": 1}
    variant = {"VariantName": "AllTraffic", "ModelName": workbench.model(), "ServerlessConfig": serverless}
    workbench.sagemaker.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[variant])
    endpoint = workbench.endpoint(config)
    assert "MaxConcurrency" in message_of(lambda: register(scaling, endpoint, 1, 6, PROVISIONED))
    register(scaling, endpoint, 2, 4, PROVISIONED)

    def provisioned() -> int:
        current = workbench.describe(endpoint)["ProductionVariants"][0]["CurrentServerlessConfig"]
        return int(current.get("ProvisionedConcurrency", 0))

    until(lambda: provisioned() == 2)
    (done,) = until(lambda: [each for each in activities(scaling, endpoint) if each["StatusCode"] == "Successful"])
    assert done["Description"] == "Setting desired provisioned concurrency to 2."


def test_a_registered_variants_instance_type_stays_and_deleting_the_endpoint_deregisters_it(
    workbench: Workbench, scaling: Any
) -> None:
    endpoint = workbench.serving(instances=1)
    register(scaling, endpoint, 1, 2)
    config = workbench.name("config")
    variant = {"VariantName": "AllTraffic", "ModelName": workbench.model(), "InitialInstanceCount": 1}
    workbench.sagemaker.create_endpoint_config(
        EndpointConfigName=config, ProductionVariants=[{**variant, "InstanceType": "ml.c5.large"}]
    )
    update = {"EndpointName": endpoint, "EndpointConfigName": config}
    message_of(lambda: workbench.sagemaker.update_endpoint(**update))
    workbench.sagemaker.delete_endpoint(EndpointName=endpoint)
    resource = target_of(endpoint)["ResourceId"]
    found = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[resource])
    assert found["ScalableTargets"] == []


def test_an_alarm_counts_the_data_of_its_own_dimensions_alone(workbench: Workbench) -> None:
    cloudwatch = workbench.cloud.client("cloudwatch")
    names = {}
    for endpoint in ("one", "other"):
        names[endpoint] = workbench.name("errors")
        cloudwatch.put_metric_alarm(
            AlarmName=names[endpoint],
            Namespace="Errors",
            MetricName="Invocation5XXErrors",
            Dimensions=[{"Name": "EndpointName", "Value": endpoint}],
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",
        )

    def states() -> list[str]:
        found = cloudwatch.describe_alarms(AlarmNames=list(names.values()))["MetricAlarms"]
        by_name = {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}
        return [by_name[names["one"]], by_name[names["other"]]]

    dimensions = [{"Name": "EndpointName", "Value": "one"}]
    datum = {"MetricName": "Invocation5XXErrors", "Dimensions": dimensions, "Value": 3.0}
    cloudwatch.put_metric_data(Namespace="Errors", MetricData=[datum])
    until(lambda: states() == ["ALARM", "OK"])
    cloudwatch.set_alarm_state(AlarmName=names["other"], StateValue="ALARM", StateReason="by hand")
    until(lambda: states()[0] == "OK")
    assert states()[1] == "ALARM"


def test_an_endpoint_under_load_gets_processes_and_loses_them_when_it_is_idle(
    workbench: Workbench, scaling: Any, busy: str
) -> None:
    until(lambda: instances(workbench, busy) == 1 and len(activities(scaling, busy)) > 1)
    until(lambda: activities(scaling, busy)[0]["StatusCode"] == "Successful")
    done = [each for each in activities(scaling, busy) if each["StatusCode"] == "Successful"][::-1]
    counts = [int(each["Description"].removesuffix(".").rpartition(" ")[2]) for each in done]
    assert max(counts) == 3
    assert counts[-1] == 1
    prefix = f"monitor alarm TargetTracking-endpoint/{busy}/variant/AllTraffic-Alarm"
    assert done[0]["Cause"].startswith(f"{prefix}High-")
    assert done[-1]["Cause"].startswith(f"{prefix}Low-")
    with_reasons = activities(scaling, busy, IncludeNotScaledActivities=True)
    reasons = {reason["Code"] for each in with_reasons for reason in each.get("NotScaledReasons", [])}
    assert reasons <= {"AlreadyAtMaxCapacity", "AlreadyAtMinCapacity", "AlreadyAtDesiredCapacity"}
    assert "AlreadyAtMinCapacity" in until(
        lambda: [
            reason["Code"]
            for each in activities(scaling, busy, IncludeNotScaledActivities=True)
            for reason in each.get("NotScaledReasons", [])
            if reason["Code"] == "AlreadyAtMinCapacity"
        ]
    )


def test_a_killed_cloud_comes_back_with_its_targets_and_catches_up_with_its_schedule(
    workbench: Workbench, scaling: Any
) -> None:
    endpoint = workbench.serving(instances=1)
    register(scaling, endpoint, 1, 3)
    alarms = track(scaling, endpoint, TargetValue=70.0, **INVOCATIONS)["Alarms"]
    soon = datetime.now(UTC) + timedelta(seconds=1)
    wanted = {"Schedule": f"at({soon:%Y-%m-%dT%H:%M:%S})", "ScalableTargetAction": {"MinCapacity": 2}}
    scaling.put_scheduled_action(**target_of(endpoint), ScheduledActionName="more", **wanted)
    os.kill(workbench.cloud.get("/_local_cloud/health")["pid"], signal.SIGKILL)
    workbench.cloud.start()
    until(lambda: instances(workbench, endpoint) == 2)
    cloudwatch = workbench.cloud.client("cloudwatch")
    there = cloudwatch.describe_alarms(AlarmNames=[alarm["AlarmName"] for alarm in alarms])["MetricAlarms"]
    assert len(there) == 2
