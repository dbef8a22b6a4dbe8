# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs a model: a graph on onnxruntime, or weights on transformers and torch."""

from __future__ import annotations

from serving.errors import ModelLoadError
from serving.hub import locate_model
from serving.runtimes.base import Runtime
from serving.settings import Settings

__all__ = ["Runtime", "load"]


def load(settings: Settings) -> Runtime:
    """Load the model of these settings on the runtime its files call for: a graph on onnxruntime, else transformers.

    Each runtime imports its packages when it is chosen, so that an image without torch serves a graph.

    Raises:
        ModelLoadError: no model, an unfit model, or a package that this image does not hold.
    """
    directory = locate_model(settings)
    if directory.graph is not None:
        from serving.runtimes.compiled import CompiledRuntime

        return CompiledRuntime(directory, settings)
    if not directory.has_weights:
        raise ModelLoadError(
            f"The model directory {directory.path} has neither a graph (model.onnx) nor safetensors weights: "
            f"{directory.holding()}. Pickled weights are not loaded, because they can run code."
        )
    try:
        from serving.runtimes.transformers import TransformersRuntime
    except ModuleNotFoundError as error:
        raise ModelLoadError(
            f"{directory.path} holds weights and no graph, and this image was built without {error.name}. "
            "Export the model to model.onnx, or build the image with RUNTIME=transformers."
        ) from None
    return TransformersRuntime(directory, settings)
