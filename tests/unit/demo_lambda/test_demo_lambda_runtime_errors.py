# SPDX-License-Identifier: GPL-3.0-or-later
"""What a caller is told about each way in which the endpoint can fail."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ReadTimeoutError,
)
from demo_api.runtime_errors import from_botocore, from_client_error

SECRET = "the caller wrote: my password is hunter2"


def client_error(code: str, message: str = SECRET, **more: object) -> dict[str, object]:
    return {"Error": {"Code": code, "Message": message}, **more}


@pytest.mark.parametrize(
    ("response", "status", "code", "retries"),
    [
        (client_error("ModelNotReadyException"), 503, "ModelNotReady", True),
        (client_error("ThrottlingException"), 429, "ModelBusy", True),
        (client_error("TooManyRequestsException"), 429, "ModelBusy", True),
        (client_error("ServiceUnavailable"), 503, "ModelUnavailable", True),
        (client_error("InternalFailure"), 503, "ModelUnavailable", True),
        (client_error("InternalDependencyException"), 503, "ModelUnavailable", True),
        (
            client_error("ValidationError", "Endpoint demo of account 123456789012 not found."),
            503,
            "ModelNotDeployed",
            True,
        ),
        (client_error("ValidationError", "1 validation error detected"), 500, "Misconfigured", False),
        (client_error("AccessDeniedException"), 500, "Misconfigured", False),
        (client_error("ExpiredTokenException"), 500, "Misconfigured", False),
        ({}, 500, "Misconfigured", False),
    ],
)
def test_an_error_of_the_service(response: dict[str, object], status: int, code: str, retries: bool) -> None:
    error = from_client_error(response)
    assert (error.status, error.code, error.retry_after is not None) == (status, code, retries)


@pytest.mark.parametrize(
    ("original", "status", "code", "retries"),
    [
        (400, 400, "InputsRefused", False),
        (422, 400, "InputsRefused", False),
        (413, 413, "InputsTooLarge", False),
        (429, 429, "ModelBusy", True),
        (503, 503, "ModelNotReady", True),
        (408, 504, "ModelTimeout", False),
        (504, 504, "ModelTimeout", False),
        (404, 502, "ModelFailed", False),
        (415, 502, "ModelFailed", False),
        (500, 502, "ModelFailed", False),
        (None, 502, "ModelFailed", False),
    ],
)
def test_an_error_of_the_model_by_its_own_status(original: int | None, status: int, code: str, retries: bool) -> None:
    error = from_client_error(client_error("ModelError", OriginalStatusCode=original, OriginalMessage=SECRET))
    assert (error.status, error.code, error.retry_after is not None) == (status, code, retries)


@pytest.mark.parametrize(
    ("raised", "status", "code", "retries"),
    [
        (ReadTimeoutError(endpoint_url="https://x"), 504, "ModelTimeout", False),
        (ConnectTimeoutError(endpoint_url="https://x"), 503, "ModelUnavailable", True),
        (EndpointConnectionError(endpoint_url="https://x"), 503, "ModelUnavailable", True),
        (ConnectionClosedError(endpoint_url="https://x"), 503, "ModelUnavailable", True),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), 503, "ModelUnavailable", True),
        (NoCredentialsError(), 500, "Misconfigured", False),
    ],
)
def test_an_error_on_the_way_to_the_service(raised, status: int, code: str, retries: bool) -> None:
    error = from_botocore(raised)
    assert (error.status, error.code, error.retry_after is not None) == (status, code, retries)


@pytest.mark.parametrize("code", ["ModelError", "ValidationError", "AccessDeniedException", "ThrottlingException"])
def test_neither_the_caller_nor_the_log_reads_what_the_model_or_the_service_said(code: str) -> None:
    error = from_client_error(client_error(code, OriginalStatusCode=400, OriginalMessage=SECRET))
    assert "hunter2" not in f"{error} {error.sentence} {error.detail}"
