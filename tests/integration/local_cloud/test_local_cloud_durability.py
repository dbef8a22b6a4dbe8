# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing that was acknowledged is lost, at whatever moment the cloud is killed.

LOCAL_CLOUD_KILLS sets how often it is killed (5); LOCAL_CLOUD_KILL_SEED the moments (0).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import signal
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, HTTPClientError
from local_cloud_images import OCI_MANIFEST, push_blob
from local_cloud_process import LocalCloud, is_gone
from local_cloud_workbench import TRUST, Workbench, furnish

KILLS = int(os.environ.get("LOCAL_CLOUD_KILLS", "5"))
SEED = int(os.environ.get("LOCAL_CLOUD_KILL_SEED", "0"))
# The deploy is cut into this many stretches, each of which the cloud is killed in.
STRETCHES = 5
HUNG_UP = (ConnectionClosedError, EndpointConnectionError, HTTPClientError)


@dataclass
class Step:
    """A call that changes something, and how to see that it did: raises, or returns False, where it did not."""

    name: str
    act: Callable[[], Any]
    check: Callable[[], Any]


@pytest.fixture(scope="module")
def bench(new_cloud: Callable[..., LocalCloud]) -> Workbench:
    cloud = new_cloud(startup_timeout=20)
    cloud.start()
    return furnish(cloud)


def kill(cloud: LocalCloud) -> None:
    pid = cloud.get("/_local_cloud/health")["pid"]
    os.kill(pid, signal.SIGKILL)
    while not is_gone(pid):
        time.sleep(0.005)


def code(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", f"def handle(event, context):\n    return {text!r}\n")
    return buffer.getvalue()


def answer_of(client: Any, function: str) -> Any:
    return json.loads(client.invoke(FunctionName=function)["Payload"].read())


def steps(bench: Workbench, n: str) -> Iterator[Step]:
    """What a deploy does, and a little more. `n` makes the names new."""
    cloud = bench.cloud
    yield from storage(cloud, n)
    yield from identities(cloud, n)
    yield from images(cloud, n)
    yield from functions(cloud, n)
    yield from apis(cloud, n)
    yield from serving(bench, n)
    yield from watching(cloud, n)


def storage(cloud: LocalCloud, n: str) -> Iterator[Step]:
    s3, bucket = cloud.client("s3"), f"bucket-{n}"
    yield Step("CreateBucket", lambda: s3.create_bucket(Bucket=bucket), lambda: s3.head_bucket(Bucket=bucket))
    tags = {"TagSet": [{"Key": "stage", "Value": n}]}
    yield Step(
        "PutBucketTagging",
        lambda: s3.put_bucket_tagging(Bucket=bucket, Tagging=tags),
        lambda: s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags["TagSet"],
    )

    def read(key: str) -> tuple[bytes, str, str]:
        found = s3.get_object(Bucket=bucket, Key=key)
        return found["Body"].read(), found["ContentType"], found["Metadata"].get("by", "")

    yield Step(
        "PutObject",
        lambda: s3.put_object(Bucket=bucket, Key="a/b.json", Body=b"one", ContentType="text/x", Metadata={"by": n}),
        lambda: read("a/b.json")[0] in (b"one", b"two" * 1000),
    )
    yield Step(
        "PutObject over it",
        lambda: s3.put_object(Bucket=bucket, Key="a/b.json", Body=b"two" * 1000, ContentType="text/y"),
        lambda: read("a/b.json") == (b"two" * 1000, "text/y", ""),
    )
    yield Step(
        "PutBucketVersioning",
        lambda: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
        lambda: s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled",
    )
    versions: list[str] = []
    for number, text in enumerate((b"first", b"second", b"third")):
        yield Step(
            "PutObject as a version",
            lambda text=text: versions.append(s3.put_object(Bucket=bucket, Key="v", Body=text)["VersionId"]),
            lambda text=text, at=number: (
                s3.get_object(Bucket=bucket, Key="v", VersionId=versions[at])["Body"].read() == text
            ),
        )


def identities(cloud: LocalCloud, n: str) -> Iterator[Step]:
    iam, sts, role = cloud.client("iam"), cloud.client("sts"), f"role-{n}"
    yield Step(
        "CreateRole",
        lambda: iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST), Tags=[tag(n)]),
        lambda: iam.list_role_tags(RoleName=role)["Tags"] == [tag(n)],
    )
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    yield Step(
        "PutRolePolicy",
        lambda: iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps(allow)),
        lambda: iam.get_role_policy(RoleName=role, PolicyName="p")["PolicyDocument"] == allow,
    )
    yield Step("CreateUser", lambda: iam.create_user(UserName=f"user-{n}"), lambda: iam.get_user(UserName=f"user-{n}"))
    keys: list[str] = []
    yield Step(
        "CreateAccessKey",
        lambda: keys.append(iam.create_access_key(UserName=f"user-{n}")["AccessKey"]["AccessKeyId"]),
        lambda: iam.list_access_keys(UserName=f"user-{n}")["AccessKeyMetadata"][0]["AccessKeyId"] == keys[0],
    )
    sessions: list[dict[str, str]] = []
    arn = f"arn:aws:iam::000000000000:role/{role}"
    yield Step(
        "AssumeRole",
        lambda: sessions.append(sts.assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]),
        lambda: who(cloud, sessions[0]) == f"arn:aws:sts::000000000000:assumed-role/{role}/session",
    )


