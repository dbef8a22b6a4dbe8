# SPDX-License-Identifier: GPL-3.0-or-later
"""How a model is run on which device: precision and batch sizes. Pure, so that a GPU's rules are tested without one."""

from __future__ import annotations

from dataclasses import dataclass

# bfloat16 is computed in hardware from compute capability 8.0 (Ampere) on, float16 at full rate from 7.0 (Volta) on.
# CUDA C++ Programming Guide, "Arithmetic Instructions".
_BFLOAT16_CAPABILITY = (8, 0)
_FLOAT16_CAPABILITY = (7, 0)


@dataclass(frozen=True)
class BatchLimits:
    """The most that is given to the model at once."""

    rows: int
    tokens: int


def choose_dtype(wanted: str, capability: tuple[int, int] | None) -> str:
    """In which precision the weights are held.

    Args:
        wanted: SERVING_DTYPE.
        capability: the GPU's compute capability; None for a processor, which computes half precision slowly or not
            at all (without AMX bfloat16 was slower than float32 in every measurement).

    Returns:
        The name of a torch dtype.
    """
    if wanted != "auto":
        return wanted
    if capability is None or capability < _FLOAT16_CAPABILITY:
        return "float32"
    return "bfloat16" if capability >= _BFLOAT16_CAPABILITY else "float16"


def batch_limits(on_gpu: bool, generates: bool) -> BatchLimits:
    """How much to run at once.

    A processor is busy with few tokens at a time, a GPU only with many. Generating reads all weights for every token of
    a row, or of a batch of rows, so it gains from rows everywhere. A batch that does not fit into memory is split and
    run again, so the numbers need not be right for every model.
    """
    if on_gpu:
        return BatchLimits(rows=256, tokens=65_536)
    return BatchLimits(rows=32, tokens=8_192 if generates else 1_024)
