# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order int8 is tried: the quickest graph first, then those that keep more of what the original says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import onnx

from compiler.graph import Graph
from compiler.quantise import Seen, activations, quantise, sensitivity
from compiler.smoothing import smooth

# The largest share of the activations whose products may stay float32. With more, int8 is hardly worth its difference.
_MOST_KEPT = 0.25


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to quantise: `how` continues the word int8 in a sentence, `make` gives the graph."""

    how: str
    make: Callable[[], onnx.ModelProto]


def attempts(graph: onnx.ModelProto, seen: Mapping[str, Seen]) -> Iterator[Attempt]:
    """All products in int8; then without outliers; then with more and more of the most sensitive ones in float32."""
    yield Attempt("", lambda: quantise(graph, seen))
    smoothed, seen_smoothed = smooth(graph, seen)
    # Where all weights are shared, nothing could be taken out, and the same graph need not be made and checked again.
    if seen_smoothed.keys() != seen.keys():
        yield Attempt(" without outliers", lambda: quantise(smoothed, seen_smoothed))
    view = Graph(smoothed)
    names = sorted(activations(view), key=lambda name: -sensitivity(view, name, seen_smoothed[name]))
    for count in kept_counts(len(names)):
        yield Attempt(
            f" without outliers and with {count} of {len(names)} steps in fp32",
            lambda count=count: quantise(smoothed, seen_smoothed, names[:count]),  # type: ignore[misc]
        )


def kept_counts(activations: int) -> list[int]:
    """How many of the activations stay float32, attempt by attempt: twice as many each time, up to the most."""
    most = int(activations * _MOST_KEPT)
    counts = [1 << power for power in range(most.bit_length())]
    return [count for count in counts if count < most] + [most] if most else []
