# SPDX-License-Identifier: GPL-3.0-or-later
"""What no general optimiser knows of these graphs: reshapes that change nothing, and tokens that nobody reads."""

from __future__ import annotations

import numpy as np
import onnx

from compiler.graph import Graph, attribute

# Stands for `states[i, index[i]]` in an exported graph until `read_one_token` has put it where it saves most.
TAKE_TOKEN = "TakeToken"  # noqa: S105 - an operator, not a secret
TAKE_TOKEN_DOMAIN = "modelhost"  # noqa: S105

# Operators that make each token of their output from the same token of their inputs.
_TOKEN_BY_TOKEN = frozenset({"Add", "Sub", "Mul", "Div", "Erf", "Gelu", "Tanh", "Relu", "Sigmoid"})


def drop_reshapes(graph: Graph) -> None:
    """Read past a chain of reshapes that ends with the shape that it began with."""
    for node in graph.nodes:
        if node.op_type != "Reshape":
            continue
        source = node.input[0]
        while (maker := graph.maker.get(source)) is not None and maker.op_type == "Reshape":
            source = maker.input[0]
        result = node.output[0]
        same = graph.shapes.get(source) == graph.shapes.get(result, ())
        if same and graph.shapes.get(source) and result not in graph.outputs:
            graph.redirect(result, source)
            graph.readers.setdefault(source, []).extend(graph.readers.pop(result, []))
    graph.tidy()


def read_one_token(graph: Graph) -> None:
    """Where an answer needs one token of each text, compute the last layer for that token only.

    A classifier reads the first token, fill-mask the masked one. The other tokens of the last layer are still its keys
    and values, but nobody reads what attention and feed-forward make of them: a sixth of DistilBERT's work. The
    numbers that are read stay the same.
    """
    graph.tidy()
    for node in graph.nodes:
        if _takes_one_token(graph, node):
            _take_earlier(graph, node)
    graph.tidy()


def _takes_one_token(graph: Graph, node: onnx.NodeProto) -> bool:
    if node.op_type == TAKE_TOKEN:
        return True
    index = graph.constant(node.input[1]) if node.op_type == "Gather" else None
    states = graph.shapes.get(node.input[0], ())
    return index is not None and index.shape == () and len(states) == 3 and attribute(node, "axis", 0) == 1


def _take_earlier(graph: Graph, taker: onnx.NodeProto) -> None:
    """Move `taker` up the graph, as far as everything below it works token by token and is read by nobody else."""
    below: list[onnx.NodeProto] = []
    names: set[str] = {taker.input[0]} if graph.readers[taker.input[0]] == [taker] else set()
    for node in reversed(graph.nodes):
        result = node.output[0]
        if result not in names or result in graph.outputs or not _works_token_by_token(graph, node):
            continue
        below.append(node)
        for name in _tokens_in(graph, node):
            readers = [reader for reader in graph.readers[name] if reader is not taker]
            alone = all(any(reader is one for one in below) and _only_as_token(reader, name) for reader in readers)
            if alone:
                names.add(name)
    made = {node.output[0] for node in below}
    taken: dict[str, str] = {}
    for node in below:
        for position in range(1 if node.op_type == "MultiHeadAttention" else len(node.input)):
            name = node.input[position]
            if name in graph.constants or name in made or not name:
                continue
            if name not in taken:
                taken[name] = _take(graph, taker, name)
            node.input[position] = taken[name]
    source = taker.input[0]
    row = source if source in made else _take(graph, taker, source)
    axis = graph.add_constant(f"{taker.output[0]}/axis", np.array([1], dtype=np.int64))
    graph.remove(taker)
    graph.add_node("Squeeze", [row, axis], taker.output[0])
    graph.tidy()


def _take(graph: Graph, taker: onnx.NodeProto, name: str) -> str:
    """One token of each row of `name`: [batch, sequence, hidden] to [batch, 1, hidden]."""
    result = f"{name}/token"
    if taker.op_type == TAKE_TOKEN:
        axes = graph.add_constant(f"{result}/axes", np.array([1, 2], dtype=np.int64))
        graph.add_node("Unsqueeze", [taker.input[1], axes], f"{result}/index")
        graph.add_node("GatherND", [name, f"{result}/index"], result, batch_dims=1)
    else:
        index = graph.constant(taker.input[1])
        assert index is not None  # noqa: S101 - _takes_one_token looked
        graph.add_node("Gather", [name, graph.add_constant(f"{result}/index", index.reshape(1))], result, axis=1)
    return result


def _works_token_by_token(graph: Graph, node: onnx.NodeProto) -> bool:
    if node.op_type == "MultiHeadAttention":
        return True
    if node.op_type == "LayerNormalization":
        return attribute(node, "axis", -1) in (-1, 2)
    if node.op_type == "MatMul":
        weight = graph.constant(node.input[1])
        return weight is not None and weight.ndim == 2
    if node.op_type not in _TOKEN_BY_TOKEN:
        return False
    # A broadcast tensor, such as the embedding of positions, has no row for each text.
    result = graph.shapes.get(node.output[0])
    for name in node.input:
        value = graph.constant(name)
        if (value.ndim > 1) if value is not None else (graph.shapes.get(name) != result):
            return False
    return result is not None and len(result) == 3


def _tokens_in(graph: Graph, node: onnx.NodeProto) -> list[str]:
    """The inputs of which the node reads the same token that it makes; of attention, the query."""
    names = node.input[:1] if node.op_type == "MultiHeadAttention" else node.input
    return [name for name in names if name and name not in graph.constants]


def _only_as_token(reader: onnx.NodeProto, name: str) -> bool:
    return reader.op_type != "MultiHeadAttention" or name not in list(reader.input)[1:]
