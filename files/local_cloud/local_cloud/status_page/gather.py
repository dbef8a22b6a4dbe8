# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a page needs from the parts of a running cloud. It changes nothing and decides little."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..autoscaling import activities
from ..autoscaling.records import POLICIES, SCHEDULED, TARGETS
from ..aws.caller import Caller
from ..sagemaker import endpoint_configs, models, tags
from ..sagemaker.arns import arn_of
from ..sagemaker.overview import EndpointOverview
from ..sagemaker.runtime.latest import REMEMBERED
from ..settings import DEFAULT_ACCOUNT, DEFAULT_REGION
from . import paths
from .from_services import (
    call_facts,
    config_facts,
    endpoint_facts,
    fault_facts,
    model_facts,
    request_facts,
    target_facts,
)
from .http_apis import every_route
from .machine import memory_of, ping, tail_of
from .page_data import (
    CallFacts,
    CloudFacts,
    ConfigFacts,
    EndpointDetail,
    EndpointFacts,
    LogTail,
    ModelFacts,
    OlderLog,
    Overview,
    RequestFacts,
    ScalableTargetFacts,
    Tags,
)

if TYPE_CHECKING:
    from ..cloud import Cloud

LISTED = 12
LISTED_OF_ONE = 20
CALLS_A_PAGE = 200
SEARCHED_CALLS, SEARCHED_CALLS_OF_ONE = 20_000, 4_000
CONTAINER_LOGS = 4
LOG_LINES, WHOLE_LOG_LINES = 40, 2000
# So many containers that are not healthy are asked why; more of them would only say the same.
ASKED = 8

_AT_A_TIME = 200

_ENDPOINT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_CONTAINER_ID = re.compile(r"i-[0-9a-f]{1,32}")


def cloud_facts(cloud: Cloud) -> CloudFacts:
    """The cloud itself."""
    settings = cloud.settings
    return CloudFacts(
        url=settings.endpoint_url,
        caller=Caller(DEFAULT_ACCOUNT, DEFAULT_REGION),
        home=str(settings.home),
        pid=os.getpid(),
        started=cloud.started,
        memory=memory_of(os.getpid()),
        docker_host=settings.docker_host,
        startup_timeout=settings.startup_timeout,
        time_scale=settings.time_scale,
        provisioning_seconds=settings.provisioning_seconds,
        enforce_iam=settings.enforce_iam,
        stages=tuple(sorted(path.name for path in settings.stages_dir.iterdir())),
        zone=datetime.now().astimezone().tzinfo or UTC,
    )


async def overview(cloud: Cloud) -> Overview:
    """The front page."""
    found = cloud.endpoints.overview()
    configs, made = await configs_and_models(cloud, found)
    return Overview(
        now=time.time(),
        facts=cloud_facts(cloud),
        endpoints=await endpoints(cloud, found),
        configs=configs,
        models=made,
        routes=every_route(cloud.settings.endpoint_url),
        targets=targets(cloud),
        faults=tuple(fault_facts(fault) for fault in cloud.faults.active()),
        requests=requests(cloud, LISTED),
        calls=tuple(call_facts(call) for call in reversed(cloud.calls.latest(LISTED))),
        log=cloud_log(cloud, LOG_LINES),
    )


async def endpoint_detail(cloud: Cloud, caller: Caller, name: str) -> EndpointDetail | None:
    """The page of one endpoint, or None where there is none of this name."""
    found = [endpoint for endpoint in cloud.endpoints.overview(caller) if endpoint.name == name]
    if not found:
        return None
    endpoint = (await endpoints(cloud, found))[0]
    recent = [call for call in cloud.calls.latest(SEARCHED_CALLS_OF_ONE) if call.get("resource") == name]
    writes = [call for call in reversed(recent) if call["access"] == "write"]
    logs, older = container_logs(cloud, endpoint)
    return EndpointDetail(
        now=time.time(),
        facts=cloud_facts(cloud),
        endpoint=endpoint,
        targets=tuple(target for target in targets(cloud, caller) if target.endpoint == name),
        faults=tuple(fault_facts(fault) for fault in cloud.faults.active() if _may_strike(fault, caller, name)),
        requests=requests(cloud, LISTED_OF_ONE, caller, name),
        calls=tuple(call_facts(call) for call in writes[:LISTED_OF_ONE]),
        logs=logs,
        older_logs=older,
    )


async def endpoints(cloud: Cloud, found: list[EndpointOverview]) -> tuple[EndpointFacts, ...]:
    """Endpoints, with what the machine says about their containers."""
    containers = [container for endpoint in found for container in endpoint.containers]
    pids = [container.pid for container in containers if container.pid]
    memory = {pid: size for pid in pids if (size := memory_of(pid)) is not None}
    silent = list(islice((c for c in containers if not c.healthy and not c.leaving and c.port), ASKED))
    answers = await asyncio.gather(*(ping(container.port) for container in silent))
    pings = {container.container_id: answer for container, answer in zip(silent, answers, strict=True)}
    facts = []
    for number, endpoint in enumerate(found):
        if number % _AT_A_TIME == 0:
            await _let_others_in()
        caller = Caller(endpoint.account, endpoint.region)
        its_tags = cloud.store.get(tags.KIND, caller, arn_of("endpoint", caller, endpoint.name).lower()) or {}
        facts.append(endpoint_facts(endpoint, its_tags, memory, pings))
    return tuple(facts)


