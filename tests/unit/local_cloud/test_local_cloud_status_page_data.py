# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from local_cloud.aws.caller import Caller
from local_cloud.faults.book import FaultBook
from local_cloud.faults.document import parse_fault
from local_cloud.sagemaker.overview import ContainerOverview, EndpointOverview, VariantOverview
from local_cloud.status_page.from_services import (
    call_facts,
    config_facts,
    endpoint_facts,
    fault_facts,
    model_facts,
    route_facts,
    target_facts,
)
from local_cloud.status_page.machine import TAIL_BYTES, memory_of, ping, tail_of

HERE, THERE = Caller("000000000000", "us-east-1"), Caller("111111111111", "eu-west-1")
SERVERLESS = {"MemorySizeInMB": 2048, "MaxConcurrency": 20}
TAGS = {"modelhost:stage": "local"}


def container(**changes: Any) -> ContainerOverview:
    known: dict[str, Any] = {
        "container_id": "i-1",
        "variant": "AllTraffic",
        "fleet": "blue",
        "pid": 7,
        "docker_id": None,
        "port": 8080,
        "healthy": True,
        "leaving": False,
        "in_flight": 0,
        "started": 5.0,
        "log": "/home/log",
    }
    return ContainerOverview(**{**known, **changes})


def variant(**changes: Any) -> VariantOverview:
    known: dict[str, Any] = {
        "name": "AllTraffic",
        "fleet": "blue",
        "config_name": "config-1",
        "weight": 1.0,
        "traffic": 100.0,
        "desired": 1,
        "current": 1,
        "model_name": "model-1",
        "instance_type": "ml.m5.large",
        "serverless": None,
        "resolved_image": None,
    }
    return VariantOverview(**{**known, **changes})


def endpoint(status: str = "InService", **changes: Any) -> EndpointOverview:
    known: dict[str, Any] = {
        "name": "Demo",
        "account": HERE.account,
        "region": HERE.region,
        "status": status,
        "config_name": "Config-1",
        "failure_reason": None,
        "created": 1.0,
        "modified": 2.0,
        "variants": [variant()],
        "containers": [container()],
    }
    return EndpointOverview(**{**known, **changes})


def config(name: str = "Config-1", model: str = "Model-1", **variants: Any) -> dict[str, Any]:
    one = {"VariantName": "AllTraffic", "ModelName": model, "ServerlessConfig": SERVERLESS, **variants}
    return {
        "EndpointConfigName": name,
        "EndpointConfigArn": HERE.arn("sagemaker", f"endpoint-config/{name}"),
        "CreationTime": 3.0,
        "ProductionVariants": [one],
    }


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "healthy"),
        ({"healthy": False, "startup_timeout": 180.0}, "starting"),
        ({"healthy": False}, "unhealthy"),
        ({"leaving": True}, "draining"),
    ],
)
def test_a_container_is_in_one_state(changes: dict[str, Any], state: str) -> None:
    facts = endpoint_facts(endpoint(containers=[container(**changes)]), {}, {}, {})
    assert facts.containers[0].state == state


def test_an_endpoint_knows_its_containers_memory_and_what_they_wait_for() -> None:
    starting = container(container_id="i-2", healthy=False, startup_timeout=180.0)
    facts = endpoint_facts(endpoint("Creating", containers=[starting]), TAGS, {7: 4096}, {"i-2": "/ping answers 503"})
    assert facts.containers[0].memory == 4096
    assert facts.containers[0].waiting_for == "/ping answers 503"
    assert facts.startup_seconds == 180.0
    assert facts.tags == TAGS


def test_an_update_is_the_green_fleet_of_an_endpoint_that_is_updating() -> None:
    fleets = [variant(traffic=90.0), variant(fleet="green", config_name="config-2", traffic=10.0)]
    facts = endpoint_facts(endpoint("Updating", variants=fleets), {}, {}, {})
    assert facts.update is not None
    assert (facts.update.config, facts.update.green_percent) == ("config-2", 10.0)
    assert endpoint_facts(endpoint("Updating"), {}, {}, {}).update is None, "the new fleet is still being prepared"
    assert endpoint_facts(endpoint("InService", variants=fleets), {}, {}, {}).update is None


def test_a_config_is_in_use_by_endpoints_of_its_own_account_and_region_whatever_the_case_of_its_name() -> None:
    arn = HERE.arn("sagemaker", "endpoint-config/config-1")
    found = [(HERE, config()), (THERE, config()), (HERE, config("Config-9"))]
    facts = config_facts(found, {arn: TAGS}, [endpoint(config_name="config-1")])
    assert [one.used_by for one in facts] == [("Demo",), (), ()]
    assert facts[0].tags == TAGS
    assert facts[0].kinds == ("serverless, 2048 MB, 20 at a time",)


def test_a_model_is_in_use_by_what_runs_it_and_by_what_failed_to() -> None:
    model = {"ModelName": "Model-1", "ModelArn": HERE.arn("sagemaker", "model/model-1"), "CreationTime": 1.0}
    model["PrimaryContainer"] = {"Image": "image", "ModelDataSource": {"S3DataSource": {"S3Uri": "s3://bucket/model/"}}}
    other = {**model, "ModelName": "Model-2", "PrimaryContainer": {"Image": "image"}}
    failed = endpoint("Failed", name="Broken", variants=[], containers=[])
    configs = config_facts([(HERE, config())], {}, [failed])
    facts = model_facts([(HERE, model), (HERE, other)], {}, configs, [failed, endpoint(config_name="gone")])
    assert [one.used_by for one in facts] == [("Broken", "Demo"), ()]
    assert [one.artifact for one in facts] == ["s3://bucket/model/", None]


