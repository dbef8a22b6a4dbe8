# SPDX-License-Identifier: GPL-3.0-or-later
"""What every runtime offers, and how texts of different lengths become batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from serving.errors import ModelLoadError
from serving.model_directory import ModelConfig, ModelDirectory
from serving.settings import Settings

# What nearly every encoder was trained on, for a model that does not say.
DEFAULT_MAX_LENGTH = 512

FloatArray = npt.NDArray[np.floating]


class Runtime(Protocol):
    """A loaded model. A runtime knows tensors; what they mean is the handler's business."""

    name: str
    config: ModelConfig

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """Run the model on texts.

        Args:
            texts: at least one; each is cut to the model's maximum length. All are tokenised at once, then run in
                batches of at most `max_batch_size`.

        Returns:
            One row per text, in the order given; one column per label.
        """
        ...


def max_length(config: ModelConfig, settings: Settings) -> int:
    """To how many tokens a text is cut: what the model can read, or less where SERVING_MAX_LENGTH says so."""
    most = config.model_max_length or DEFAULT_MAX_LENGTH
    return min(most, settings.max_length) if settings.max_length else most


def check_architecture(directory: ModelDirectory, config: ModelConfig) -> None:
    """Refuse a model without a classification head.

    transformers would add a head with random weights and go on, and the endpoint would answer nonsense.

    Raises:
        ModelLoadError: config.json names architectures, and none of them classifies sequences.
    """
    if config.architectures and not any(name.endswith("ForSequenceClassification") for name in config.architectures):
        raise ModelLoadError(
            f"The model in {directory.path} is a {', '.join(config.architectures)}; "
            "the task text-classification needs a …ForSequenceClassification."
        )


def check_logits(logits: FloatArray, rows: int, labels: int) -> FloatArray:
    """Refuse an answer of the wrong shape, or one that is no number.

    Raises:
        ValueError: the shape is not [rows, labels], or a value is NaN or infinite.
    """
    if logits.shape != (rows, labels):
        raise ValueError(
            f"the model gave logits of shape {list(logits.shape)}; config.json's id2label calls for [{rows}, {labels}]"
        )
    if not np.isfinite(logits).all():
        raise ValueError("the model gave logits that are not finite numbers")
    return logits


def in_batches(
    lengths: Sequence[int], size: int, columns: int, forward: Callable[[Sequence[int]], FloatArray]
) -> FloatArray:
    """Call `forward` with the indices of one batch at a time, and put the rows back in order.

    Texts of like length go together, so that a long one does not have all the others padded to its length.

    Args:
        lengths: the number of tokens of each text.
        size: the most texts in a batch.
        columns: how many columns a row must have.
        forward: gives one row per index, in the order of the indices.

    Raises:
        ValueError: what check_logits says.
    """
    result = np.empty((len(lengths), columns), dtype=np.float32)
    for batch in batches(lengths, size):
        result[batch] = check_logits(forward(batch), len(batch), columns)
    return result


def batches(lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Indices sorted by length, longest first, in lists of at most `size`.

    Longest first: if memory does not suffice, it shows at once and not after the work is half done.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    for start in range(0, len(order), size):
        yield order[start : start + size]
