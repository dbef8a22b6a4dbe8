# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawing tokens from a seed of the request's own.

transformers draws from torch's one generator, which every request of the process shares: a seed set there would give
another text as soon as anything runs beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList
from transformers.generation import (
    MinPLogitsWarper,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)


class _SeededDraw(LogitsProcessor):
    """Draws the next token itself, and leaves it as the only one that transformers can draw after it."""

    def __init__(self, warpers: LogitsProcessorList, generator: torch.Generator) -> None:
        self._warpers = warpers
        self._generator = generator

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        chances = self._warpers(input_ids, scores).float().softmax(dim=-1)
        drawn = torch.multinomial(chances, num_samples=1, generator=self._generator)
        only = torch.full_like(scores, -torch.inf)
        return only.scatter_(1, drawn, 0.0)


def seeded(given: Mapping[str, Any], config: Any, device: torch.device) -> LogitsProcessorList:
    """The processor that draws from `given["seed"]`, by the sampling parameters of the request and the model's own.

    Args:
        given: the request's parameters.
        config: the pipeline's generation config, for what the request does not say.
    """

    def said(name: str) -> Any:
        return given.get(name, getattr(config, name, None))

    # In the order in which generate applies them.
    warpers = LogitsProcessorList()
    if said("temperature") not in (None, 1.0):
        warpers.append(TemperatureLogitsWarper(float(said("temperature"))))
    if said("top_k"):
        warpers.append(TopKLogitsWarper(said("top_k")))
    if said("top_p") is not None and said("top_p") < 1.0:
        warpers.append(TopPLogitsWarper(said("top_p")))
    if said("min_p"):
        warpers.append(MinPLogitsWarper(said("min_p")))
    if said("typical_p") is not None and said("typical_p") < 1.0:
        warpers.append(TypicalLogitsWarper(said("typical_p")))
    generator = torch.Generator(device=device).manual_seed(given["seed"])
    return LogitsProcessorList([_SeededDraw(warpers, generator)])