def test_a_route_has_a_url_in_every_stage() -> None:
    api = {"apiId": "abc", "name": "demo", "tags": TAGS}
    routes = [{"routeKey": "POST /demo"}, {"routeKey": "$default"}]
    facts = route_facts("http://127.0.0.1:4566", HERE, api, routes, ["$default", "blue"])
    assert [(one.method, one.url.removeprefix("http://127.0.0.1:4566/_aws/execute-api/abc")) for one in facts] == [
        ("POST", "/demo"),
        ("ANY", "/"),
        ("POST", "/blue/demo"),
        ("ANY", "/blue/"),
    ]


def test_a_scalable_target_has_its_policies_its_schedule_and_what_it_did_last() -> None:
    scalable = {
        "ResourceId": "endpoint/demo/variant/AllTraffic",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    target = {**scalable, "MinCapacity": 1, "MaxCapacity": 3, "SuspendedState": {"DynamicScalingInSuspended": True}}
    tracking = {
        "TargetValue": 100.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    }
    policy = {**scalable, "PolicyName": "load", "TargetTrackingScalingPolicyConfiguration": tracking}
    action = {**scalable, "ScheduledActionName": "night", "Schedule": "cron(0 22 * * ? *)"}
    activities = [{**scalable, "Description": f"Setting to {count}.", "StatusCode": "Successful"} for count in (2, 3)]
    facts = target_facts(
        [(HERE, target), (THERE, target)], [(HERE, policy)], [(HERE, action)], [(HERE, one) for one in activities]
    )
    assert facts[0].rules == (
        "load: keeps SageMakerVariantInvocationsPerInstance at 100",
        "night: cron(0 22 * * ? *)",
    )
    assert facts[0].last == "Setting to 3. Successful"
    assert facts[0].suspended == ("DynamicScalingIn",)
    assert (facts[0].endpoint, facts[0].variant, facts[0].dimension) == ("demo", "AllTraffic", "DesiredInstanceCount")
    assert facts[1].rules == ()


@pytest.mark.parametrize(
    ("fault", "where", "left", "note"),
    [
        ({"kind": "throttle"}, "everything", "until it is removed", ""),
        ({"kind": "drop", "operation": "CreateModel", "nth": 2}, "CreateModel", "1 more", ""),
        ({"kind": "stuck", "seconds": 3, "resource": "modelhost-qa"}, "modelhost-qa…", "1 more", "seconds 3"),
        (
            {"kind": "error", "service": "s3", "code": "AccessDenied", "times": 2, "after_work": True},
            "s3",
            "2 more",
            "code AccessDenied, status 403, after the work",
        ),
    ],
)
def test_a_fault_is_told_in_words(fault: dict[str, Any], where: str, left: str, note: str) -> None:
    book = FaultBook()
    book.add(parse_fault(fault))
    facts = fault_facts(book.active()[0])
    assert (facts.where, facts.left, facts.note) == (where, left, note)
    assert "struck 0 of 0" in facts.so_far


def test_a_call_names_its_caller_as_short_as_can_be() -> None:
    call = {
        "n": 1,
        "time": "2026-11-23T10:00:00.500+00:00",
        "service": "s3",
        "operation": "PutObject",
        "access": "write",
        "status": 200,
        "error": None,
        "access_key": "000000000000",
        "ms": 1.0,
    }
    assert call_facts(call).who == "000000000000"
    assert call_facts({**call, "caller": "arn:aws:iam::000000000000:user/deployer"}).who == "user/deployer"
    assert call_facts({**call, "access_key": None}).who == "–"
    assert call_facts(call).time == 1795428000.5


def test_the_end_of_a_log_is_whole_lines_without_what_is_meant_for_a_terminal(tmp_path: Path) -> None:
    log = tmp_path / "container.log"
    log.write_bytes(b"one\r\n\x1b[31mtwo\x1b[0m\x07\nthr\xffee\nlast, unfinished")
    tail = tail_of(log, "Log", 3)
    assert tail.lines == ("two", "thr\N{REPLACEMENT CHARACTER}ee", "last, unfinished")
    assert not tail.whole
    assert tail_of(log, "Log", 4).whole


def test_of_a_long_log_only_the_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "cloud.log"
    log.write_bytes(b"".join(b"line %07d\n" % number for number in range(TAIL_BYTES // 10)))
    tail = tail_of(log, "Log", 1_000_000)
    assert not tail.whole
    assert tail.lines[-1] == f"line {TAIL_BYTES // 10 - 1:07d}"
    assert all(len(line) == len("line 0000000") for line in tail.lines)


def test_a_log_that_is_not_there_is_no_line(tmp_path: Path) -> None:
    assert tail_of(tmp_path / "none", "Log", 9).lines == ()


def test_the_memory_of_a_process_that_is_gone_is_not_known() -> None:
    assert (memory_of(os.getpid()) or 0) > 1 << 20
    assert memory_of(2**22 + 1) is None


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "/ping answers 503"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "/ping answers something else than HTTP"),
        (b"x" * 100_000, "/ping answers something else than HTTP"),
        (b"", "/ping answers something else than HTTP"),
        (None, "/ping does not answer"),
    ],
)
def test_a_container_that_is_not_healthy_is_asked_why(answer: bytes | None, words: str) -> None:
    async def ask() -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert (await reader.readline()).startswith(b"GET /ping ")
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            return await ping(server.sockets[0].getsockname()[1])

    assert asyncio.run(ask()) == words


def test_a_container_whose_port_is_still_closed_says_so() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        assert asyncio.run(ping(port)) == f"nothing listens on port {port} yet"
