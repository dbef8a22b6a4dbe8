# SPDX-License-Identifier: GPL-3.0-or-later
"""Rounds a weight matrix so that its products stay what they were, rather than each weight by itself.

GPTQ (Frantar and others, "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers", 2022):
rows are rounded one after another, and what a row loses is made up for in the rows after it, as far as their inputs go
together. With 7 bits this is as near as plain rounding with 8: see quantise.py for why 7.
"""

from __future__ import annotations

import numpy as np

from compiler.graph import Array

# Added to the diagonal, as a share of its mean: inputs that never vary would have no inverse. The paper's value.
_DAMPING = 0.01
# Rows whose losses are passed on together; only speed depends on it.
_BLOCK = 64


def round_weights(weights: Array, scale: Array, products: Array, levels: int) -> Array:
    """Round to whole steps.

    Args:
        weights: [inputs, outputs].
        scale: [outputs], the size of a step.
        products: [inputs, inputs], the mean of x xᵀ over inputs x that were seen.
        levels: the greatest number of steps to either side.

    Returns:
        int8, of the shape of `weights`.
    """
    left = weights.astype(np.float32)
    rounded = np.empty(weights.shape, dtype=np.int8)
    factor = _factor(products)
    for start in range(0, len(left), _BLOCK):
        stop = min(start + _BLOCK, len(left))
        losses = np.empty((stop - start, left.shape[1]), dtype=np.float32)
        for row in range(start, stop):
            steps = np.clip(np.rint(left[row] / scale), -levels, levels)
            rounded[row] = steps
            loss = (left[row] - steps * scale) / factor[row, row]
            left[row + 1 : stop] -= np.outer(factor[row, row + 1 : stop], loss)
            losses[row - start] = loss
        left[stop:] -= factor[start:stop, stop:].T @ losses
    return rounded


def _factor(products: Array) -> Array:
    """The upper triangle U with UᵀU the inverse of the products."""
    damped = products.astype(np.float64)
    diagonal = np.diag_indices(len(damped))
    damped[diagonal] += max(_DAMPING * float(damped[diagonal].mean()), 1e-12)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(damped)).T.astype(np.float32))
