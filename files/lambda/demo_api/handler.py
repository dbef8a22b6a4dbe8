# SPDX-License-Identifier: GPL-3.0-or-later
"""One request, from the event to the response, and the one line that is logged about it."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from demo_api.errors import DemoError
from demo_api.request import parse_inputs
from demo_api.response import refusal, success
from demo_api.settings import Settings


class Predictor(Protocol):
    """What answers the inputs: `endpoint.Endpoint`, or anything with its method."""

    def predict(self, inputs: list[str]) -> dict[str, Any]:
        """Return `{"predictions": [...]}`, one for each input; raise `DemoError` where there is no answer."""


Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


def make_handler(endpoint: Predictor, settings: Settings) -> Handler:
    """Return the function that Lambda calls with (event, context). It never raises."""

    def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        started = time.monotonic()
        inputs: list[str] = []
        failure: DemoError | None = None
        try:
            inputs = parse_inputs(
                event, max_inputs=settings.max_inputs, max_input_characters=settings.max_input_characters
            )
            response = success(endpoint.predict(inputs))
        except DemoError as error:
            failure = error
        except Exception as error:
            failure = _unforeseen(error)
        if failure is not None:
            response = refusal(failure)
        _log(context, response["statusCode"], failure, len(inputs), time.monotonic() - started)
        return response

    return handler


def _unforeseen(error: Exception) -> DemoError:
    # Where it happened and its type, but not its text: that may quote the request's body.
    places = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    detail = f"{type(error).__name__} at {' > '.join(places)}"
    return DemoError(500, "InternalError", "The request failed for a reason that is not yours.", detail=detail)


def _log(context: Any, status: int, failure: DemoError | None, inputs: int, seconds: float) -> None:
    line: dict[str, Any] = {
        "request_id": getattr(context, "aws_request_id", None),
        "status": status,
        "inputs": inputs,
        "milliseconds": round(seconds * 1000, 1),
    }
    if failure is not None:
        line |= {"code": failure.code, "detail": failure.detail}
    print(json.dumps(line), flush=True)
