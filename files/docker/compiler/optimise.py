# SPDX-License-Identifier: GPL-3.0-or-later
"""onnxruntime's own optimisations, done once here instead of at every start of the server."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
import onnxruntime

from compiler.graph import drop_unused_domains

# Measured on a processor with AVX-512, onnxruntime 1.32, 32x64 tokens of DistilBERT-base, one thread:
# SkipLayerNormalization takes 6.2 ms where Add and LayerNormalization take 0.8, and BiasGelu 5.5 where Gelu takes 2.1.
_SLOWER_WHEN_FUSED = ["SkipLayerNormFusion", "BiasGeluFusion"]


def optimise(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants, drop dead nodes and fuse, up to the level that is the same on every kind of processor."""
    with tempfile.TemporaryDirectory() as work:
        before, after = Path(work, "before.onnx"), Path(work, "after.onnx")
        onnx.save(model, str(before), save_as_external_data=True, location="before.data")
        options = session_options(1)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(after)
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "after.data")
        onnxruntime.InferenceSession(
            str(before), options, providers=["CPUExecutionProvider"], disabled_optimizers=_SLOWER_WHEN_FUSED
        )
        optimised = onnx.load(str(after))
    drop_unused_domains(optimised)
    return optimised


def session(model: onnx.ModelProto, threads: int) -> onnxruntime.InferenceSession:
    """Load a graph that is optimised already, as the server does."""
    options = session_options(threads)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    providers = ["CPUExecutionProvider"]
    # A message of protobuf ends at 2 GB; tensors beside it do not.
    if tensor_bytes(model) < 2**30:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)  # onnx.save takes the tensors out of what it saves
    with tempfile.TemporaryDirectory() as work:
        path = Path(work, "model.onnx")
        onnx.save(copy, str(path), save_as_external_data=True, location="model.data")
        return onnxruntime.InferenceSession(str(path), options, providers=providers)


def tensor_bytes(model: onnx.ModelProto) -> int:
    """How many bytes the constants of a graph take."""
    return sum(len(tensor.raw_data) for tensor in model.graph.initializer)


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Options for a session that says nothing but errors."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return options
