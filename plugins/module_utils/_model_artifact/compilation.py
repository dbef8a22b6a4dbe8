# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What decides the outcome of a compilation, and what its report says to people. Pure but for reading files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.files import (
    COMPILATION,
    SOURCE,
    ModelDirectoryError,
    sha256_of,
)


def compilation_key(source_digest: str, compiler_digest: str, options: Sequence[str], calibration: str) -> str:
    """32 hex digits over all that decides what the compiler writes; ``calibration`` is its texts' SHA-256, or empty."""
    recipe = [source_digest, compiler_digest, list(options), calibration]
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:32]


def compiler_digest(compiler: Path, requirements: Path) -> str:
    """A digest over the compiler's own files and the packages it runs with."""
    own = sorted(path for path in compiler.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    if not own:
        raise ModelDirectoryError(f"There is no compiler in {compiler}.")
    content = [[path.relative_to(compiler).as_posix(), sha256_of(path)] for path in own]
    return hashlib.sha256(json.dumps([content, sha256_of(requirements)]).encode()).hexdigest()


def read_report(directory: Path) -> dict[str, Any]:
    """The compiler's report on the graph in a directory; empty for a graph that somebody else made.

    Raises ModelDirectoryError where the report cannot be read.
    """
    path = directory / COMPILATION
    if not path.is_file():
        return {}
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelDirectoryError(f"{path} cannot be read as JSON ({error}). Remove it, or compile again.") from error
    if not isinstance(report, dict):
        raise ModelDirectoryError(f"{path} must hold a JSON object.")
    return report


def read_source(directory: Path) -> dict[str, str]:
    """The model of the hub and its commit that a directory holds; both empty where nothing says so."""
    for name, inside in ((SOURCE, ()), (COMPILATION, ("source",))):
        try:
            document = json.loads((directory / name).read_text(encoding="utf-8"))
            for key in inside:
                document = document[key]
            return {key: str(document.get(key) or "") for key in ("model_id", "commit")}
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            continue
    return {"model_id": "", "commit": ""}


def summary(report: Mapping[str, Any]) -> str:
    """The report in a line or two for people; a sentence as well where there is none."""
    if not report:
        return "a graph that came with the model, without a report on how far it agrees with its weights"
    precision, reason = str(report.get("precision", "unknown precision")), str(report.get("reason") or "").strip()
    said = "" if reason.startswith(precision) else precision
    figures = (
        "" if any(letter.isdigit() for letter in reason.replace("fp32", "").replace("int8", "")) else _figures(report)
    )
    return ". ".join(part.rstrip(".") for part in (said, reason, figures) if part) + "."


def _figures(report: Mapping[str, Any]) -> str:
    agreement = report.get("agreement") or {}
    told = []
    if "same_label" in agreement:
        told.append(f"the weights' label on {_percent(agreement['same_label'])}")
    if "max_score_difference" in agreement:
        told.append(f"scores differ by {agreement['max_score_difference']:.2g} at most")
    if "similarity" in agreement:
        told.append(f"vectors with a cosine of {agreement['similarity']} at least")
    return f"On {agreement.get('texts', '?')} texts: {', '.join(told)}" if told else ""


def _percent(share: Any) -> str:
    """A share as a percentage; one that is not quite whole is never rounded up to 100 %."""
    if not isinstance(share, (int, float)):
        return "an unknown share"
    text = f"{min(share * 100, 100 if share >= 1 else 99.99):.2f}"
    return f"{text.rstrip('0').rstrip('.')} %"
