# SPDX-License-Identifier: GPL-3.0-or-later
"""Attention as one node of the graph: onnxruntime's MultiHeadAttention, instead of a dozen small ones.

transformers lets one register an attention function by name. Ours does not compute: while the exporter looks on, it
puts the fused operator into the graph. Nothing then depends on an optimiser finding the pattern again.
Sources: transformers' page "Attention Interface"; onnxruntime's ContribOperators.md, com.microsoft.MultiHeadAttention.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

NAME = "modelhost_graph"
# Added to the scores of padding. Far below any score, and far from where float32 ends.
PADDING_SCORE = -1e30


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """One MultiHeadAttention node of query, key and value [batch, heads, sequence, size] and mask [batch, sequence]."""
    batch, heads, length, size = query.shape
    packed = [tensor.transpose(1, 2).reshape(batch, -1, heads * size) for tensor in (query, key, value)]
    output = torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention",
        [*packed, None, attention_mask],
        {
            "num_heads": heads,
            "scale": float(scaling if scaling is not None else 1 / math.sqrt(size)),
            "mask_filter_value": PADDING_SCORE,
        },
        dtype=query.dtype,
        shape=(batch, length, heads * size),
        version=1,
    )
    return output.reshape(batch, length, heads, size), None


def _mask(attention_mask: torch.Tensor | None = None, **_: Any) -> torch.Tensor | None:
    """The mask as the operator takes it: [batch, sequence], 1 for a token and 0 for padding."""
    return None if attention_mask is None else attention_mask.to(torch.int32)


# Architectures whose attention is all there is to attention: every token sees every other one but padding.
ARCHITECTURES = frozenset(
    {"albert", "bert", "camembert", "data2vec-text", "distilbert", "electra", "ernie", "roberta", "xlm-roberta"}
)


def use_fused_attention(model: PreTrainedModel) -> bool:
    """Have the model's attention exported as fused nodes, where its architecture is one of those above.

    Others are exported as their code computes them: correct, and somewhat slower.
    """
    if model.config.model_type not in ARCHITECTURES:
        model.set_attn_implementation("eager")
        return False
    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, _mask)
    model.set_attn_implementation(NAME)
    return True
