# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written about the options, and what is handed on to AWS."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.modelhost.sagemaker.plugins.action import sagemaker_endpoint as action
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.arguments import argument_spec
from ansible_collections.modelhost.sagemaker.plugins.modules import sagemaker_endpoint


def documented(options: dict[str, Any]) -> dict[str, Any]:
    """The documentation as an argument spec."""
    spec: dict[str, Any] = {}
    for name, facts in options.items():
        spec[name] = {key: facts[key] for key in ("type", "required", "default", "choices", "elements") if key in facts}
        if "suboptions" in facts:
            spec[name]["options"] = documented(facts["suboptions"])
    return spec


def test_every_option_is_documented_as_it_is_taken() -> None:
    assert documented(yaml.safe_load(sagemaker_endpoint.DOCUMENTATION)["options"]) == argument_spec()


@pytest.mark.parametrize("text", [sagemaker_endpoint.EXAMPLES, sagemaker_endpoint.RETURN])
def test_examples_and_results_are_yaml(text: str) -> None:
    assert yaml.safe_load(text)


def test_a_look_uses_the_connection_of_the_task_and_nothing_else_of_it() -> None:
    arguments = {"name": "x", "aws_region": "r", "endpoint_url": "u", "secret_key": "s", "model": {}, "wait": True}
    assert action.connection_arguments(arguments) == {"aws_region": "r", "endpoint_url": "u", "secret_key": "s"}
