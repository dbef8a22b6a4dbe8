# SPDX-License-Identifier: GPL-3.0-or-later
"""The tagging API lists what was deleted for a while; what a service itself says is gone, is gone."""

from __future__ import annotations

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage.resources import LookUp, without_those_gone

GONE = [
    LookUp("endpoint", "modelhost-prod", ()),
    LookUp("model", "modelhost-prod-MODEL-*", ()),
    LookUp("repository", "modelhost-prod", ()),
    LookUp("log group", "/aws/lambda/modelhost-prod-demo", ()),
    LookUp("function", "modelhost-prod-demo", ()),
    LookUp("bucket", "modelhost-prod-123456789012-eu-central-1", ()),
]


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sagemaker:eu-central-1:123456789012:endpoint/modelhost-prod",
        "arn:aws:sagemaker:eu-central-1:123456789012:model/modelhost-prod-model-0123456789ab",
        "arn:aws:ecr:eu-central-1:123456789012:repository/modelhost-prod",
        "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/modelhost-prod-demo",
        "arn:aws:lambda:eu-central-1:123456789012:function:modelhost-prod-demo",
        "arn:aws:s3:::modelhost-prod-123456789012-eu-central-1",
    ],
)
def test_what_its_service_says_is_gone_does_not_count(arn: str) -> None:
    assert without_those_gone([arn], GONE) == ()


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sagemaker:eu-central-1:123456789012:endpoint/modelhost-prod-eu",
        "arn:aws:sqs:eu-central-1:123456789012:somebody-else",
        "arn:aws:s3:::modelhost-prod-123456789012-eu-central-1-copy",
    ],
)
def test_what_no_lookup_covers_is_left(arn: str) -> None:
    assert without_those_gone([arn], GONE) == (arn,)


def test_what_is_still_there_is_not_taken_for_gone() -> None:
    there = [LookUp("endpoint", "modelhost-prod", ("modelhost-prod",))]
    arn = "arn:aws:sagemaker:eu-central-1:123456789012:endpoint/modelhost-prod"
    assert without_those_gone([arn], there) == (arn,)
