# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what a describe and a list page take on a local cloud with few objects and with many.

    .venv/bin/python tests/conformance/measure_scale.py [few] [many]

Prints, for each call, the median and the quartiles in milliseconds at both sizes, and the ratio of the medians.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "integration" / "local_cloud"))
sys.path.insert(0, str(Path(__file__).parent))

from conformance_target import Target, serverless
from local_cloud_process import LocalCloud, free_port
from local_cloud_workbench import furnish

ROUNDS = 200
KINDS = {"model": "Model", "endpoint_config": "EndpointConfig"}


def fill(target: Target, count: int) -> None:
    for number in range(count):
        name, tags = f"demo-{number:05}", [{"Key": "modelhost:stage", "Value": "local"}]
        target.create_model(name, Tags=tags)
        target.create_config(name, serverless(name), Tags=tags)


def calls(target: Target, count: int) -> dict[str, Callable[[], Any]]:
    """What is measured, by its name."""
    middle, found = f"demo-{count // 2:05}", {}
    for kind, noun in KINDS.items():
        describe = getattr(target.sagemaker, f"describe_{kind}")
        listing = getattr(target.sagemaker, f"list_{kind}s")
        token = None
        for _ in range(max(1, count // 20)):  # to the middle, ten by ten
            token = listing(**({"NextToken": token} if token else {})).get("NextToken") or token
        found |= {
            f"Describe{noun}": lambda call=describe, noun=noun: call(**{f"{noun}Name": middle}),
            f"List{noun}s, first page": lambda call=listing: call(),
            f"List{noun}s, middle page": lambda call=listing, t=token: call(**({"NextToken": t} if t else {})),
            f"List{noun}s, NameContains one": lambda call=listing: call(NameContains=middle),
            f"List{noun}s, NameContains none": lambda call=listing: call(NameContains="nothing"),
        }
    arn = target.sagemaker.describe_model(ModelName=middle)["ModelArn"]
    found["ListTags"] = lambda: target.sagemaker.list_tags(ResourceArn=arn)
    return found


def measure(counts: list[int]) -> list[dict[str, list[float]]]:
    """Milliseconds of every call, for each number of Models and as many configurations.

    The clouds run side by side and are called in turn, so that what else the machine does meets all alike.
    """
    with tempfile.TemporaryDirectory() as directory:
        clouds = [
            LocalCloud(Path(directory) / f"home-{count}", Path(directory) / f"venvs-{count}", free_port())
            for count in counts
        ]
        taken: list[dict[str, list[float]]] = [{} for _ in counts]
        try:
            wanted = []
            for cloud, count in zip(clouds, counts, strict=True):
                cloud.start()
                workbench = furnish(cloud)
                target = Target(cloud.url, workbench.image, workbench.role_arn, workbench.artifact)
                fill(target, count)
                wanted.append(calls(target, count))
            for _ in range(ROUNDS):
                for name in wanted[0]:
                    for times, named in zip(taken, wanted, strict=True):
                        begun = time.perf_counter()
                        named[name]()
                        times.setdefault(name, []).append((time.perf_counter() - begun) * 1000)
        finally:
            for cloud in clouds:
                cloud.stop()
        return taken


def shown(times: list[float]) -> str:
    low, middle, high = statistics.quantiles(times, n=4)
    return f"{middle:5.2f} ({low:.2f}–{high:.2f})"


def main() -> None:
    few, many = (int(argument) for argument in (sys.argv[1:] or ["10", "3000"]))
    before, after = measure([few, many])
    print(f"| call | ms at {few} | ms at {many} | ratio |\n|---|---|---|---|")
    for name, times in before.items():
        ratio = statistics.median(after[name]) / statistics.median(times)
        print(f"| {name} | {shown(times)} | {shown(after[name])} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
