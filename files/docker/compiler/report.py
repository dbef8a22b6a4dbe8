# SPDX-License-Identifier: GPL-3.0-or-later
"""compilation.json: what was compiled, in which precision, and how far it agrees with the original."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

from compiler.agreement import Agreement, Bounds

NAME = "compilation.json"
FORMAT = 1
_PACKAGES = ("torch", "transformers", "onnx", "onnxruntime", "tokenizers")


def agreement_entry(agreement: Agreement, bounds: Bounds) -> dict[str, Any]:
    """The figures of a check beside what was required. Three digits: the others are noise of the machine."""
    entry = {name: _short(value) for name, value in asdict(agreement).items() if value is not None}
    if agreement.same_label is not None:
        entry["required_same_label"] = bounds.same_label
    if agreement.max_score_difference is not None:
        entry["allowed_max_score_difference"] = bounds.max_score_difference
        entry["allowed_mean_score_difference"] = bounds.mean_score_difference
    if agreement.similarity is not None:
        entry["required_similarity"] = bounds.similarity
    return entry


def versions() -> dict[str, str]:
    """The packages that made the graph."""
    found = {name: importlib.metadata.version(name).partition("+")[0] for name in _PACKAGES}
    return {"python": ".".join(platform.python_version_tuple()[:2]), **found}


def sha256(path: Path) -> str:
    """The digest of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(directory: Path, report: dict[str, Any]) -> None:
    """Write the report, the same bytes for the same content."""
    (directory / NAME).write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def summary(agreement: Agreement) -> str:
    """The figures in a sentence."""
    if agreement.similarity is not None:
        return (
            f"cosine at least {agreement.similarity:.5f} and {agreement.mean_similarity:.5f} on average, "
            f"on {agreement.texts} texts"
        )
    label = (
        f"same label on {percent(agreement.same_label)} of {agreement.units}, "
        if agreement.same_label is not None
        else ""
    )
    return (
        f"{label}scores differ by {agreement.mean_score_difference:.2g} on average and "
        f"{agreement.max_score_difference:.2g} at most, on {agreement.texts} texts"
    )


def percent(share: float) -> str:
    """A share with two digits, rounded down: one that is not whole must not read as whole."""
    return f"{math.floor(share * 10_000 + 1e-6) / 100:.2f}%"


def _short(value: float | int) -> float | int:
    return value if isinstance(value, int) else float(f"{value:.3g}") if value < 0.9 else round(value, 5)
