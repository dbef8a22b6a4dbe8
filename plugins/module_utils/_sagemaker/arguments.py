# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of C(sagemaker_endpoint), for the module and for its tests."""

from __future__ import annotations

from typing import Any

POLL_INTERVAL = 15
WAIT_TIMEOUT = 1800


def argument_spec() -> dict[str, Any]:
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "model": {
            "type": "dict",
            "options": {
                "image": {"type": "str", "required": True},
                "execution_role_arn": {"type": "str", "required": True},
                "model_data_url": {"type": "str"},
                "environment": {"type": "dict", "default": {}},
            },
        },
        "production_variants": {
            "type": "list",
            "elements": "dict",
            "options": {
                "variant_name": {"type": "str", "default": "AllTraffic"},
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
                    },
                },
            },
        },
        "keep_generations": {"type": "int", "default": 2},
        "replace": {"type": "bool", "default": False},
        "retry_failed": {"type": "bool", "default": False},
        "tags": {"type": "dict", "default": {}},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": WAIT_TIMEOUT},
        "poll_interval": {"type": "int", "default": POLL_INTERVAL},
    }
