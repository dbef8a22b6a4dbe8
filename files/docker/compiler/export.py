# SPDX-License-Identifier: GPL-3.0-or-later
"""From a torch model to an ONNX graph, in any batch size and any length."""

from __future__ import annotations

import inspect
import logging
import warnings
from typing import Any

import onnx
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from compiler.attention import use_fused_attention
from compiler.errors import INSTEAD, CompileError
from compiler.graph import Graph, drop_unused_domains
from compiler.pooling import SentenceHead
from compiler.simplify import TAKE_TOKEN, TAKE_TOKEN_DOMAIN, drop_reshapes, read_one_token
from compiler.tasks import Task

# The newest that the serving image's onnxruntime and those of the last two years read alike.
OPSET = 20
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class TaskModel(torch.nn.Module):
    """A model as its task's graph: named inputs in, a tuple of the graph's outputs out.

    With `fill-mask` the last input is `masked_index` [batch]: for each row, the position to fill in.
    """

    def __init__(self, model: PreTrainedModel, task: Task, head: SentenceHead | None, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.task = task
        self.head = head
        self.inputs = inputs

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        feeds = dict(zip(self.inputs, tensors, strict=True))
        masked_index = feeds.pop("masked_index", None)
        outputs = self.model(**feeds, return_dict=True)
        if self.task.name == "feature-extraction":
            states: torch.Tensor = outputs.last_hidden_state
            return (states,) if self.head is None else (states, self.head(states, feeds["attention_mask"]))
        logits: torch.Tensor = outputs.logits
        if masked_index is None:
            return (logits,)
        if torch.onnx.is_in_onnx_export():
            shape = (logits.shape[0], logits.shape[2])
            kind = f"{TAKE_TOKEN_DOMAIN}::{TAKE_TOKEN}"
            return (torch.onnx.ops.symbolic(kind, [logits, masked_index], dtype=logits.dtype, shape=shape, version=1),)
        index = masked_index[:, None, None].expand(-1, 1, logits.shape[2])
        return (logits.gather(1, index).squeeze(1),)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what `forward` gives."""
        return (self.task.output,) if self.head is None else (self.task.output, "sentence_embedding")


def task_model(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, task: Task, head: SentenceHead | None = None
) -> TaskModel:
    """Wrap a model for its task. Its inputs are what the tokenizer makes and the model takes."""
    taken = inspect.signature(model.forward).parameters
    made = {"input_ids", "attention_mask", *tokenizer.model_input_names}
    inputs = tuple(name for name in _INPUTS if name in taken and name in made)
    if task.name == "fill-mask":
        inputs += ("masked_index",)
    return TaskModel(model, task, head if task.name == "feature-extraction" else None, inputs).eval()


def export(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, task: Task, head: SentenceHead | None = None
) -> onnx.ModelProto:
    """The model as an ONNX graph in float32, not optimised yet. The model is left as it was.

    Raises:
        CompileError: torch's exporter does not manage this architecture.
    """
    wrapped = task_model(model, tokenizer, task, head)
    before = model.config._attn_implementation
    # Quiet: the exporter reports its own doings, page after page; what a person must know is in the exception.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        use_fused_attention(model)
        with warnings.catch_warnings(), torch.inference_mode(False), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                wrapped,
                _example(wrapped),
                input_names=list(wrapped.inputs),
                output_names=list(wrapped.outputs),
                dynamic_shapes=(_axes(wrapped),),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    except Exception as error:
        # The exporter raises whatever stopped it, torch's own classes among them.
        reason = str(error).strip().partition("\n")[0]
        raise CompileError(
            f"{type(model).__name__} cannot be exported to a graph: {type(error).__name__}: {reason} {INSTEAD}"
        ) from error
    finally:
        model.set_attn_implementation(before)
    assert program is not None  # noqa: S101 - only None where torch.onnx is told to write a file itself
    exported = _without_sources(program.model_proto)
    graph = Graph(exported)
    drop_reshapes(graph)
    read_one_token(graph)
    drop_unused_domains(exported)
    return exported


def _example(wrapped: TaskModel) -> tuple[torch.Tensor, ...]:
    """Two rows of eight tokens, the second one padded. No tensor serves twice: it would become one input."""
    tensors: dict[str, torch.Tensor] = {
        "input_ids": torch.full((2, 8), 5),
        "attention_mask": torch.tensor([[1] * 8, [1] * 5 + [0] * 3]),
        "token_type_ids": torch.zeros((2, 8), dtype=torch.int64),
        "masked_index": torch.tensor([1, 2]),
    }
    return tuple(tensors[name] for name in wrapped.inputs)


def _axes(wrapped: TaskModel) -> tuple[dict[int, Any], ...]:
    batch, sequence = torch.export.Dim.DYNAMIC, torch.export.Dim.DYNAMIC
    return tuple({0: batch} if name == "masked_index" else {0: batch, 1: sequence} for name in wrapped.inputs)


def _without_sources(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what the exporter notes about the Python it saw: paths of the exporting machine, and much of the file."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    model.graph.doc_string = model.doc_string = ""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    return model