def tag(n: str) -> dict[str, str]:
    return {"Key": "modelhost:stage", "Value": n}


def who(cloud: LocalCloud, credentials: dict[str, str]) -> str:
    import boto3

    client = boto3.client(
        "sts",
        endpoint_url=cloud.url,
        region_name="us-east-1",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    arn: str = client.get_caller_identity()["Arn"]
    return arn


def has_layer(ecr: Any, repository: str, digest: str) -> bool:
    answer = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest])
    return bool(answer["layers"][0]["layerAvailability"] == "AVAILABLE")


def images(cloud: LocalCloud, n: str) -> Iterator[Step]:
    ecr, name = cloud.client("ecr"), f"images/{n}"
    yield Step(
        "CreateRepository",
        lambda: ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE", tags=[tag(n)]),
        lambda: (
            ecr.describe_repositories(repositoryNames=[name])["repositories"][0]["imageTagMutability"] == "IMMUTABLE"
        ),
    )
    rules = {"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged"}, "action": {"type": "expire"}}]}
    yield Step(
        "PutLifecyclePolicy",
        lambda: ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(rules)),
        lambda: json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"]) == rules,
    )
    blobs: list[dict[str, Any]] = []
    for number, content in enumerate((b'{"config": {}}', os.urandom(200_000))):
        yield Step(
            "CompleteLayerUpload",
            lambda content=content: blobs.append(push_blob(ecr, name, content)),
            lambda at=number: has_layer(ecr, name, blobs[at]["digest"]),
        )

    def put() -> None:
        manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": blobs[0], "layers": [blobs[1]]}
        ecr.put_image(repositoryName=name, imageManifest=json.dumps(manifest), imageTag="v1")

    yield Step(
        "PutImage",
        put,
        lambda: ecr.describe_images(repositoryName=name)["imageDetails"][0]["imageSizeInBytes"] == 200_000,
    )


def functions(cloud: LocalCloud, n: str) -> Iterator[Step]:
    client, name = cloud.client("lambda"), f"function-{n}"
    yield Step(
        "CreateFunction",
        lambda: client.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role="arn:aws:iam::000000000000:role/execution",
            Handler="handler.handle",
            Code={"ZipFile": code("one " + n)},
            Tags={"modelhost:stage": n},
        ),
        lambda: client.get_function(FunctionName=name)["Tags"] == {"modelhost:stage": n},
    )
    yield Step(
        "PublishVersion",
        lambda: client.publish_version(FunctionName=name),
        lambda: answer_of(client, f"{name}:1") == "one " + n,
    )
    yield Step(
        "CreateAlias",
        lambda: client.create_alias(FunctionName=name, Name="live", FunctionVersion="1"),
        lambda: client.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "1",
    )
    yield Step(
        "UpdateFunctionCode",
        lambda: client.update_function_code(FunctionName=name, ZipFile=code("two " + n)),
        lambda: answer_of(client, name) == "two " + n and answer_of(client, f"{name}:live") == "one " + n,
    )
    yield Step(
        "AddPermission",
        lambda: client.add_permission(
            FunctionName=name, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
        ),
        lambda: "apigateway.amazonaws.com" in client.get_policy(FunctionName=name)["Policy"],
    )


