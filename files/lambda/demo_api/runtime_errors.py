# SPDX-License-Identifier: GPL-3.0-or-later
"""From an error of the SageMaker runtime to what the caller is told. Pure.

The model's own words (`OriginalMessage`) are never passed on, and never logged: they may quote the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, HTTPClientError, IncompleteReadError, ReadTimeoutError
from botocore.exceptions import ConnectionError as BotoConnectionError

from demo_api.errors import DemoError

# Seconds. A busy model is free again soon; an endpoint that starts, or is not there yet, takes longer.
RETRY_WHEN_BUSY = 2
RETRY_WHEN_STARTING = 15
RETRY_WHEN_ABSENT = 60

_NOT_READY = "The model is not ready yet; try again shortly."
_BUSY = "The model is busy; try again shortly."
_UNAVAILABLE = "The model cannot be reached at the moment; try again shortly."
_TOO_SLOW = "The model took too long to answer; send fewer or shorter inputs."
_NOT_DEPLOYED = "The model is not deployed at the moment."
_TOO_LARGE = "The inputs are too large for the model; send fewer or shorter ones."
_FAILED = "The model failed to answer this request."
_MISCONFIGURED = "The API is not set up correctly; its operator has to look at the log."


def from_client_error(response: Mapping[str, Any]) -> DemoError:
    """Map a `ClientError`'s response: `{"Error": {"Code", "Message"}, "ResponseMetadata": {...}, ...}`.

    The codes are those of InvokeEndpoint in botocore's service model, and the ones that every AWS service may answer.
    """
    error = response.get("Error") or {}
    code = str(error.get("Code", ""))
    if code == "ModelError":
        return _from_model(response.get("OriginalStatusCode"))
    if code == "ModelNotReadyException":
        return DemoError(503, "ModelNotReady", _NOT_READY, retry_after=RETRY_WHEN_STARTING, detail=code)
    if code in ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"):
        return DemoError(429, "ModelBusy", _BUSY, retry_after=RETRY_WHEN_BUSY, detail=code)
    if code in ("ServiceUnavailable", "ServiceUnavailableException", "InternalFailure", "InternalDependencyException"):
        return DemoError(503, "ModelUnavailable", _UNAVAILABLE, retry_after=RETRY_WHEN_BUSY, detail=code)
    if code in ("ValidationError", "ValidationException") and "not found" in str(error.get("Message", "")).lower():
        # AWS's message names the endpoint and the account, which is none of the caller's business.
        return DemoError(503, "ModelNotDeployed", _NOT_DEPLOYED, retry_after=RETRY_WHEN_ABSENT, detail=code)
    if code in ("RequestEntityTooLarge", "RequestEntityTooLargeException", "413"):
        return _too_large(code)
    return DemoError(500, "Misconfigured", _MISCONFIGURED, detail=code or "an error without a code")


def from_botocore(error: BotoCoreError) -> DemoError:
    """Map an error that botocore raises itself, before or instead of an answer."""
    detail = type(error).__name__
    if isinstance(error, ReadTimeoutError):
        return DemoError(504, "ModelTimeout", _TOO_SLOW, detail=detail)
    if isinstance(error, (BotoConnectionError, HTTPClientError, IncompleteReadError)):
        return DemoError(503, "ModelUnavailable", _UNAVAILABLE, retry_after=RETRY_WHEN_BUSY, detail=detail)
    return DemoError(500, "Misconfigured", _MISCONFIGURED, detail=detail)


def answer_invalid(detail: str) -> DemoError:
    """Say that the endpoint answered, but not what was agreed."""
    return DemoError(502, "ModelAnswerInvalid", "The model gave an answer that cannot be used.", detail=detail)


def _from_model(status: object) -> DemoError:
    detail = f"ModelError, status {status}"
    if status == 413:
        return _too_large(detail)
    if status in (400, 422):
        return DemoError(400, "InputsRefused", "The model does not accept these inputs.", detail=detail)
    if status == 429:
        return DemoError(429, "ModelBusy", _BUSY, retry_after=RETRY_WHEN_BUSY, detail=detail)
    if status == 503:
        return DemoError(503, "ModelNotReady", _NOT_READY, retry_after=RETRY_WHEN_STARTING, detail=detail)
    if status in (408, 504):
        return DemoError(504, "ModelTimeout", _TOO_SLOW, detail=detail)
    # Any other 4xx is about how this function asked, so it is not the caller's mistake either.
    return DemoError(502, "ModelFailed", _FAILED, detail=detail)


def _too_large(detail: str) -> DemoError:
    return DemoError(413, "InputsTooLarge", _TOO_LARGE, detail=detail)
