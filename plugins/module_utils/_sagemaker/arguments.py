# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of C(sagemaker_endpoint), for the module and for its tests."""

from __future__ import annotations

from typing import Any

from .guardrails import STRATEGIES
from .scaling import INSTANCE_METRICS, SERVERLESS_METRICS

POLL_INTERVAL = 15
WAIT_TIMEOUT = 1800


def argument_spec() -> dict[str, Any]:
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent", "rolled_back"], "default": "present"},
        "model": {"type": "dict", "options": _model(required=True)},
        "production_variants": {"type": "list", "elements": "dict", "options": _variant(autoscaling=True)},
        "shadow_production_variants": {"type": "list", "elements": "dict", "options": _variant(autoscaling=False)},
        "data_capture": {"type": "dict", "options": _data_capture()},
        "async_inference": {"type": "dict", "options": _async_inference()},
        "kms_key_id": {"type": "str"},
        "deployment": {"type": "dict", "options": _deployment()},
        "generation": {"type": "str", "default": ""},
        "keep_generations": {"type": "int", "default": 2},
        "replace": {"type": "bool", "default": False},
        "adopt": {"type": "bool", "default": False},
        "retry_failed": {"type": "bool", "default": False},
        "moved_from": {"type": "str"},
        "tags": {"type": "dict", "default": {}},
        "purge_tags": {"type": "bool", "default": False},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": WAIT_TIMEOUT},
        "poll_interval": {"type": "int", "default": POLL_INTERVAL},
    }


def _model(required: bool) -> dict[str, Any]:
    """The options of a model. One that a variant gives for itself need name only what differs."""
    return {
        "image": {"type": "str", **({"required": True} if required else {})},
        "execution_role_arn": {"type": "str", **({"required": True} if required else {})},
        "model_data_url": {"type": "str"},
        "environment": {"type": "dict", **({"default": {}} if required else {})},
        "vpc": {
            "type": "dict",
            "options": {
                "security_group_ids": {"type": "list", "elements": "str", "required": True},
                "subnets": {"type": "list", "elements": "str", "required": True},
            },
        },
        "enable_network_isolation": {"type": "bool", **({"default": False} if required else {})},
    }


def _variant(autoscaling: bool) -> dict[str, Any]:
    return {
        "variant_name": {"type": "str", "default": "AllTraffic"},
        "model": {"type": "dict", "options": _model(required=False)},
        "initial_variant_weight": {"type": "float", "default": 1.0},
        "serverless": {
            "type": "dict",
            "options": {
                "memory_size_mb": {"type": "int", "required": True},
                "max_concurrency": {"type": "int", "required": True},
                "provisioned_concurrency": {"type": "int"},
            },
        },
        "instance": {
            "type": "dict",
            "options": {
                "instance_type": {"type": "str", "required": True},
                "initial_instance_count": {"type": "int", "default": 1},
                "volume_size_in_gb": {"type": "int"},
                "model_data_download_timeout_in_seconds": {"type": "int"},
                "container_startup_health_check_timeout_in_seconds": {"type": "int"},
                "inference_ami_version": {"type": "str"},
                "enable_ssm_access": {"type": "bool"},
                "routing_strategy": {"type": "str", "choices": ["LEAST_OUTSTANDING_REQUESTS", "RANDOM"]},
                "managed_instance_scaling": {
                    "type": "dict",
                    "options": {"min_instance_count": {"type": "int"}, "max_instance_count": {"type": "int"}},
                },
            },
        },
        **({"autoscaling": {"type": "dict", "options": _autoscaling()}} if autoscaling else {}),
    }


def _autoscaling() -> dict[str, Any]:
    return {
        "min_capacity": {"type": "int", "required": True},
        "max_capacity": {"type": "int", "required": True},
        "target_value": {"type": "float", "required": True},
        "metric": {"type": "str", "choices": [*INSTANCE_METRICS, *SERVERLESS_METRICS]},
        "scale_in_cooldown": {"type": "int"},
        "scale_out_cooldown": {"type": "int"},
    }


def _data_capture() -> dict[str, Any]:
    return {
        "destination_s3_uri": {"type": "str", "required": True},
        "initial_sampling_percentage": {"type": "int", "default": 100},
        "capture_modes": {"type": "list", "elements": "str", "choices": ["Input", "Output"]},
        "kms_key_id": {"type": "str"},
        "csv_content_types": {"type": "list", "elements": "str"},
        "json_content_types": {"type": "list", "elements": "str"},
    }


def _async_inference() -> dict[str, Any]:
    return {
        "s3_output_path": {"type": "str", "required": True},
        "s3_failure_path": {"type": "str"},
        "kms_key_id": {"type": "str"},
        "success_topic": {"type": "str"},
        "error_topic": {"type": "str"},
        "max_concurrent_invocations_per_instance": {"type": "int"},
    }


def _deployment() -> dict[str, Any]:
    return {
        "strategy": {"type": "str", "choices": list(STRATEGIES), "default": "all_at_once"},
        "size": {"type": "int"},
        "size_type": {"type": "str", "choices": ["capacity_percent", "instance_count"], "default": "capacity_percent"},
        "wait_interval_in_seconds": {"type": "int", "default": 0},
        "termination_wait_in_seconds": {"type": "int"},
        "maximum_execution_timeout_in_seconds": {"type": "int"},
        "rollback_size": {"type": "int"},
        "alarms": {"type": "list", "elements": "str"},
    }
