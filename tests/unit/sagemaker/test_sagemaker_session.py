# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module's clients bear throttling."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils import cloud
from ansible_collections.amazon.aws.plugins.module_utils.retries import RetryingBotoClientWrapper
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.session import sagemaker_client
from sagemaker_simulator import SimulatedSageMaker, refusal
from sagemaker_wanted import serverless


class ModuleOnSimulation:
    """As much of a module as makes clients."""

    def __init__(self, sagemaker: SimulatedSageMaker) -> None:
        self.params: dict[str, Any] = {"poll_interval": 1}
        self._sagemaker = sagemaker

    def client(self, _service: str, retry_decorator: Any) -> RetryingBotoClientWrapper:
        return RetryingBotoClientWrapper(self._sagemaker, retry_decorator)


@pytest.mark.parametrize("code", ["ThrottlingException", "Throttling", "TooManyRequestsException"])
def test_a_throttled_call_is_made_again(
    sagemaker: SimulatedSageMaker, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(cloud.time, "sleep", sagemaker.sleep)
    sagemaker.refuse = [refusal("Rate exceeded", code), refusal("Rate exceeded", code)]
    wanted = serverless()
    sagemaker_client(ModuleOnSimulation(sagemaker)).create_model(wanted.model_name, wanted.model, ())
    assert wanted.model_name in sagemaker.models
    assert sagemaker.calls.count("create_model") == 3
