# SPDX-License-Identifier: GPL-3.0-or-later
"""A model is compiled once for each recipe, and the report is told in a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.compilation import (
    compilation_key,
    compiler_digest,
    read_report,
    summary,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.files import ModelDirectoryError

REPORT = {
    "precision": "fp32",
    "reason": "fp32 was asked for.",
    "agreement": {"texts": 500, "same_label": 0.998, "max_score_difference": 0.0000213},
}


def test_everything_that_decides_the_outcome_decides_the_key() -> None:
    recipe = ("source", "compiler", ["--task", "fill-mask"], "")
    changed = [
        ("another", *recipe[1:]),
        ("source", "another", *recipe[2:]),
        ("source", "compiler", ["--task", "token-classification"], ""),
        (*recipe[:3], "texts"),
    ]
    assert compilation_key(*recipe) == compilation_key(*recipe)
    assert len({compilation_key(*each) for each in [recipe, *changed]}) == 5


def test_an_edited_compiler_or_another_pin_is_another_compiler(tmp_path: Path) -> None:
    compiler, requirements = tmp_path / "compiler", tmp_path / "requirements.txt"
    (compiler / "__pycache__").mkdir(parents=True)
    (compiler / "export.py").write_text("1")
    requirements.write_text("torch==1")
    first = compiler_digest(compiler, requirements)
    (compiler / "__pycache__" / "export.pyc").write_text("2")
    assert compiler_digest(compiler, requirements) == first
    (compiler / "export.py").write_text("2")
    second = compiler_digest(compiler, requirements)
    requirements.write_text("torch==2")
    assert len({first, second, compiler_digest(compiler, requirements)}) == 3


def test_the_report_is_told_with_precision_reason_and_agreement() -> None:
    assert summary(REPORT) == (
        "fp32 was asked for. On 500 texts: the weights' label on 99.8 %, scores differ by 2.1e-05 at most."
    )


def test_a_reason_that_gives_the_figures_is_told_alone() -> None:
    reason = "int8 agrees with the original: same label on 99.80% of 500."
    assert summary({**REPORT, "precision": "int8", "reason": reason}) == reason


@pytest.mark.parametrize(("share", "told"), [(1.0, "100 %"), (0.99999, "99.99 %"), (0.5, "50 %"), (0.0, "0 %")])
def test_a_share_that_is_not_whole_is_never_told_as_whole(share: float, told: str) -> None:
    assert f"label on {told}." in summary({"precision": "int8", "agreement": {"texts": 9, "same_label": share}})


def test_a_graph_without_a_report_is_told_as_such() -> None:
    assert "without a report" in summary({})


def test_a_report_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert read_report(tmp_path) == {}
    (tmp_path / "compilation.json").write_text("not json")
    with pytest.raises(ModelDirectoryError, match=r"compilation\.json cannot be read"):
        read_report(tmp_path)
