# SPDX-License-Identifier: GPL-3.0-or-later
"""Ratios of medians with their spread, and whether memory grows. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

# Student's t for a two-sided 95 % interval, by degrees of freedom (any table of the t distribution).
_T_95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228}
_T_95 |= {12: 2.179, 15: 2.131, 20: 2.086, 30: 2.042, 60: 2.000, 120: 1.980}


@dataclass(frozen=True)
class Ratio:
    """How many times better ours is than the peer: the ratio of the medians, and the lowest and highest of a round."""

    value: float
    low: float
    high: float
    rounds: int


@dataclass(frozen=True)
class Slope:
    """A straight line through samples: its slope, and the bounds of its 95 % confidence interval, per second."""

    value: float
    low: float
    high: float


def ratio(ours: Sequence[float], peer: Sequence[float], *, smaller_is_better: bool) -> Ratio:
    """How many times better ours is.

    Args:
        ours, peer: one figure a round; figures of the same place were measured right after each other.
        smaller_is_better: True for times and sizes, False for rates.

    Raises:
        ValueError: there are no rounds, or not as many of one as of the other, or a figure is not above zero.
    """
    if not ours or len(ours) != len(peer):
        raise ValueError(f"{len(ours)} rounds of ours and {len(peer)} of the peer")
    if not all(figure > 0 and math.isfinite(figure) for figure in (*ours, *peer)):
        raise ValueError("a figure is not a number above zero")
    over, under = (peer, ours) if smaller_is_better else (ours, peer)
    each = [above / below for above, below in zip(over, under, strict=True)]
    return Ratio(median(over) / median(under), min(each), max(each), len(each))


def slope(seconds: Sequence[float], values: Sequence[float], block_seconds: float = 30.0) -> Slope:
    """The trend of samples, by least squares over the means of blocks.

    Samples that follow each other closely are alike, and would make the interval too narrow; means of half a minute
    are less so.

    Raises:
        ValueError: there are fewer than three blocks.
    """
    blocks: dict[int, list[tuple[float, float]]] = {}
    for at, value in zip(seconds, values, strict=True):
        blocks.setdefault(int((at - seconds[0]) // block_seconds), []).append((at, value))
    times = [fmean(at for at, _ in block) for block in blocks.values()]
    means = [fmean(value for _, value in block) for block in blocks.values()]
    freedom = len(times) - 2
    if freedom < 1:
        raise ValueError(f"{len(times)} blocks of {block_seconds:g} seconds are too few for a trend")
    middle, level = fmean(times), fmean(means)
    square = sum((at - middle) ** 2 for at in times)
    rise = sum((at - middle) * (mean - level) for at, mean in zip(times, means, strict=True)) / square
    left = sum((mean - level - rise * (at - middle)) ** 2 for at, mean in zip(times, means, strict=True))
    margin = _t_95(freedom) * math.sqrt(left / freedom / square)
    return Slope(rise, rise - margin, rise + margin)


def _t_95(freedom: int) -> float:
    # Between two entries the one of fewer degrees of freedom: the wider interval.
    return _T_95[max(known for known in _T_95 if known <= freedom)]
