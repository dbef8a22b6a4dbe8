# SPDX-License-Identifier: GPL-3.0-or-later
"""Specifications for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.spec import Wanted, wanted_from_options
from sagemaker_simulator import NAME


def options(
    image_digest: str = "a",
    environment: Mapping[str, Any] | None = None,
    variant: Mapping[str, Any] | None = None,
    **others: Any,
) -> dict[str, Any]:
    """The module's options; C(image_digest) is one hexadecimal digit, repeated."""
    return {
        "name": NAME,
        "model": {
            "image": f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/{NAME}@sha256:{image_digest * 64}",
            "execution_role_arn": "arn:aws:iam::123456789012:role/modelhost-prod",
            "environment": dict(environment or {}),
        },
        "production_variants": [
            {"variant_name": "AllTraffic"} | (dict(variant) if variant else {"serverless": serverless_sizes()})
        ],
        **others,
    }


def serverless_sizes(memory_size_mb: int = 4096, max_concurrency: int = 2) -> dict[str, int]:
    return {"memory_size_mb": memory_size_mb, "max_concurrency": max_concurrency}


def serverless(memory_size_mb: int = 4096, max_concurrency: int = 2, **others: Any) -> Wanted:
    sizes = serverless_sizes(memory_size_mb, max_concurrency)
    return wanted_from_options(options(variant={"serverless": sizes}, **others))


def instance(instance_type: str = "ml.m5.large", initial_instance_count: int = 1, **others: Any) -> Wanted:
    sizes = {"instance_type": instance_type, "initial_instance_count": initial_instance_count}
    return wanted_from_options(options(variant={"instance": sizes}, **others))
