# SPDX-License-Identifier: GPL-3.0-or-later
"""How patient the modules' clients are with AWS."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils.botocore import boto3_conn
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws
from botocore import endpoint
from botocore.awsrequest import AWSResponse

ROOT = Path(__file__).parents[3]
KEYS = {"aws_access_key_id": "AKID", "aws_secret_access_key": "secret", "region": "eu-central-1"}


class Module:
    """As much of a module as makes clients, the way amazon.aws does."""

    def __init__(self, **more: Any) -> None:
        self._more = more

    def client(self, service: str, retry_decorator: Any = None, **options: Any) -> Any:
        return boto3_conn(self, "client", service, **KEYS, **self._more, **options)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Where the waits between tries are noted instead of being waited."""
    noted: list[float] = []
    monkeypatch.setattr(endpoint.time, "sleep", noted.append)
    for name in ("AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS"):
        monkeypatch.delenv(name, raising=False)
    return noted


def refusing(client: Any, status: int, body: bytes, headers: dict[str, str], times: float) -> Any:
    """Let every call of a client be answered with a refusal, a number of times, and then with nothing in particular."""
    tries = itertools.count()

    def answer(**_: Any) -> AWSResponse:
        refused = next(tries) < times
        raw = type("Raw", (), {"stream": lambda self, amt=None: iter([body if refused else b"{}"])})()
        return AWSResponse("https://aws", status if refused else 200, headers if refused else {}, raw)

    client.meta.events.register("before-send", answer)
    return client


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code"),
    [
        ("sagemaker", "list_models", {}, "ThrottlingException"),
        ("lambda", "list_functions", {}, "TooManyRequestsException"),
        ("apigatewayv2", "get_apis", {}, "TooManyRequestsException"),
        ("logs", "describe_log_groups", {}, "ThrottlingException"),
        ("ecr", "describe_repositories", {}, "ThrottlingException"),
    ],
)
def test_what_is_throttled_nine_times_is_tried_a_tenth_time(
    service: str, operation: str, parameters: dict[str, Any], code: str, waits: list[float]
) -> None:
    client = _aws.client(Module(), service)
    headers = {"x-amzn-ErrorType": code}
    refusing(client, 400, b'{"__type": "%s"}' % code.encode(), headers, times=9)
    getattr(client, operation)(**parameters)
    assert len(waits) == 9
    assert max(waits) <= 20


def test_a_tenth_refusal_is_final(waits: list[float]) -> None:
    client = _aws.client(Module(), "sagemaker")
    refusing(client, 400, b'{"__type": "ThrottlingException"}', {}, times=10)
    with pytest.raises(client.exceptions.ClientError, match="ThrottlingException"):
        client.list_models()


def test_what_is_wrong_is_not_tried_again(waits: list[float]) -> None:
    client = _aws.client(Module(), "sagemaker")
    refusing(client, 400, b'{"__type": "ValidationException"}', {}, times=1)
    with pytest.raises(client.exceptions.ClientError, match="ValidationException"):
        client.list_models()
    assert waits == []


def test_the_person_has_the_last_word(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Module(aws_config={"retries": {"mode": "standard", "total_max_attempts": 2}})
    assert _aws.client(asked, "sagemaker").meta.config.retries["total_max_attempts"] == 2
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    assert _aws.client(Module(), "sagemaker").meta.config.retries["total_max_attempts"] == 3


def test_every_module_takes_its_clients_from_here() -> None:
    makers = [
        path.name
        for path in (ROOT / "plugins").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("module.client", "self._module.client")
    ]
    assert makers == ["_aws.py"]


def test_the_playbooks_give_the_same_patience_to_modules_of_others() -> None:
    given = yaml.safe_load((ROOT / "roles/stage/vars/main.yml").read_text())["stage_aws_config"]
    assert str({"retries": dict(_aws.RETRIES)}) in given
    plays = [play for path in (ROOT / "playbooks").glob("*.yml") for play in yaml.safe_load(path.read_text())]
    defaults = [play["module_defaults"]["group/modelhost.sagemaker.aws"] for play in plays if "module_defaults" in play]
    assert defaults
    assert {each.get("aws_config") for each in defaults} == {"{{ stage_aws_config }}"}