def apis(cloud: LocalCloud, n: str) -> Iterator[Step]:
    client = cloud.client("apigatewayv2")
    made: dict[str, str] = {}
    yield Step(
        "CreateApi",
        lambda: made.update(api=client.create_api(Name=f"api-{n}", ProtocolType="HTTP", Tags={"s": n})["ApiId"]),
        lambda: client.get_api(ApiId=made["api"])["Tags"] == {"s": n},
    )
    yield Step(
        "CreateIntegration",
        lambda: made.update(
            integration=client.create_integration(
                ApiId=made["api"],
                IntegrationType="AWS_PROXY",
                IntegrationUri=f"arn:aws:lambda:us-east-1:000000000000:function:function-{n}",
                PayloadFormatVersion="2.0",
            )["IntegrationId"]
        ),
        lambda: client.get_integration(ApiId=made["api"], IntegrationId=made["integration"]),
    )
    yield Step(
        "CreateRoute",
        lambda: client.create_route(
            ApiId=made["api"], RouteKey="POST /demo", Target=f"integrations/{made['integration']}"
        ),
        lambda: client.get_routes(ApiId=made["api"])["Items"][0]["RouteKey"] == "POST /demo",
    )
    yield Step(
        "CreateStage",
        lambda: client.create_stage(ApiId=made["api"], StageName="$default", AutoDeploy=True),
        lambda: client.get_stages(ApiId=made["api"])["Items"][0]["AutoDeploy"] is True,
    )


def serving(bench: Workbench, n: str) -> Iterator[Step]:
    sagemaker, scaling = bench.sagemaker, bench.cloud.client("application-autoscaling")
    model, config, endpoint = f"model-{n}", f"config-{n}", f"endpoint-{n}"
    yield Step(
        "CreateModel",
        lambda: bench.model(model, GENERATION=n),
        lambda: sagemaker.describe_model(ModelName=model)["PrimaryContainer"]["Environment"] == {"GENERATION": n},
    )
    arn = f"arn:aws:sagemaker:us-east-1:000000000000:model/{model}"
    yield Step(
        "AddTags",
        lambda: sagemaker.add_tags(ResourceArn=arn, Tags=[tag(n)]),
        lambda: sagemaker.list_tags(ResourceArn=arn)["Tags"] == [tag(n)],
    )
    yield Step(
        "CreateEndpointConfig",
        lambda: bench.config(model, instances=1, name=config),
        lambda: sagemaker.describe_endpoint_config(EndpointConfigName=config),
    )
    yield Step(
        "CreateEndpoint",
        lambda: sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config),
        lambda: bench.wait("endpoint_in_service", endpoint) or bench.invoke(endpoint)["generation"] == n,
    )
    target = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }

    def register() -> None:
        bench.wait("endpoint_in_service", endpoint)
        scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)

    yield Step(
        "RegisterScalableTarget",
        register,
        lambda: scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[target["ResourceId"]])[
            "ScalableTargets"
        ],
    )
    yield Step(
        "PutScalingPolicy",
        lambda: scaling.put_scaling_policy(
            **target,
            PolicyName=f"policy-{n}",
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": 1000.0,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            },
        ),
        lambda: scaling.describe_scaling_policies(ServiceNamespace="sagemaker", PolicyNames=[f"policy-{n}"])[
            "ScalingPolicies"
        ],
    )


