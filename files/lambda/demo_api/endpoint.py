# SPDX-License-Identifier: GPL-3.0-or-later
"""The one call to AWS: InvokeEndpoint."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError

from demo_api.runtime_errors import answer_invalid, from_botocore, from_client_error
from demo_api.settings import Settings

# Seconds. A connection that turns out to be closed fails at once; a model that works on the request does not.
_STALE_CONNECTION = 1.0


class RuntimeClient(Protocol):
    """What is used of botocore's client for `sagemaker-runtime`."""

    def invoke_endpoint(self, *, EndpointName: str, ContentType: str, Accept: str, Body: bytes) -> dict[str, Any]:
        """Send one request to the endpoint; `Body` of what comes back has `read()`."""


class Endpoint:
    """A SageMaker endpoint that takes `{"inputs": [...]}` and answers `{"predictions": [...]}`."""

    def __init__(self, client: RuntimeClient, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._name = name
        self._clock = clock

    @classmethod
    def connect(cls, settings: Settings) -> Endpoint:
        """Make the client. botocore without boto3: the same client, and less to import in a cold start."""
        config = Config(
            connect_timeout=3,
            read_timeout=settings.read_timeout,
            # One attempt: trying a slow inference again doubles the load on a busy model and outlives the caller.
            retries={"total_max_attempts": 1},
            max_pool_connections=1,
        )
        client = botocore.session.get_session().create_client("sagemaker-runtime", config=config)
        return cls(client, settings.endpoint_name)

    def predict(self, inputs: list[str]) -> dict[str, Any]:
        """Return the endpoint's answer, with one prediction for each input. Raise `DemoError` where there is none."""
        body = json.dumps({"inputs": inputs}, ensure_ascii=False).encode("utf-8")
        started = self._clock()
        try:
            try:
                answer = self._invoke(body)
            except ConnectionClosedError:
                # Lambda freezes the function between requests, and a connection kept open may be gone when it thaws.
                if self._clock() - started > _STALE_CONNECTION:
                    raise
                answer = self._invoke(body)
        except ClientError as error:
            raise from_client_error(error.response) from None
        except BotoCoreError as error:
            raise from_botocore(error) from None
        return read_answer(answer, len(inputs))

    def _invoke(self, body: bytes) -> bytes:
        response = self._client.invoke_endpoint(
            EndpointName=self._name, ContentType="application/json", Accept="application/json", Body=body
        )
        answer: bytes = response["Body"].read()
        return answer


def read_answer(answer: bytes, expected: int) -> dict[str, Any]:
    """Check the endpoint's answer: a JSON object whose `predictions` is a list of `expected` items."""
    try:
        document = json.loads(answer, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise answer_invalid("not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("predictions"), list):
        raise answer_invalid("no list of predictions")
    if len(document["predictions"]) != expected:
        raise answer_invalid(f"{len(document['predictions'])} predictions for {expected} inputs")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
