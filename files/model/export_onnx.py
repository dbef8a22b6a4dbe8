# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports the network as an ONNX graph and measures how far the two disagree."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from transformers import DistilBertForSequenceClassification

# Opset 18 is what torch's exporter writes without converting, and every onnxruntime since 1.14 reads it.
OPSET = 18


class _Logits(torch.nn.Module):
    """The network with two positional inputs and one plain output, as the exporter wants it."""

    def __init__(self, model: DistilBertForSequenceClassification) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        return out


def export(model: DistilBertForSequenceClassification, path: Path) -> None:
    """Write ``model`` to ``path``: inputs input_ids and attention_mask [batch, sequence], output logits [batch, 2]."""
    # Two tensors, not one twice: the exporter would take them for one input and read the mask as the tokens.
    input_ids, attention_mask = torch.ones((2, 8), dtype=torch.int64), torch.ones((2, 8), dtype=torch.int64)
    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("sequence", max=model.config.max_position_embeddings)}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _Logits(model).eval(),
            (input_ids, attention_mask),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_shapes={"input_ids": axes, "attention_mask": axes},
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program.")
    graph = program.model_proto
    _store_embedding_in_half(graph)
    _forget_sources(graph)
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, str(path))


def _store_embedding_in_half(model: onnx.ModelProto) -> None:
    """Keep the word embedding, half of the file, as float16 with a Cast behind it.

    The weights were rounded to float16 before, so this loses nothing; the runtime undoes the Cast once, at load.
    """
    graph = model.graph
    largest = max(graph.initializer, key=lambda tensor: int(np.prod(tensor.dims)))
    name = largest.name
    half = numpy_helper.from_array(numpy_helper.to_array(largest).astype(np.float16), f"{name}.float16")
    graph.initializer.remove(largest)
    graph.initializer.append(half)
    graph.node.insert(0, helper.make_node("Cast", [half.name], [name], name="embedding", to=TensorProto.FLOAT))


def _forget_sources(model: onnx.ModelProto) -> None:
    """Drop what the exporter notes about the Python it saw: paths of the exporting machine, and a third of the file."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    model.graph.doc_string = model.doc_string = ""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
