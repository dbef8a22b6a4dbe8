# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the torch model and graphs on the same texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx
import torch

from compiler import agreement
from compiler.agreement import Agreement, Floats
from compiler.examples import Example, Ints, batches, feeds
from compiler.export import TaskModel
from compiler.graph import Graph
from compiler.optimise import session
from compiler.quantise import Seen, activations
from compiler.source import Source

# On how many tokens the products of activations are summed up, about.
_TOKENS = 4096
# How many texts' activations are held at a time.
_GROUP = 16

Run = Callable[[Mapping[str, Ints]], Floats]


def on_torch(wrapped: TaskModel) -> Run:
    """Run the torch model; gives its main output."""

    def run(inputs: Mapping[str, Ints]) -> Floats:
        with torch.inference_mode():
            return np.asarray(wrapped(*(torch.from_numpy(inputs[name]) for name in wrapped.inputs))[-1].numpy())

    return run


def on_onnxruntime(model: onnx.ModelProto, output: str, threads: int) -> Run:
    """Run a graph; gives the output of that name."""
    loaded = session(model, threads)
    names = [node.name for node in loaded.get_inputs()]

    def run(inputs: Mapping[str, Ints]) -> Floats:
        return np.asarray(loaded.run([output], {name: inputs[name] for name in names})[0])

    return run


def answers(run: Run, source: Source, inputs: Sequence[str], rows: Sequence[Example]) -> list[Floats]:
    """What a model makes of each row: shape [units, labels or size], padding left out."""
    pad = source.tokenizer.pad_token_id or 0
    found: dict[int, Floats] = {}
    for batch in batches(rows):
        output = run(feeds([rows[index] for index in batch], inputs, pad))
        for place, index in enumerate(batch):
            # [batch, size] has one unit for each row, [batch, sequence, size] one for each of its tokens.
            found[index] = output[place][None] if output.ndim == 2 else output[place, : len(rows[index].ids)]
    return [found[index] for index in range(len(rows))]


def compare(source: Source, expected: Sequence[Floats], actual: Sequence[Floats]) -> Agreement:
    """Compare as the task asks for: vectors, numbers, or labels with scores."""
    if source.task.name == "feature-extraction":
        return agreement.compare_vectors(expected, actual)
    kind = getattr(source.model.config, "problem_type", None)
    single = source.task.name == "text-classification"
    if single and kind == "regression":
        return agreement.compare_numbers(expected, actual)
    # transformers' TextClassificationPipeline takes the sigmoid of these, and softmax else.
    sigmoid = single and (kind == "multi_label_classification" or source.model.config.num_labels == 1)
    return agreement.compare_labels(expected, actual, sigmoid=sigmoid)


def watch(model: onnx.ModelProto, inputs: Sequence[str], rows: Sequence[Example], threads: int) -> dict[str, Seen]:
    """See the activations that `quantise` asks about, over the rows. One row at a time: padding has no say."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    names = activations(Graph(copy))
    for name in names:
        copy.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    loaded = session(copy, threads)
    # Enough tokens to tell which inputs go together; for ranges every token counts.
    every = max(1, -(-sum(len(row.ids) for row in rows) // _TOKENS))
    low: dict[str, Floats] = {}
    high: dict[str, Floats] = {}
    products: dict[str, Floats] = {}
    counts = dict.fromkeys(names, 0)
    for group in range(0, len(rows), _GROUP):
        runs = [loaded.run(names, feeds([row], inputs, 0)) for row in rows[group : group + _GROUP]]
        for index, name in enumerate(names):
            tokens = np.concatenate([run[index].reshape(-1, run[index].shape[-1]) for run in runs])
            low[name] = np.minimum(low.get(name, np.inf), tokens.min(axis=0))
            high[name] = np.maximum(high.get(name, -np.inf), tokens.max(axis=0))
            # One token a text, as before a classifier's head, is few enough to keep them all.
            some = tokens if len(tokens) == len(runs) else tokens[::every]
            products[name] = products.get(name, 0.0) + some.T @ some
            counts[name] += len(some)
    return {name: Seen(low[name], high[name], products[name] / counts[name]) for name in names}
