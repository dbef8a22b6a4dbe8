# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from serving.classification import ClassificationParameters, apply_function, check_texts, predictions
from serving.errors import InputError
from serving.model_directory import ModelConfig

CONFIG = ModelConfig(labels=("NEGATIVE", "NEUTRAL", "POSITIVE"))
LOGITS = np.asarray([[0.0, 1.0, 2.0], [3.0, -1.0, 0.0]], dtype=np.float32)


def answer(parameters: dict[str, Any], config: ModelConfig = CONFIG) -> list[Any]:
    return predictions(LOGITS[:, : len(config.labels)], config, ClassificationParameters.parse(parameters))


def test_without_parameters_each_text_gets_its_best_label() -> None:
    assert answer({}) == ["POSITIVE", "NEGATIVE"]


def test_top_k_gives_labels_with_scores_best_first() -> None:
    first, second = answer({"top_k": 2})
    assert [entry["label"] for entry in first] == ["POSITIVE", "NEUTRAL"]
    assert [entry["label"] for entry in second] == ["NEGATIVE", "POSITIVE"]
    assert first[0]["score"] == pytest.approx(np.exp(2) / (1 + np.exp(1) + np.exp(2)))


@pytest.mark.parametrize("top_k", [None, 3, 1000])
def test_top_k_of_null_or_more_than_there_are_gives_every_label(top_k: int | None) -> None:
    for prediction in answer({"top_k": top_k}):
        assert {entry["label"] for entry in prediction} == set(CONFIG.labels)
        assert sum(entry["score"] for entry in prediction) == pytest.approx(1)


def test_labels_of_the_same_score_keep_the_models_order() -> None:
    chosen = ClassificationParameters.parse({"top_k": None})
    (prediction,) = predictions(np.zeros((1, 3), dtype=np.float32), CONFIG, chosen)
    assert [entry["label"] for entry in prediction] == list(CONFIG.labels)


@pytest.mark.parametrize(
    ("config", "function"),
    [
        (CONFIG, "softmax"),
        (ModelConfig(labels=("A", "B", "C"), problem_type="single_label_classification"), "softmax"),
        (ModelConfig(labels=("A", "B", "C"), problem_type="multi_label_classification"), "sigmoid"),
        (ModelConfig(labels=("A",)), "sigmoid"),
        (ModelConfig(labels=("A",), problem_type="regression"), "none"),
        (ModelConfig(labels=("A", "B", "C"), function_to_apply="none"), "none"),
    ],
)
def test_the_function_follows_the_models_config_as_transformers_does(config: ModelConfig, function: str) -> None:
    logits = LOGITS[:, : len(config.labels)]
    scores = [max(entry["score"] for entry in prediction) for prediction in answer({"top_k": None}, config)]
    assert scores == pytest.approx(apply_function(logits, function).max(axis=1).tolist())


def test_the_caller_may_choose_the_function() -> None:
    assert answer({"top_k": 1, "function_to_apply": "none"})[0][0]["score"] == 2.0
    assert answer({"top_k": 1, "function_to_apply": "sigmoid"})[0][0]["score"] == pytest.approx(1 / (1 + np.exp(-2)))


@pytest.mark.parametrize("function", ["softmax", "sigmoid"])
def test_large_logits_do_not_overflow(function: str) -> None:
    with np.errstate(all="raise", under="ignore"):
        scores = apply_function(np.asarray([[1e4, -1e4]], dtype=np.float32), function)
    assert scores.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize(
    "parameters",
    [
        {"top_k": 0},
        {"top_k": -1},
        {"top_k": "2"},
        {"top_k": 1.5},
        {"top_k": True},
        {"top_k": [1]},
        {"function_to_apply": "relu"},
        {"function_to_apply": 1},
        {"function_to_apply": []},
        {"return_all_scores": True},
    ],
)
def test_a_wrong_parameter_is_refused_with_a_sentence(parameters: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        ClassificationParameters.parse(parameters)
    assert caught.value.status == 400
    assert caught.value.message.endswith(".")


def test_one_text_counts_as_a_list_of_one() -> None:
    assert check_texts("a") == ["a"]
    assert check_texts(["a", ""]) == ["a", ""]


@pytest.mark.parametrize(
    ("inputs", "where"),
    [
        (1, "inputs"),
        ({"text": "a"}, "inputs"),
        (["a", 1], "inputs[1]"),
        ([None], "inputs[0]"),
        ([["a"]], "inputs[0]"),
        ("\ud800", "inputs"),
        (["a", "b\udfff"], "inputs[1]"),
    ],
)
def test_what_is_not_text_is_refused_and_the_place_is_named(inputs: Any, where: str) -> None:
    with pytest.raises(InputError) as caught:
        check_texts(inputs)
    assert caught.value.message.startswith(f"{where} is not ")
