# SPDX-License-Identifier: GPL-3.0-or-later
"""botocore's own service models, loaded once and without the parts nobody here reads."""

from __future__ import annotations

import gc
import gzip
import json
from pathlib import Path
from typing import Any

import botocore
from botocore.model import OperationModel, ServiceModel

_UNREAD = frozenset({"documentation", "examples", "endpoints"})


class Api:
    """A service as botocore describes it: the operations we serve, and the names of all the others."""

    def __init__(self, model: ServiceModel, all_operations: frozenset[str]) -> None:
        self.model = model
        self.all_operations = all_operations

    def operation(self, name: str) -> OperationModel:
        return self.model.operation_model(name)


def load_api(service: str, operations: frozenset[str]) -> Api:
    """Load `service` (botocore's directory name), keeping only `operations` and the shapes they reach.

    SageMaker's whole model takes 30 MB of memory as Python objects; what we serve of it takes 1 MB.
    """
    description = read_description(service)
    all_operations = frozenset(description["operations"])
    kept = {name: description["operations"][name] for name in operations}
    shapes: dict[str, Any] = {}
    pending = [reference for operation in kept.values() for reference in _references(operation)]
    while pending:
        name = pending.pop()
        if name not in shapes:
            shapes[name] = description["shapes"][name]
            pending.extend(_references(shapes[name]))
    pruned = {"metadata": description["metadata"], "operations": kept, "shapes": shapes}
    del description
    gc.collect()
    return Api(ServiceModel(pruned, service), all_operations)


def read_description(service: str) -> dict[str, Any]:
    """The newest service-2 description of `service`, without its documentation."""
    versions = Path(botocore.__file__).parent / "data" / service
    directory = max(path for path in versions.iterdir() if path.is_dir())
    packed = directory / "service-2.json.gz"
    raw = gzip.decompress(packed.read_bytes()) if packed.exists() else (directory / "service-2.json").read_bytes()
    description: dict[str, Any] = json.loads(raw, object_hook=_without_unread)
    return description


def _without_unread(node: dict[str, Any]) -> dict[str, Any]:
    # A structure may have a member called "documentation"; a member is an object, the text we drop is a string.
    return {key: value for key, value in node.items() if key not in _UNREAD or isinstance(value, dict)}


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in _references(item)]
    if not isinstance(node, dict):
        return []
    names = [node["shape"]] if isinstance(node.get("shape"), str) else []
    return names + [name for value in node.values() for name in _references(value)]
