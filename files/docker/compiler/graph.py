# SPDX-License-Identifier: GPL-3.0-or-later
"""An ONNX graph one can ask who makes a tensor and who reads it, and change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Array = npt.NDArray[Any]
Shape = tuple[int | str, ...]


class Graph:
    """A view of a model. Changes go to the model; call `tidy` after a round of them."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.maker: dict[str, onnx.NodeProto] = {}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        self.constants: dict[str, onnx.TensorProto] = {}
        self.shapes: dict[str, Shape] = {
            value.name: tuple(axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim)
            for value in (*model.graph.value_info, *model.graph.input, *model.graph.output)
        }
        self._index()

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        """All nodes; a copy, so that one may change the graph while going through it."""
        return list(self.model.graph.node)

    @property
    def outputs(self) -> set[str]:
        """The names of what the graph gives out."""
        return {value.name for value in self.model.graph.output}

    def constant(self, name: str) -> Array | None:
        """The value of a constant tensor; None where the tensor is computed."""
        tensor = self.constants.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def add_constant(self, name: str, value: Array) -> str:
        """Store a constant and give its name."""
        tensor = numpy_helper.from_array(np.ascontiguousarray(value), name)
        self.model.graph.initializer.append(tensor)
        self.constants[name] = tensor
        return name

    def add_node(
        self, kind: str, inputs: Sequence[str], output: str, *, domain: str = "", **attributes: Any
    ) -> onnx.NodeProto:
        """Add a node with one output; it is named after the output."""
        node = helper.make_node(kind, list(inputs), [output], name=f"{output}/{kind}", domain=domain, **attributes)
        self.model.graph.node.append(node)
        return node

    def remove(self, node: onnx.NodeProto) -> None:
        """Take a node out. Whoever reads its output must be given another one."""
        self.model.graph.node.remove(node)

    def redirect(self, old: str, new: str) -> None:
        """Have everybody who reads `old` read `new`."""
        for node in self.readers.get(old, []):
            for position, name in enumerate(node.input):
                if name == old:
                    node.input[position] = new

    def tidy(self) -> None:
        """Drop what nobody reads, and put the nodes into an order in which they can run."""
        wanted, stack = set(), list(self.outputs)
        self._index()
        while stack:
            node = self.maker.get(stack.pop())
            if node is not None and node.output[0] not in wanted:
                wanted.add(node.output[0])
                stack.extend(node.input)
        graph = self.model.graph
        waiting = [node for node in graph.node if node.output[0] in wanted]
        read = {name for node in waiting for name in node.input} | self.outputs
        tensors = [tensor for tensor in graph.initializer if tensor.name in read]
        known = {"", *(tensor.name for tensor in tensors), *(value.name for value in graph.input)}
        ordered: list[onnx.NodeProto] = []
        while waiting:
            ready: list[onnx.NodeProto] = []
            later: list[onnx.NodeProto] = []
            for node in waiting:
                (ready if known.issuperset(node.input) else later).append(node)
                if ready and ready[-1] is node:
                    known.update(node.output)
            if not ready:
                raise ValueError(f"nobody makes what {later[0].name} reads")
            ordered += ready
            waiting = later
        del graph.node[:]
        graph.node.extend(ordered)
        del graph.initializer[:]
        graph.initializer.extend(tensors)
        self._index()

    def _index(self) -> None:
        graph = self.model.graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.maker = {name: node for node in graph.node for name in node.output}
        readers: defaultdict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in dict.fromkeys(node.input):
                readers[name].append(node)
        self.readers = dict(readers)


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """The value of a node's attribute."""
    return next((helper.get_attribute_value(item) for item in node.attribute if item.name == name), default)


def drop_unused_domains(model: onnx.ModelProto) -> None:
    """Keep the operator sets that the graph's nodes are from; exporters and runtimes list all they know."""
    used = {node.domain for node in model.graph.node} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
