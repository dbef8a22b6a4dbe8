# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets the next request: arithmetic with weights. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def choose(weights: Sequence[float], roll: float) -> int:
    """The index that a roll in [0, 1) falls on, each by its share of all weights; equal shares where all are zero."""
    total = sum(weights)
    if total <= 0:
        return min(int(roll * len(weights)), len(weights) - 1)
    point = roll * total
    last = 0
    for index, weight in enumerate(weights):
        if weight <= 0:
            continue
        last = index
        if point < weight:
            return index
        point -= weight
    return last


def shadow_share(shadow_weight: float, production_weight: float) -> float:
    """The part of the requests that is copied to a shadow variant, 0 to 1.

    The developer guide's "Shadow variants": the ratio of the shadow's InitialVariantWeight to the production variant's.
    """
    if production_weight <= 0:
        return 1.0 if shadow_weight > 0 else 0.0
    return min(1.0, max(0.0, shadow_weight / production_weight))
