# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SageMaker as a module's connection and credentials reach it."""

from __future__ import annotations

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws

from .client import SageMakerClient


def sagemaker_client(module: AnsibleAWSModule) -> SageMakerClient:
    interval = module.params.get("poll_interval") or 5
    return SageMakerClient(_aws.client(module, "sagemaker"), propagation_pause=min(5.0, float(interval)))
