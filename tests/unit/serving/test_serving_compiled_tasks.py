# SPDX-License-Identifier: GPL-3.0-or-later
"""What a caller may ask of the compiled tasks, and what is refused. What models answer: …_equal_transformers.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving.errors import InputError
from serving.handler import Request
from serving.model_directory import ModelConfig
from serving.tasks.base import finite, sigmoid, softmax
from serving.tasks.entities import Token, entities
from serving.tasks.handler import CompiledHandler
from serving.tasks.text_classification import apply_function, default_function
from serving_ask import answer, load

LABELS = ("O", "B-PER", "I-PER", "B-LOC")


@pytest.fixture(scope="module")
def classifier(tiny_model: Path) -> CompiledHandler:
    return load(tiny_model / "model")


@pytest.fixture(scope="module")
def zero_shot(tiny_model: Path) -> CompiledHandler:
    return load(tiny_model / "model", "zero-shot-classification")


def test_without_parameters_each_text_gets_its_best_label(classifier: CompiledHandler) -> None:
    assert answer(classifier, ["good dogs", "hate"]) == ["POSITIVE", "NEGATIVE"]
    assert answer(classifier, "good dogs") == ["POSITIVE"]


def test_scores_are_given_on_request_and_withheld_on_request(classifier: CompiledHandler) -> None:
    (best,) = answer(classifier, ["good"], {"scores": True})
    assert set(best) == {"label", "score"}
    assert best["label"] == "POSITIVE"
    assert answer(classifier, ["good"], {"top_k": 2, "scores": False}) == ["POSITIVE"]


@pytest.mark.parametrize("top_k", [None, 2, 1000])
def test_top_k_of_null_or_more_than_there_are_gives_every_label(classifier: CompiledHandler, top_k: int | None) -> None:
    for prediction in answer(classifier, ["good", "hate"], {"top_k": top_k}):
        assert {entry["label"] for entry in prediction} == {"NEGATIVE", "POSITIVE"}
        assert sum(entry["score"] for entry in prediction) == pytest.approx(1)


def test_labels_of_the_same_score_keep_the_models_order(classifier: CompiledHandler) -> None:
    rows = classifier.preprocess(Request(["good"], {"top_k": None}))
    tied = [np.zeros(2, np.float32)]
    (prediction,) = classifier.postprocess(Request(["good"], {"top_k": None}), rows, tied)
    assert [entry["label"] for entry in prediction] == ["NEGATIVE", "POSITIVE"]


@pytest.mark.parametrize(
    ("config", "function"),
    [
        (ModelConfig(labels=("A", "B")), "softmax"),
        (ModelConfig(labels=("A", "B"), problem_type="single_label_classification"), "softmax"),
        (ModelConfig(labels=("A", "B"), problem_type="multi_label_classification"), "sigmoid"),
        (ModelConfig(labels=("A",)), "sigmoid"),
        (ModelConfig(labels=("A",), problem_type="regression"), "none"),
    ],
)
def test_the_function_follows_the_models_config_as_transformers_does(config: ModelConfig, function: str) -> None:
    assert default_function(config) == function


@pytest.mark.parametrize("function", ["softmax", "sigmoid"])
def test_large_logits_do_not_overflow(function: str) -> None:
    with np.errstate(all="raise", under="ignore"):
        scores = apply_function(np.asarray([[1e4, -1e4]], dtype=np.float32), function)
    assert scores.tolist() == [[1.0, 0.0]]


def test_scores_of_softmax_add_up_and_those_of_sigmoid_stand_alone() -> None:
    logits = np.asarray([[0.0, 1.0, 2.0]], dtype=np.float32)
    np.testing.assert_allclose(softmax(logits)[0, 2], np.exp(2) / (1 + np.exp(1) + np.exp(2)), rtol=1e-6)
    np.testing.assert_allclose(sigmoid(logits)[0], 1 / (1 + np.exp(-logits[0])), rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_model_that_gives_no_numbers_is_an_error_and_not_an_answer(bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        finite([np.asarray([bad, 0.0], dtype=np.float32)])


@pytest.mark.parametrize(
    "parameters",
    [
        {"top_k": 0},
        {"top_k": "2"},
        {"top_k": 1.5},
        {"top_k": True},
        {"top_k": [1]},
        {"function_to_apply": "relu"},
        {"function_to_apply": []},
        {"scores": 1},
        {"truncation": "yes"},
        {"max_length": 0},
        {"max_length": None},
        {"return_all_scores": True},
    ],
)
def test_a_wrong_parameter_is_refused_with_a_sentence(classifier: CompiledHandler, parameters: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        answer(classifier, ["good"], parameters)
    assert caught.value.status == 400
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(
    ("inputs", "where"),
    [
        (1, "inputs"),
        ({"text": 1}, "inputs.text"),
        ({"text": "a", "pair": "b"}, "inputs"),
        ({"text_pair": "b"}, "inputs"),
        (["a", 1], "inputs[1]"),
        ([None], "inputs[0]"),
        ([["a"]], "inputs[0]"),
        ("\ud800", "inputs"),
        (["a", {"text": "b", "text_pair": "b\udfff"}], "inputs[1].text_pair"),
    ],
)
def test_what_is_not_text_is_refused_and_the_place_is_named(
    classifier: CompiledHandler, inputs: Any, where: str
) -> None:
    with pytest.raises(InputError) as caught:
        answer(classifier, inputs)
    assert caught.value.message.startswith(f"{where} ")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({}, "candidate_labels is missing"),
        ({"candidate_labels": []}, "candidate_labels must be"),
        ({"candidate_labels": " , "}, "candidate_labels must be"),
        ({"candidate_labels": ["a", 1]}, "candidate_labels must be"),
        ({"candidate_labels": "a", "hypothesis_template": "no place"}, "hypothesis_template must be"),
        ({"candidate_labels": "a", "hypothesis_template": "{0.__class__}"}, "hypothesis_template must be"),
        ({"candidate_labels": "a", "hypothesis_template": "{:>1000000000}"}, "hypothesis_template must be"),
        ({"candidate_labels": "a", "multi_label": 1}, "multi_label must be"),
        ({"candidate_labels": ["good " * 5000]}, "A label is too long"),
    ],
)
def test_what_zero_shot_cannot_work_with_is_refused(
    zero_shot: CompiledHandler, parameters: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        answer(zero_shot, ["good"], parameters)


def test_the_work_of_one_zero_shot_request_is_bounded_before_it_begins(zero_shot: CompiledHandler) -> None:
    labels = [str(number) for number in range(1000)]
    with pytest.raises(InputError, match="at most 16384"):
        zero_shot.preprocess(Request(["good"] * 17, {"candidate_labels": labels}))


def tokens(*tagged: tuple[str, int, bool]) -> list[Token]:
    """Tokens with a label of 0.7 each, or 0.9 where a word goes on: (word, label's number, whether it goes on)."""
    found, position = [], 0
    for index, (word, label, continues) in enumerate(tagged):
        scores = np.full(len(LABELS), 0.1, np.float32)
        scores[label] = 0.9 if continues else 0.7
        found.append(Token(word, position, position + len(word), index, continues, scores))
        position += len(word) + 1
    return found


def words(strategy: str, *tagged: tuple[str, int, bool]) -> list[tuple[str, str]]:
    found = entities(tokens(*tagged), LABELS, strategy, ["O"], "".join)
    return [(entity["word"], entity.get("entity_group") or entity["entity"]) for entity in found]


def test_neighbours_with_one_tag_are_one_entity_and_b_begins_the_next() -> None:
    tagged = [("Ada", 1, False), ("Lovelace", 2, False), ("Alan", 1, False), ("in", 0, False), ("Rome", 3, False)]
    assert words("simple", *tagged) == [("AdaLovelace", "PER"), ("Alan", "PER"), ("Rome", "LOC")]
    assert words("none", *tagged)[:2] == [("Ada", "B-PER"), ("Lovelace", "I-PER")]


def test_the_pieces_of_a_word_agree_by_the_strategy() -> None:
    tagged = [("Ro", 3, False), ("me", 1, True)]
    assert words("simple", *tagged) == [("Ro", "LOC"), ("me", "PER")]
    assert words("first", *tagged) == [("Rome", "LOC")]
    assert words("max", *tagged) == [("Rome", "PER")]
    assert words("average", *tagged) == [("Rome", "PER")]


def test_a_text_without_entities_has_an_empty_list() -> None:
    assert words("simple", ("in", 0, False)) == []
    assert words("average") == []