def watching(cloud: LocalCloud, n: str) -> Iterator[Step]:
    logs, alarms, group = cloud.client("logs"), cloud.client("cloudwatch"), f"/stage/{n}"
    yield Step(
        "CreateLogGroup",
        lambda: logs.create_log_group(logGroupName=group, tags={"s": n}),
        lambda: logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["logGroupName"] == group,
    )
    yield Step(
        "PutRetentionPolicy",
        lambda: logs.put_retention_policy(logGroupName=group, retentionInDays=30),
        lambda: logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["retentionInDays"] == 30,
    )
    now = int(time.time())
    for number, text in enumerate(("one", "two")):
        yield Step(
            "CreateLogStream",
            lambda text=text: logs.create_log_stream(logGroupName=group, logStreamName=text),
            lambda at=number: len(logs.describe_log_streams(logGroupName=group)["logStreams"]) > at,
        )
        yield Step(
            "PutLogEvents",
            lambda text=text: logs.put_log_events(
                logGroupName=group, logStreamName=text, logEvents=[{"timestamp": now * 1000, "message": text}]
            ),
            lambda text=text: (
                logs.get_log_events(logGroupName=group, logStreamName=text)["events"][0]["message"] == text
            ),
        )
    yield Step(
        "PutMetricData",
        lambda: alarms.put_metric_data(
            Namespace=n, MetricData=[{"MetricName": "m", "Value": 7, "Dimensions": [{"Name": "of", "Value": n}]}]
        ),
        lambda: (
            alarms.get_metric_statistics(
                Namespace=n,
                MetricName="m",
                Dimensions=[{"Name": "of", "Value": n}],
                StartTime=now - 600,
                EndTime=now + 3600,
                Period=7200,
                Statistics=["Sum"],
            )["Datapoints"][0]["Sum"]
            == 7
        ),
    )
    yield Step(
        "PutMetricAlarm",
        lambda: alarms.put_metric_alarm(
            AlarmName=f"alarm-{n}",
            Namespace="AWS/SageMaker",
            MetricName="Invocation5XXErrors",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        ),
        lambda: alarms.describe_alarms(AlarmNames=[f"alarm-{n}"])["MetricAlarms"][0]["Period"] == 60,
    )
    yield Step(
        "PutDashboard",
        lambda: alarms.put_dashboard(DashboardName=f"dashboard-{n}", DashboardBody='{"widgets": []}'),
        lambda: alarms.get_dashboard(DashboardName=f"dashboard-{n}")["DashboardBody"],
    )


def run_and_kill(bench: Workbench, name: str, at: int, after: float) -> list[Step]:
    """Go through the steps; kill the cloud `after` seconds after step `at` begins. Returns what was acknowledged."""
    acknowledged: list[Step] = []
    killer: threading.Timer | None = None
    pid = bench.cloud.get("/_local_cloud/health")["pid"]
    for number, step in enumerate(steps(bench, name)):
        if number == at:
            killer = threading.Timer(after, os.kill, (pid, signal.SIGKILL))
            killer.start()
        try:
            step.act()
        except HUNG_UP:
            break
        acknowledged.append(step)
    if killer is not None:
        killer.join()
    while not is_gone(pid):
        time.sleep(0.005)
    return acknowledged


def assert_all_there(acknowledged: list[Step]) -> None:
    lost = []
    for step in acknowledged:
        try:
            if step.check() is False:
                lost.append(f"{step.name}: has another value")
        except Exception as error:
            lost.append(f"{step.name}: {error}")
    assert lost == []


def without_endpoint(bench: Workbench, made: list[Step]) -> list[Step]:
    """Delete the endpoint, which would come back slowly with many others, and leave out what goes with it."""
    of_endpoint = {"CreateEndpoint", "RegisterScalableTarget", "PutScalingPolicy"}
    for endpoint in bench.sagemaker.list_endpoints()["Endpoints"]:
        bench.wait("endpoint_in_service", endpoint["EndpointName"])
        bench.sagemaker.delete_endpoint(EndpointName=endpoint["EndpointName"])
        bench.wait("endpoint_deleted", endpoint["EndpointName"])
    return [step for step in made if step.name not in of_endpoint]


