# SPDX-License-Identifier: GPL-3.0-or-later
"""From float32 to int8: weights and embeddings once, activations by fixed ranges.

Fixed ranges, seen on calibration texts, and not the range of each batch (onnxruntime's quantize_dynamic): with those an
answer depends on the texts that happen to be in the same batch. Fixed ones are no slower: measured 0.98 to 1.05 times.

Weights take 7 of the 8 bits. Processors without VNNI add two products in 16 bits, which overflow with 8: the answers
would then differ between the machine that checked them and the one that serves them.
Source: onnxruntime's page "Quantize ONNX Models", section "When and why do I need to try U8U8?" and reduce_range.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from compiler.graph import Array, Graph
from compiler.rounding import round_weights

_WEIGHT_LEVELS = 63
_ACTIVATION_LEVELS = 255
# Below this, int8 saves no memory worth the loss: positions and token types.
_LARGE_EMBEDDING = 4096


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the greatest value of a tensor on the calibration texts."""

    low: float
    high: float

    def scale_and_zero(self) -> tuple[np.float32, np.uint8]:
        """Such that zero is represented exactly, which padding and masks need."""
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        # Rounded up to 12 bits, so that another order of summation does not give another graph.
        scale = _rounded_up((high - low) / _ACTIVATION_LEVELS) or 1.0
        return np.float32(scale), np.uint8(min(max(round(-low / scale), 0), _ACTIVATION_LEVELS))


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of an activation over its tokens x.

    low, high: the least and the greatest value of each of its channels, [size].
    products: the mean of x xᵀ, [size, size].
    """

    low: Array
    high: Array
    products: Array

    @property
    def range(self) -> Range:
        """The range of all channels together."""
        return Range(float(self.low.min()), float(self.high.max()))


def activations(graph: Graph) -> list[str]:
    """The tensors whose ranges `quantise` needs: what goes into a matrix product with constant weights."""
    return list(dict.fromkeys(node.input[0] for node in graph.nodes if is_linear(graph, node)))


def quantise(model: onnx.ModelProto, seen: Mapping[str, Seen], kept: Collection[str] = ()) -> onnx.ModelProto:
    """A copy of an optimised float32 graph with int8 matrix products and embeddings.

    Args:
        model: as `optimise` gives it.
        seen: for each name that `activations` gives.
        kept: those of these names whose products stay float32.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = Graph(copy)
    for name in activations(graph):
        if name in kept:
            continue
        scale, zero = seen[name].range.scale_and_zero()
        graph.add_constant(f"{name}/uint8/scale", np.asarray(scale))
        graph.add_constant(f"{name}/uint8/zero", np.asarray(zero))
        graph.add_node("QuantizeLinear", [name, f"{name}/uint8/scale", f"{name}/uint8/zero"], f"{name}/uint8")
    done: set[str] = set()
    for node in graph.nodes:
        if is_linear(graph, node):
            if node.input[0] in kept:
                continue
            _quantise_linear(graph, node, seen[node.input[0]].products, done)
        elif node.op_type == "Gather":
            _quantise_embedding(graph, node, done)
    graph.tidy()
    return copy


def sensitivity(graph: Graph, name: str, seen: Seen) -> float:
    """How much of what comes out of an activation's products is noise, once the activation is rounded: a share.

    Rounding to steps of size d adds noise of variance d² / 12 to each input, whatever it is.
    """
    step, _ = seen.range.scale_and_zero()
    noise = signal = 0.0
    for node in graph.readers[name]:
        weights = graph.constant(node.input[1]) if is_linear(graph, node) else None
        if weights is not None:
            noise += float(step) ** 2 / 12 * float(np.square(weights).sum())
            signal += float(np.sum((seen.products @ weights) * weights))
    return noise / signal if signal > 0 else 0.0


def is_linear(graph: Graph, node: onnx.NodeProto) -> bool:
    """True for a product of an activation with a constant float32 matrix."""
    if node.op_type != "MatMul" or node.input[0] in graph.constants:
        return False
    tensor = graph.constants.get(node.input[1])
    return tensor is not None and tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2


def _quantise_linear(graph: Graph, node: onnx.NodeProto, products: Array, done: set[str]) -> None:
    source, weight = node.input
    if weight not in done:
        done.add(weight)
        value = graph.constant(weight)
        assert value is not None  # noqa: S101 - is_linear looked
        scale = _scale(value, axis=0, levels=_WEIGHT_LEVELS)
        graph.add_constant(f"{weight}/int8", round_weights(value, scale, products, _WEIGHT_LEVELS))
        graph.add_constant(f"{weight}/int8/scale", scale)
        graph.add_constant(f"{weight}/int8/zero", np.zeros(scale.shape, dtype=np.int8))
    inputs = [f"{source}/uint8", f"{weight}/int8", f"{source}/uint8/scale", f"{weight}/int8/scale"]
    inputs += [f"{source}/uint8/zero", f"{weight}/int8/zero"]
    result = node.output[0]
    graph.remove(node)
    # The bias comes for free where it is added while the sums are made into floats.
    readers = graph.readers.get(result, [])
    if len(readers) == 1 and readers[0].op_type == "Add" and result not in graph.outputs:
        bias = [name for name in readers[0].input if name in graph.constants and len(graph.constants[name].dims) == 1]
        if bias:
            inputs.append(bias[0])
            result = readers[0].output[0]
            graph.remove(readers[0])
    graph.add_node("MatMulIntegerToFloat", inputs, result, domain="com.microsoft")


def _quantise_embedding(graph: Graph, node: onnx.NodeProto, done: set[str]) -> None:
    """Each row of a large embedding by a scale of its own; looked up, then made into floats."""
    table, index = node.input
    tensor = graph.constants.get(table)
    if tensor is None or len(tensor.dims) != 2 or tensor.dims[0] < _LARGE_EMBEDDING:
        return
    if tensor.data_type != onnx.TensorProto.FLOAT:
        return
    if table not in done:
        done.add(table)
        value = graph.constant(table)
        assert value is not None  # noqa: S101 - it is a constant
        scale = _scale(value, axis=1, levels=127)
        graph.add_constant(f"{table}/rows", np.rint(value / scale[:, None]).astype(np.int8))
        graph.add_constant(f"{table}/rows/scale", scale[:, None])
    result = node.output[0]
    graph.remove(node)
    graph.add_node("Gather", [f"{table}/rows", index], f"{result}/row")
    graph.add_node("Gather", [f"{table}/rows/scale", index], f"{result}/row/scale")
    graph.add_node("Cast", [f"{result}/row"], f"{result}/row/float", to=onnx.TensorProto.FLOAT)
    graph.add_node("Mul", [f"{result}/row/float", f"{result}/row/scale"], result)


def _scale(value: Array, axis: int, levels: int) -> Array:
    """The step of each channel, such that its greatest value takes `levels` of them. A channel runs along `axis`."""
    greatest = np.abs(value).max(axis=axis)
    return np.where(greatest > 0, greatest / levels, 1.0).astype(np.float32)


def _rounded_up(value: float) -> float:
    if value <= 0:
        return 0.0
    unit = 2.0 ** (np.floor(np.log2(value)) - 11)
    return float(np.ceil(value / unit) * unit)
