# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking over an endpoint that somebody else made, and tags that go."""

from __future__ import annotations

import pytest
from sagemaker_simulator import NAME, SimulatedSageMaker, check, deploy
from sagemaker_wanted import serverless

THEIR_CONFIG = {
    "ProductionVariants": [
        {
            "VariantName": "theirs",
            "ModelName": "theirs",
            "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1},
        }
    ]
}


@pytest.fixture
def theirs(sagemaker: SimulatedSageMaker) -> SimulatedSageMaker:
    """An endpoint made by hand."""
    container = {"Image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/x:latest"}
    sagemaker._create_model(ModelName="theirs", Tags=[], PrimaryContainer=container)
    sagemaker._create_endpoint_config(EndpointConfigName="theirs", Tags=[], **THEIR_CONFIG)
    sagemaker._create_endpoint(EndpointName=NAME, EndpointConfigName="theirs", Tags=[])
    sagemaker.settle()
    return sagemaker


def test_without_consent_it_is_not_touched(theirs: SimulatedSageMaker) -> None:
    result = deploy(theirs, serverless())
    assert "adopt: true" in result["msg"]
    assert theirs.writing_calls == []


def test_with_consent_it_is_moved_and_never_away(theirs: SimulatedSageMaker) -> None:
    wanted = serverless(adopt=True)
    result = deploy(theirs, wanted)
    assert result["plan"][0] == f"take over Endpoint {NAME}, which was made by somebody else"
    assert theirs.live(NAME) == wanted.config_name
    assert "delete_endpoint" not in theirs.calls
    assert "theirs" in theirs.configs
    assert "theirs" in theirs.models
    assert deploy(theirs, serverless())["plan"] == []


def test_check_mode_foretells_a_take_over(theirs: SimulatedSageMaker) -> None:
    wanted = serverless(adopt=True)
    foretold = check(theirs, wanted)["plan"]
    assert theirs.writing_calls == []
    assert foretold == deploy(theirs, wanted)["plan"]


def test_consent_to_take_over_is_no_consent_to_interrupt(theirs: SimulatedSageMaker) -> None:
    theirs.configs["theirs"]["ProductionVariants"] = [
        {"VariantName": "theirs", "ModelName": "theirs", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    ]
    result = deploy(theirs, serverless(adopt=True))
    assert "replace: true" in result["msg"]
    assert theirs.writing_calls == []


def test_tags_are_removed_only_where_that_is_asked_for(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, serverless(tags={"team": "x", "old": "y"}))
    assert deploy(sagemaker, serverless(tags={"team": "x"}))["plan"] == []
    wanted = serverless(tags={"team": "x"}, purge_tags=True)
    result = deploy(sagemaker, wanted)
    assert result["plan"] == [f"tag Endpoint {NAME} and what it serves: without old"]
    assert all("old" not in tags for tags in sagemaker.tags_of.values())
    assert all("modelhost:endpoint" in tags for tags in sagemaker.tags_of.values())
    assert deploy(sagemaker, wanted)["plan"] == []