def test_what_was_acknowledged_is_there_after_a_kill_at_any_moment(bench: Workbench) -> None:
    moments = random.Random(SEED)
    last = len(list(steps(bench, "count"))) - 1
    acknowledged: list[Step] = []
    for number in range(KILLS):
        # Spread over the whole deploy, wherever the seed lands in each part of it.
        spread = int((number % STRETCHES + moments.random()) * (last + 1) / STRETCHES)
        at = min(last, spread)
        fresh = run_and_kill(bench, f"{SEED}-{number}", at, moments.choice([0, 0.001, 0.002, 0.003, 0.005, 0.008]))
        bench.cloud.start()
        assert len(fresh) >= at, "nothing fails before the kill"
        assert_all_there(fresh)
        acknowledged = (acknowledged + without_endpoint(bench, fresh))[-2 * last :]
    assert_all_there(acknowledged)


def test_a_whole_stage_answers_again_after_a_kill(bench: Workbench) -> None:
    acknowledged = []
    for step in steps(bench, "whole"):
        step.act()
        acknowledged.append(step)
    bench.wait("endpoint_in_service", "endpoint-whole")
    kill(bench.cloud)
    assert "Bringing back" in bench.cloud.start()
    assert_all_there(acknowledged)
    api = next(a for a in bench.cloud.client("apigatewayv2").get_apis()["Items"] if a["Name"] == "api-whole")
    assert post(bench.cloud, f"/_aws/execute-api/{api['ApiId']}/demo") == "two whole"


def post(cloud: LocalCloud, path: str) -> str:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", cloud.port)
    connection.request("POST", path, body="{}", headers={"Content-Type": "application/json"})
    with contextlib.closing(connection):
        return connection.getresponse().read().decode()


def test_what_was_deleted_stays_deleted(bench: Workbench) -> None:
    cloud = bench.cloud
    s3, iam, ecr = cloud.client("s3"), cloud.client("iam"), cloud.client("ecr")
    list(step.act() for step in [*storage(cloud, "gone"), *identities(cloud, "gone"), *images(cloud, "gone")])
    s3.delete_object(Bucket="bucket-gone", Key="a/b.json")
    iam.delete_role_policy(RoleName="role-gone", PolicyName="p")
    ecr.delete_repository(repositoryName="images/gone", force=True)
    kill(cloud)
    cloud.start()
    assert [found["Key"] for found in s3.list_objects_v2(Bucket="bucket-gone")["Contents"]] == ["v"]
    assert iam.list_role_policies(RoleName="role-gone")["PolicyNames"] == []
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_images(repositoryName="images/gone")
    ecr.create_repository(repositoryName="images/gone")
    assert ecr.list_images(repositoryName="images/gone")["imageIds"] == []


def test_a_half_written_home_is_mended_at_the_start(bench: Workbench) -> None:
    cloud, s3 = bench.cloud, bench.cloud.client("s3")
    list(step.act() for step in storage(cloud, "half"))
    kill(cloud)
    state = cloud.home / "state"
    # What a kill between the two files of an object leaves: the new bytes with the old ETag and size.
    (state / "s3/000000000000/bucket-half/a/b.json").write_bytes(b"never acknowledged")
    (state / "s3/000000000000/bucket-half/new").write_bytes(b"never acknowledged")
    (state / "s3/000000000000/bucket-half/v").write_bytes(b"never acknowledged")
    (state / "s3/000000000000/bucket-half/half.json.tmp").write_bytes(b"{")
    (state / "ministack/iam.json.tmp").write_text('{"__ministack_format__": 2, "payl')
    cloud.start()
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket="bucket-half")["Contents"]]
    assert keys == ["a/b.json", "v"]
    for key in keys:
        found = s3.get_object(Bucket="bucket-half", Key=key)
        body = found["Body"].read()
        assert (found["ContentLength"], len(body)) == (len(body), found["ContentLength"])
        listed = s3.head_object(Bucket="bucket-half", Key=key)
        assert listed["ETag"] == found["ETag"]
    assert not list(state.rglob("*.tmp"))
    assert not list(Path(cloud.home / "tmp").rglob("*.py"))
