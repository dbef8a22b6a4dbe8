# SPDX-License-Identifier: GPL-3.0-or-later
"""The ten tasks against transformers' own pipelines, on tiny models with random weights."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from serving.errors import InputError
from toolkit_media import WORDS, image, png, sound, wav
from toolkit_served import Asked, load

Served = Callable[..., Asked]
Pipeline = Callable[[str], Any]


def some_texts(count: int, longest: int = 40) -> list[str]:
    """Texts of any length, the same at every call."""
    chooser = random.Random(3)
    return [" ".join(chooser.choices(WORDS, k=chooser.randrange(1, longest))) for _ in range(count)]


def assert_same(ours: Any, theirs: Any, where: str = "") -> None:
    """Equal in shape, in texts and, within rounding, in numbers."""
    theirs = theirs.tolist() if isinstance(theirs, np.ndarray | np.generic) else theirs
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs), where
        for name in theirs:
            assert_same(ours[name], theirs[name], f"{where}.{name}")
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs), where
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            assert_same(*pair, f"{where}[{index}]")
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, abs=1e-4), where
    else:
        assert ours == theirs, where


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("text-classification", {"scores": True}),
        ("text-classification", {"top_k": 1}),
        ("text-classification", {"top_k": 2}),
        ("text-classification", {"top_k": None}),
        ("text-classification", {"function_to_apply": "sigmoid"}),
        ("text-classification", {"top_k": None, "function_to_apply": "none"}),
        ("regression", {"scores": True}),
        ("token-classification", {"scores": True}),
        ("token-classification", {"aggregation_strategy": "none"}),
        ("token-classification", {"aggregation_strategy": "simple"}),
        ("token-classification", {"aggregation_strategy": "first", "ignore_labels": []}),
        ("token-classification", {"aggregation_strategy": "max", "ignore_labels": ["PER"]}),
        ("zero-shot-classification", {"candidate_labels": ["cats", "dogs", "river"], "scores": True}),
        ("zero-shot-classification", {"candidate_labels": "cats, dogs", "multi_label": True}),
        ("zero-shot-classification", {"candidate_labels": ["cats, dogs", " river"], "scores": True}),
        ("zero-shot-classification", {"candidate_labels": ["cats"], "multi_label": False}),
        (
            "zero-shot-classification",
            {"candidate_labels": ["cats", "dogs"], "hypothesis_template": "i like {} .", "scores": True},
        ),
        ("feature-extraction", {}),
        ("text2text-generation", {"scores": True, "max_new_tokens": 8}),
        ("text2text-generation", {"max_length": 6, "num_beams": 2, "num_return_sequences": 2}),
        ("text2text-generation", {"scores": True, "num_beams": 1, "max_new_tokens": 5, "repetition_penalty": 1.5}),
        ("text-generation", {"scores": True, "do_sample": False, "max_new_tokens": 5}),
        ("text-generation", {"scores": True, "do_sample": False, "max_new_tokens": 5, "return_full_text": False}),
        ("text-generation", {"num_beams": 3, "num_return_sequences": 2, "do_sample": False, "max_new_tokens": 4}),
    ],
)
def test_texts_in_batches_are_answered_as_the_pipeline_answers_each_alone(
    kind: str, parameters: dict[str, Any], served: Served, pipeline: Pipeline
) -> None:
    texts = some_texts(12, longest=30)
    ours = served(kind).ask(texts, parameters)
    theirs = pipeline(kind)
    named = {name: value for name, value in parameters.items() if name != "scores"}
    for text, answer in zip(texts, ours, strict=True):
        expected = theirs(text, **named)
        if kind in ("text-classification", "regression") and "top_k" not in named:
            # For one text alone the pipeline puts the answer into a list.
            expected = expected[0]
        assert_same(answer, expected, text)


@pytest.mark.parametrize(
    "parameters", [{"scores": True}, {"top_k": 2}, {"targets": ["cats", "dogs"]}, {"targets": "river"}]
)
def test_masks_are_filled_as_the_pipeline_fills_them(
    parameters: dict[str, Any], served: Served, pipeline: Pipeline
) -> None:
    texts = ["i love [MASK] .", "[MASK] you hate very much dogs", "i [MASK] not [MASK] ."]
    named = {name: value for name, value in parameters.items() if name != "scores"}
    ours = served("fill-mask").ask(texts, parameters)
    for text, answer in zip(texts, ours, strict=True):
        assert_same(answer, pipeline("fill-mask")(text, **named), text)


@pytest.mark.parametrize(
    "parameters",
    [
        {"scores": True},
        {"top_k": 3},
        {"scores": True, "max_answer_len": 2, "handle_impossible_answer": True},
        {"scores": True, "max_seq_len": 24, "doc_stride": 4, "max_question_len": 6, "align_to_words": False},
    ],
)
def test_questions_are_answered_as_the_pipeline_answers_them(
    parameters: dict[str, Any], served: Served, pipeline: Pipeline
) -> None:
    # The last contexts are longer than the model reads, and are read in windows.
    asked = [{"question": "what do you like ?", "context": text} for text in some_texts(5, longest=100)]
    ours = served("question-answering").ask(asked, parameters)
    named = {name: value for name, value in parameters.items() if name != "scores"}
    limits = {"max_seq_len": 48, "max_question_len": 22, "doc_stride": 21, **named}
    for entry, answer in zip(asked, ours, strict=True):
        assert_same(answer, pipeline("question-answering")(**entry, **limits), entry["context"])


@pytest.mark.parametrize("parameters", [{"scores": True}, {"top_k": 2}, {"top_k": 3, "function_to_apply": "sigmoid"}])
def test_images_are_classified_as_the_pipeline_classifies_them(
    parameters: dict[str, Any], served: Served, pipeline: Pipeline
) -> None:
    import base64

    images = [image(size, seed) for seed, size in enumerate([(16, 16), (40, 20), (7, 90)])]
    ours = served("image-classification").ask([base64.b64encode(png(one)).decode() for one in images], parameters)
    named = {name: value for name, value in parameters.items() if name != "scores"}
    for one, answer in zip(images, ours, strict=True):
        assert_same(answer, pipeline("image-classification")(one, **named))


@pytest.mark.parametrize(
    "parameters",
    [
        {"scores": True},
        {"return_timestamps": "word"},
        {"scores": True, "chunk_length_s": 1.5, "stride_length_s": [0.2, 0.1]},
    ],
)
def test_speech_is_heard_as_the_pipeline_hears_it(
    parameters: dict[str, Any], served: Served, pipeline: Pipeline
) -> None:
    import base64

    sounds = [sound(seconds, 16_000, seed) for seed, seconds in enumerate([1.0, 2.5, 1.0])]
    asked = [base64.b64encode(wav(one, 16_000)).decode() for one in sounds]
    ours = served("automatic-speech-recognition").ask(asked, parameters)
    named = {name: value for name, value in parameters.items() if name != "scores"}
    for one, answer in zip(sounds, ours, strict=True):
        expected = pipeline("automatic-speech-recognition")({"raw": one, "sampling_rate": 16_000}, **named)
        assert_same(answer, expected)


def test_sentences_get_the_vectors_of_sentence_transformers(served: Served, model: Any) -> None:
    from sentence_transformers import SentenceTransformer

    texts = some_texts(9)
    expected = SentenceTransformer(str(model("sentence-embedding")), device="cpu").encode(texts)
    assert_same(served("sentence-embedding").ask(texts), expected)


def test_pairs_of_texts_are_classified_as_the_pipeline_does(served: Served, pipeline: Pipeline) -> None:
    pairs = [{"text": "i love dogs", "text_pair": "you hate cats very much"}, {"text": "good"}]
    ours = served("text-classification").ask(pairs, {"top_k": None})
    for pair, answer in zip(pairs, ours, strict=True):
        assert_same(answer, pipeline("text-classification")(pair, top_k=None))


def test_an_object_detector_is_served_as_it_is(served: Served, pipeline: Pipeline) -> None:
    one = image((30, 20), 1)
    ours = served("object-detection").ask(png(one), {"threshold": 0.1}, content_type="image/png")
    assert_same(ours, [pipeline("object-detection")(one, threshold=0.1)])


@pytest.mark.parametrize(
    ("kind", "inputs", "parameters"),
    [
        ("text-classification", "i love dogs", {}),
        ("regression", "i love dogs", {}),
        ("token-classification", "i am fond of cats", {}),
        ("zero-shot-classification", "i love dogs", {"candidate_labels": ["cats", "dogs"]}),
        ("fill-mask", "i love [MASK]", {}),
        ("question-answering", {"question": "what ?", "context": "i love dogs"}, {}),
        ("text2text-generation", "i love dogs .", {"max_new_tokens": 8}),
        ("text-generation", "i love dogs", {"max_new_tokens": 4, "do_sample": False}),
        ("image-classification", None, {}),
        ("automatic-speech-recognition", None, {}),
    ],
)
def test_without_scores_an_answer_is_a_value_that_people_read(
    kind: str, inputs: Any, parameters: dict[str, Any], served: Served, pipeline: Pipeline
) -> None:
    import base64

    media = {
        "image-classification": png(image((16, 16), 0)),
        "automatic-speech-recognition": wav(sound(1, 16_000, 0), 16_000),
    }
    asked = base64.b64encode(media[kind]).decode() if kind in media else inputs
    (full,) = served(kind).ask(asked, {**parameters, "scores": True})
    (readable,) = served(kind).ask(asked, parameters)
    expected = {
        "text-classification": lambda: full["label"],
        "regression": lambda: full["score"],
        "token-classification": lambda: [
            {"word": found["word"], "entity": found["entity_group"]}
            for found in pipeline(kind)(inputs, aggregation_strategy="simple")
        ],
        "zero-shot-classification": lambda: full["labels"][0],
        "fill-mask": lambda: full[0]["sequence"],
        "question-answering": lambda: full["answer"],
        "text2text-generation": lambda: full[0]["generated_text"],
        "text-generation": lambda: full[0]["generated_text"],
        "image-classification": lambda: full[0]["label"],
        "automatic-speech-recognition": lambda: full["text"],
    }[kind]()
    assert readable == expected
    assert readable not in ("", None, [])


def test_a_parameter_that_asks_for_scores_gives_way_to_scores_false(served: Served) -> None:
    assert isinstance(served("text-classification").ask("good", {"top_k": 2, "scores": False})[0], str)


def test_several_masks_are_filled_in_the_readable_answer(served: Served, pipeline: Pipeline) -> None:
    text = "i [MASK] not [MASK] dogs"
    best = [found[0]["token_str"] for found in pipeline("fill-mask")(text)]
    assert served("fill-mask").ask(text) == [f"i {best[0]} not {best[1]} dogs"]


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("text-classification", {"top_k": None}),
        ("token-classification", {"scores": True}),
        ("zero-shot-classification", {"candidate_labels": ["cats", "dogs"], "scores": True}),
        ("feature-extraction", {}),
        ("sentence-embedding", {}),
        ("fill-mask", {"scores": True}),
        ("text2text-generation", {"max_new_tokens": 4}),
        ("text-generation", {"max_new_tokens": 4, "do_sample": False, "return_full_text": False}),
    ],
)
def test_a_text_that_is_too_long_is_cut_and_changes_nothing_for_its_neighbours(
    kind: str, parameters: dict[str, Any], served: Served
) -> None:
    short, long = "i [MASK] dogs", "[MASK] " + " ".join(some_texts(40))
    if kind != "fill-mask":
        short, long = short.replace("[MASK]", "love"), long.replace("[MASK]", "good")
    asked = served(kind)
    together = asked.ask([short, long, short], parameters)
    assert_same(together[0], asked.ask(short, parameters)[0])
    assert_same(together[2], together[0])
    if kind not in ("text2text-generation", "text-generation"):
        # What lies beyond the model's length takes no part.
        cut = " ".join(long.split()[:46])
        if kind != "zero-shot-classification":
            assert_same(asked.ask(cut, parameters)[0], together[1])
        with pytest.raises(InputError, match="truncation is false"):
            asked.ask([short, long], {**parameters, "truncation": False})


def test_a_caller_may_cut_shorter(served: Served) -> None:
    asked = served("text-classification")
    assert asked.ask("i love dogs very much", {"max_length": 4, "top_k": None}) == asked.ask("i love", {"top_k": None})
    assert asked.ask("i love dogs very much", {"top_k": None}) != asked.ask("i love", {"top_k": None})


def test_a_csv_document_gives_its_inputs(served: Served) -> None:
    body = b'inputs\r\ni love dogs\r\n"bad, very bad"\r\n'
    from_csv = served("text-classification").ask(None, body=body, content_type="text/csv; charset=utf-8")
    assert from_csv == served("text-classification").ask(["i love dogs", "bad, very bad"])


def test_the_task_is_found_in_the_architecture_where_it_is_not_said(model: Any) -> None:
    assert load(model("question-answering")).ask({"question": "who ?", "context": "i love dogs"})[0]
    assert len(load(model("sentence-embedding")).ask("i love dogs")[0]) == 16


def test_every_model_answers_its_own_example(served: Served) -> None:
    import toolkit_models

    for kind in toolkit_models.MODELS:
        asked = served(kind)
        example = asked.handler.example()
        assert len(asked.ask_request(example)) == example.count, kind
