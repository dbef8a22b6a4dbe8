# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted of an endpoint in these tests, as options of the module."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from local_cloud_admin import tell
from local_cloud_process import LocalCloud

#: `make test-reliability` runs everything; an ordinary run takes a sample of what would take long.
EVERYTHING = os.environ.get("RELIABILITY") == "full"

SCALING = {"min_capacity": 1, "max_capacity": 2, "target_value": 70.0}


@dataclass(frozen=True)
class Stage:
    """An endpoint with a name of its own."""

    cloud: LocalCloud
    image: str
    role_arn: str
    name: str

    def wish(
        self,
        generation: str = "1",
        *,
        instance_type: str = "ml.m5.large",
        autoscaling: bool = True,
        environment: dict[str, str] | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Instances that are scaled, and a generation that tells its name with each answer."""
        variant: dict[str, Any] = {"instance": {"instance_type": instance_type}}
        if autoscaling:
            variant["autoscaling"] = SCALING
        return {
            "name": self.name,
            "model": {
                "image": self.image,
                "execution_role_arn": self.role_arn,
                "environment": {"GENERATION": generation, **(environment or {})},
            },
            "production_variants": [variant],
            "tags": {"modelhost:stage": self.name},
            "keep_generations": 1,
            "poll_interval": 1,
            **options,
        }

    def rollback(self, to: str = "") -> dict[str, Any]:
        variants = [{"instance": {"instance_type": "ml.m5.large"}, "autoscaling": SCALING}]
        return {"name": self.name, "state": "rolled_back", "generation": to, "production_variants": variants}

    def absence(self) -> dict[str, Any]:
        return {"name": self.name, "state": "absent"}

    def answer(self) -> str:
        """The generation that answers a request."""
        answer = self.cloud.client("sagemaker-runtime").invoke_endpoint(EndpointName=self.name, Body=b"{}")
        return str(json.loads(answer["Body"].read())["generation"])

    def arm(self, kind: str, **more: Any) -> None:
        """Arm a fault of the cloud for this endpoint and what it is made of."""
        tell(self.cloud, "POST", "faults", {"kind": kind, "resource": self.name, **more})

    def disarm(self) -> list[dict[str, Any]]:
        """Take back all faults, and return them as they were."""
        armed: list[dict[str, Any]] = tell(self.cloud, "GET", "faults")["faults"]
        tell(self.cloud, "DELETE", "faults")
        return armed