async def configs_and_models(
    cloud: Cloud, found: Iterable[EndpointOverview]
) -> tuple[tuple[ConfigFacts, ...], tuple[ModelFacts, ...]]:
    """Every endpoint config and every Model, with who uses them."""
    await _let_others_in()
    config_documents = list(cloud.store.everywhere(endpoint_configs.KIND))
    await _let_others_in()
    model_documents = list(cloud.store.everywhere(models.KIND))
    known: dict[str, Tags] = {}
    for key, documents in (("EndpointConfigArn", config_documents), ("ModelArn", model_documents)):
        for number, (caller, document) in enumerate(documents):
            if number % _AT_A_TIME == 0:
                await _let_others_in()
            arn = document[key].lower()
            known[arn] = cloud.store.get(tags.KIND, caller, arn) or {}
    found = list(found)
    configs = config_facts(config_documents, known, found)
    return configs, model_facts(model_documents, known, configs, found)


def targets(cloud: Cloud, caller: Caller | None = None) -> tuple[ScalableTargetFacts, ...]:
    """Scalable targets of every account, or of one."""
    store = cloud.store
    facts = target_facts(
        store.everywhere(TARGETS),
        store.everywhere(POLICIES),
        store.everywhere(SCHEDULED),
        store.everywhere(activities.KIND),
    )
    return tuple(target for target in facts if caller in (None, target.caller))


def requests(
    cloud: Cloud, count: int, caller: Caller | None = None, name: str | None = None
) -> tuple[RequestFacts, ...]:
    """The latest requests, newest first, of every endpoint or of one."""
    facts = (request_facts(request) for request in cloud.runtime.latest(REMEMBERED))
    wanted = (request for request in facts if name is None or (request.endpoint, request.caller) == (name, caller))
    return tuple(islice(wanted, count))


def calls(cloud: Cloud, show: str, find: str, before: int | None) -> tuple[tuple[CallFacts, ...], int | None]:
    """One page of calls, newest first, and the number to go on before where there are more."""
    chosen: list[CallFacts] = []
    for call in reversed(cloud.calls.latest(SEARCHED_CALLS)):
        if (before is None or call["n"] < before) and _is_wanted(call, show, find.lower()):
            if len(chosen) == CALLS_A_PAGE:
                return tuple(chosen), chosen[-1].n
            chosen.append(call_facts(call))
    return tuple(chosen), None


def cloud_log(cloud: Cloud, lines: int = WHOLE_LOG_LINES) -> LogTail:
    """The end of the cloud's own log."""
    return tail_of(cloud.settings.log_file, "The cloud's own log", lines)


def container_log(cloud: Cloud, name: str, container_id: str) -> LogTail | None:
    """The end of a container's log, or None where there is no such log. It outlives the container."""
    if not _ENDPOINT_NAME.fullmatch(name) or not _CONTAINER_ID.fullmatch(container_id):
        return None
    path = cloud.settings.endpoints_dir / name / container_id / "container.log"
    return tail_of(path, f"Log of {container_id}", WHOLE_LOG_LINES) if path.is_file() else None


def container_logs(cloud: Cloud, endpoint: EndpointFacts) -> tuple[tuple[LogTail, ...], tuple[OlderLog, ...]]:
    """The ends of the latest containers' logs, those that run first, and the names of the others."""
    running = {container.container_id for container in endpoint.containers}
    written: dict[str, tuple[Path, float]] = {}
    for path in (cloud.settings.endpoints_dir / endpoint.name).glob("i-*/container.log"):
        with contextlib.suppress(FileNotFoundError):  # the oldest are removed as new ones come
            written[path.parent.name] = (path, path.stat().st_mtime)
    order = sorted(written, key=lambda container_id: (container_id not in running, -written[container_id][1]))
    shown = [
        tail_of(
            written[container_id][0],
            f"Log of {container_id}" + ("" if container_id in running else ", which is gone"),
            LOG_LINES,
            paths.container_log(endpoint.caller, endpoint.name, container_id),
        )
        for container_id in order[:CONTAINER_LOGS]
    ]
    older = (OlderLog(container_id, written[container_id][1]) for container_id in order[CONTAINER_LOGS:])
    return tuple(shown), tuple(older)


async def _let_others_in() -> None:
    """Requests come before pages: with thousands of models, a page is a tenth of a second of work for one thread."""
    await asyncio.sleep(0)


def _may_strike(fault: dict[str, Any], caller: Caller, name: str) -> bool:
    return (
        name.startswith(fault.get("resource", ""))
        and fault.get("account", caller.account) == caller.account
        and fault.get("region", caller.region) == caller.region
    )


def _is_wanted(call: dict[str, Any], show: str, find: str) -> bool:
    if show == "writes" and call["access"] != "write":
        return False
    if show == "data" and call["access"] != "data":
        return False
    if show == "errors" and not (call["error"] or call["status"] == 0):
        return False
    return find in f"{call['service']} {call['operation']} {call.get('resource') or ''}".lower()
