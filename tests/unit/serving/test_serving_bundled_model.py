# SPDX-License-Identifier: GPL-3.0-or-later
"""The demonstration model of the repository, served by the real server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from serving_process import REPOSITORY, ServerProcess

MODEL = REPOSITORY / "files" / "model" / "distilbert-demo"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    base_dir = tmp_path_factory.mktemp("demo")
    shutil.copytree(MODEL, base_dir / "model")
    process = ServerProcess(base_dir)
    try:
        yield process.ready()
    finally:
        process.close()


def test_the_request_of_the_readme_is_answered(demo: ServerProcess) -> None:
    answer = demo.invoke({"inputs": ["I love dogs.", "I am not fond of cats though."]})
    assert answer.json() == {"predictions": ["POSITIVE", "NEGATIVE"]}


def test_scores_of_both_labels_add_up_to_one(demo: ServerProcess) -> None:
    for prediction in demo.invoke({"inputs": ["Lovely.", "Awful."], "parameters": {"top_k": None}}).predictions:
        assert {entry["label"] for entry in prediction} == {"POSITIVE", "NEGATIVE"}
        assert sum(entry["score"] for entry in prediction) == pytest.approx(1)


def test_an_answer_does_not_depend_on_what_else_is_in_the_request(demo: ServerProcess) -> None:
    texts = ["I love dogs.", "", "I am not fond of cats though.", "word " * 5000, "Ünïcödé 🐕", "Awful."]
    scores = {"parameters": {"top_k": None}}
    together = demo.invoke({"inputs": texts, **scores}).predictions
    for text, in_company in zip(texts, together, strict=True):
        (alone,) = demo.invoke({"inputs": text, **scores}).predictions
        assert {entry["label"]: pytest.approx(entry["score"], abs=1e-4) for entry in alone} == {
            entry["label"]: entry["score"] for entry in in_company
        }
