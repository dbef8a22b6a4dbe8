# SPDX-License-Identifier: GPL-3.0-or-later
"""SageMaker's refusals, told apart by what they say."""

from __future__ import annotations

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.errors import (
    AlreadyExists,
    Busy,
    NotFound,
    NotPropagated,
    SageMakerError,
    translated,
)
from botocore.exceptions import EndpointConnectionError
from sagemaker_simulator import SimulatedSageMaker, deploy, refusal
from sagemaker_wanted import serverless

ARN = "arn:aws:sagemaker:eu-central-1:123456789012:endpoint/x"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (f'Could not find endpoint "{ARN}".', NotFound),
        (f'Could not find endpoint configuration "{ARN}".', NotFound),
        (f'Cannot create already existing endpoint "{ARN}".', AlreadyExists),
        (f'Cannot update in-progress endpoint "{ARN}".', Busy),
        ("Could not assume role arn:aws:iam::1:role/x. Please ensure that the role exists", NotPropagated),
        ("The role 'x' does not have BatchGetImage permission for the image: 'y'", NotPropagated),
        ("Could not access model data at s3://x/y.", NotPropagated),
        ("1 validation error detected: Value at 'x' failed to satisfy constraint", SageMakerError),
        ("Updating from serverless to instances is not supported.", SageMakerError),
    ],
)
def test_a_validation_exception_is_told_by_its_message(said: str, kind: type[Exception]) -> None:
    assert type(translated(refusal(said), "do it")) is kind


@pytest.mark.parametrize("code", ["ResourceInUse", "ConflictException"])
def test_what_is_in_use_is_busy(code: str) -> None:
    assert type(translated(refusal("in use", code), "do it")) is Busy


def test_a_used_up_quota_says_what_can_be_done() -> None:
    error = translated(refusal("The account-level service limit is 0", "ResourceLimitExceeded"), "create Endpoint x")
    assert str(error.message).startswith("Could not create Endpoint x: a quota of this account is used up")


def test_a_missing_right_keeps_what_aws_says() -> None:
    error = translated(refusal("not authorized to perform: sagemaker:AddTags", "AccessDeniedException"), "tag x")
    assert "may not" in str(error.message)
    assert "sagemaker:AddTags" in str(error.message)


def test_a_broken_connection_is_a_sentence() -> None:
    error = translated(EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "describe Endpoint x")
    assert str(error.message).startswith("Could not describe Endpoint x: Could not connect")


def test_what_stays_invisible_ends_with_what_aws_says(sagemaker: SimulatedSageMaker) -> None:
    sagemaker.refuse = [refusal("Could not assume role x.") for _ in range(50)]
    with pytest.raises(SageMakerError, match=r"Could not assume role x.*still so after 90 seconds"):
        deploy(sagemaker, serverless())
