# SPDX-License-Identifier: GPL-3.0-or-later
"""The compiled tasks against transformers' own pipelines, on tiny models of real architectures."""

from __future__ import annotations

import importlib.util
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving.errors import InputError
from serving_ask import answer, load
from serving_process import REPOSITORY
from serving_random_models import (
    ARCHITECTURES,
    EMOTIONS,
    MAX_LENGTH,
    NER,
    NLI,
    TEXTS,
    compile_graph,
    write_random_model,
    write_sentence_transformer,
)

MISSING = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}; run make test-torch"),
]

MakeModel = Callable[..., Path]


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """Makes random models, each once for all tests."""
    made: dict[Any, Path] = {}

    def make(architecture: str, task: str, labels: tuple[str, ...] = (), **config: Any) -> Path:
        key = (architecture, task, labels, *sorted(config.items()))
        if key not in made:
            directory = tmp_path_factory.mktemp(f"{architecture}-{task}")
            made[key] = write_random_model(directory, architecture, task, labels, **config)
        return made[key]

    return make


def ask(model: Path, task: str, inputs: Any, parameters: dict[str, Any] | None = None, batch: int = 5) -> Any:
    return answer(load(model, task), inputs, parameters, batch)


def pipeline(model: Path, task: str) -> Any:
    import transformers

    return transformers.pipeline(task, model=str(model), device="cpu")


def assert_equal(ours: Any, theirs: Any) -> None:
    """Same structure, same texts, scores within 1e-4."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict)
        assert list(ours) == list(theirs) or set(ours) == set(theirs)
        for key, value in theirs.items():
            assert_equal(ours[key], value)
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for our, their in zip(ours, theirs, strict=True):
            assert_equal(our, their)
    elif isinstance(theirs, float | np.floating):
        assert ours == pytest.approx(float(theirs), abs=1e-4)
    else:
        assert ours == theirs


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    "parameters", [{"scores": True}, {"top_k": None}, {"top_k": 2, "function_to_apply": "sigmoid"}]
)
def test_text_classification_scores_are_those_of_the_pipeline(
    make_model: MakeModel, architecture: str, parameters: dict[str, Any]
) -> None:
    model = make_model(architecture, "text-classification", EMOTIONS)
    given = {name: value for name, value in parameters.items() if name != "scores"}
    theirs = pipeline(model, "text-classification")(TEXTS, truncation=True, **given)
    assert_equal(ask(model, "text-classification", TEXTS, parameters), theirs)
    best = pipeline(model, "text-classification")(TEXTS, truncation=True)
    assert ask(model, "text-classification", TEXTS) == [entry["label"] for entry in best]


@pytest.mark.parametrize(
    ("labels", "config"),
    [
        (EMOTIONS, {"problem_type": "multi_label_classification"}),
        (("similarity",), {"problem_type": "regression"}),
        (("relevance",), {}),
    ],
)
def test_what_a_model_was_trained_for_decides_the_function(
    make_model: MakeModel, labels: tuple[str, ...], config: dict[str, str]
) -> None:
    model = make_model("bert", "text-classification", labels, **config)
    theirs = pipeline(model, "text-classification")(TEXTS, truncation=True)
    assert_equal(ask(model, "text-classification", TEXTS, {"scores": True}), theirs)
    readable = ask(model, "text-classification", TEXTS)
    if len(labels) == 1:
        assert readable == pytest.approx([entry["score"] for entry in theirs], abs=1e-4)
    else:
        assert readable == [entry["label"] for entry in theirs]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_pairs_of_texts_are_read_as_pairs_and_cut_alike(make_model: MakeModel, architecture: str) -> None:
    model = make_model(architecture, "text-classification", EMOTIONS)
    chooser = random.Random(5)
    pairs = [{"text": chooser.choice(TEXTS), "text_pair": chooser.choice(TEXTS)} for _ in range(20)]
    theirs = pipeline(model, "text-classification")(pairs, truncation=True, top_k=None)
    assert_equal(ask(model, "text-classification", pairs, {"top_k": None}), theirs)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("strategy", ["none", "simple", "first", "average", "max"])
@pytest.mark.filterwarnings("ignore:Tokenizer does not support real words")
def test_entities_are_those_of_the_pipeline_for_every_strategy(
    make_model: MakeModel, architecture: str, strategy: str
) -> None:
    model = make_model(architecture, "token-classification", NER)
    theirs = pipeline(model, "token-classification")(TEXTS, aggregation_strategy=strategy)
    # A random model finds entities everywhere: there is something to compare.
    assert sum(map(len, theirs)) > 10
    assert_equal(ask(model, "token-classification", TEXTS, {"aggregation_strategy": strategy}), theirs)


def test_entities_are_readable_unless_scores_are_asked_for(make_model: MakeModel) -> None:
    model = make_model("bert", "token-classification", NER)
    grouped = pipeline(model, "token-classification")(TEXTS, aggregation_strategy="simple")
    assert ask(model, "token-classification", TEXTS) == [
        [{"word": entity["word"], "entity": entity["entity_group"]} for entity in found] for found in grouped
    ]
    assert_equal(
        ask(model, "token-classification", TEXTS, {"scores": True}), pipeline(model, "token-classification")(TEXTS)
    )


def test_labels_to_ignore_are_the_callers_choice(make_model: MakeModel) -> None:
    model = make_model("distilbert", "token-classification", NER)
    given = {"aggregation_strategy": "simple", "ignore_labels": ["LOC", "PER"]}
    assert_equal(
        ask(model, "token-classification", TEXTS, given), pipeline(model, "token-classification")(TEXTS, **given)
    )
    everything = {"aggregation_strategy": "none", "ignore_labels": []}
    assert_equal(
        ask(model, "token-classification", TEXTS, everything),
        pipeline(model, "token-classification")(TEXTS, **everything),
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    "parameters",
    [
        {"candidate_labels": ["travel", "animals", "politics"]},
        {"candidate_labels": "travel, animals ,politics", "multi_label": True},
        {"candidate_labels": ["one, with a comma"], "hypothesis_template": "This text is about {}, isn't it?"},
    ],
)
def test_zero_shot_scores_are_those_of_the_pipeline(
    make_model: MakeModel, architecture: str, parameters: dict[str, Any]
) -> None:
    model = make_model(architecture, "zero-shot-classification", NLI)
    texts = [text for text in TEXTS if text]
    theirs = pipeline(model, "zero-shot-classification")(texts, **parameters)
    assert_equal(ask(model, "zero-shot-classification", texts, {**parameters, "scores": True}), theirs)
    readable = ask(model, "zero-shot-classification", texts, {**parameters, "scores": False})
    assert readable == [answer["labels"][0] for answer in theirs]


def test_the_entailment_label_is_found_by_name(make_model: MakeModel) -> None:
    model = make_model("roberta", "zero-shot-classification", ("Entailment", "neutral", "Contradiction"))
    parameters = {"candidate_labels": ["travel", "animals"], "multi_label": True}
    texts = [text for text in TEXTS if text]
    theirs = pipeline(model, "zero-shot-classification")(texts, **parameters)
    assert_equal(ask(model, "zero-shot-classification", texts, parameters), theirs)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_features_are_those_of_the_pipeline(make_model: MakeModel, architecture: str) -> None:
    model = make_model(architecture, "feature-extraction")
    theirs = pipeline(model, "feature-extraction")(TEXTS, truncation=True)
    ours = ask(model, "feature-extraction", TEXTS)
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our, their, atol=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "mean_sqrt_len"])
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("ours", ["our graph", "a graph of the transformer alone"])
def test_sentence_embeddings_are_pooled_as_the_directory_says(
    make_model: MakeModel, tmp_path: Path, pooling: str, normalise: bool, ours: str
) -> None:
    """Worked out here from the hidden states of transformers, as sentence-transformers' Pooling module describes."""
    import torch
    import transformers

    model = Path(shutil.copytree(make_model("mpnet", "feature-extraction"), tmp_path / "model"))
    write_sentence_transformer(model, pooling=pooling, normalise=normalise)
    if ours == "our graph":
        compile_graph(model, "feature-extraction")
    found = np.asarray(ask(model, "feature-extraction", TEXTS))
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    network = transformers.AutoModel.from_pretrained(model).eval()
    for text, vector in zip(TEXTS, found, strict=True):
        encoded = tokenizer(text, return_tensors="pt", truncation=True, max_length=MAX_LENGTH - 16)
        with torch.inference_mode():
            states = network(**encoded).last_hidden_state[0].numpy()
        expected = {
            "mean": states.mean(0),
            "cls": states[0],
            "max": states.max(0),
            "mean_sqrt_len": states.sum(0) / np.sqrt(len(states)),
        }[pooling]
        if normalise:
            expected = expected / np.linalg.norm(expected)
        np.testing.assert_allclose(vector, expected, atol=1e-4)


def masked(model: Path, count: int) -> list[str]:
    import transformers

    mask = transformers.AutoTokenizer.from_pretrained(model).mask_token
    chooser = random.Random(9)
    texts = []
    for text in TEXTS:
        # Short enough for a tokenizer of bytes, so that no mask is cut off.
        words = text.encode()[:36].decode(errors="ignore").split(" ")
        for _ in range(count):
            words.insert(chooser.randrange(len(words) + 1), mask)
        texts.append(" ".join(words))
    return texts


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("masks", [1, 2])
@pytest.mark.parametrize("parameters", [{}, {"top_k": 3}])
def test_masks_are_filled_as_the_pipeline_fills_them(
    make_model: MakeModel, architecture: str, masks: int, parameters: dict[str, Any]
) -> None:
    model = make_model(architecture, "fill-mask")
    texts = masked(model, masks)
    cut = {"tokenizer_kwargs": {"truncation": True}}
    theirs = pipeline(model, "fill-mask")(texts, **parameters, **cut)
    assert_equal(ask(model, "fill-mask", texts, {"scores": True, **parameters}), theirs)
    readable = ask(model, "fill-mask", texts)
    assert all(isinstance(text, str) for text in readable)
    if masks == 1:
        assert readable == [found[0]["sequence"] for found in theirs]


@pytest.mark.parametrize("architecture", ["bert", "roberta", "xlm-roberta"])
def test_targets_limit_what_a_mask_is_filled_with(make_model: MakeModel, architecture: str) -> None:
    model = make_model(architecture, "fill-mask")
    texts = masked(model, 1)
    for targets in (["dog", "fox", "unbelievable"], "Berlin"):
        theirs = pipeline(model, "fill-mask")(texts, targets=targets, top_k=2)
        assert_equal(ask(model, "fill-mask", texts, {"targets": targets, "top_k": 2}), theirs)


def test_a_graph_that_answers_for_every_position_fills_masks_alike(make_model: MakeModel, tmp_path: Path) -> None:
    """Exporters of others know no masked_index."""
    import torch
    import transformers

    ours = make_model("bert", "fill-mask")
    foreign = Path(shutil.copytree(ours, tmp_path / "model", ignore=shutil.ignore_patterns("*.onnx")))
    network = transformers.AutoModelForMaskedLM.from_pretrained(foreign, attn_implementation="eager").eval()
    names = ("input_ids", "attention_mask", "token_type_ids")
    axes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(
            self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
        ) -> torch.Tensor:
            logits: torch.Tensor = self.network(input_ids, attention_mask, token_type_ids).logits
            return logits

    torch.onnx.export(
        Logits().eval(),
        tuple(torch.ones((2, 8), dtype=torch.int64) for _ in names),
        str(foreign / "model.onnx"),
        input_names=list(names),
        output_names=["logits"],
        dynamic_shapes=dict.fromkeys(names, axes),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    texts = masked(ours, 2)
    given = {"top_k": 4}
    assert_equal(ask(foreign, "fill-mask", texts, given), ask(ours, "fill-mask", texts, given))


@pytest.mark.parametrize("task", ["text-classification", "token-classification", "feature-extraction"])
def test_max_length_cuts_as_the_tokenizer_does(make_model: MakeModel, task: str) -> None:
    labels = {"text-classification": EMOTIONS, "token-classification": NER}.get(task, ())
    model = make_model("bert", task, labels)
    network = pipeline(model, task)
    network.tokenizer.model_max_length = 10
    full = {"aggregation_strategy": "none"} if task == "token-classification" else {}
    theirs = network(TEXTS, **({"truncation": True} if task != "token-classification" else {}), **full)
    ours = ask(model, task, TEXTS, {"scores": True, "max_length": 10})
    if task == "feature-extraction":
        for our, their in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(our, their, atol=1e-4)
    else:
        assert_equal(ours, theirs)


def test_a_text_that_is_too_long_is_the_callers_mistake_where_truncation_is_off(make_model: MakeModel) -> None:
    model = make_model("bert", "text-classification", EMOTIONS)
    with pytest.raises(InputError, match=f"more than {MAX_LENGTH} tokens"):
        ask(model, "text-classification", ["short", "long " * 200], {"truncation": False})
    assert ask(model, "text-classification", ["short"], {"truncation": False}) == ask(
        model, "text-classification", ["short"]
    )


def test_a_text_has_the_same_answer_whatever_shares_its_batch(make_model: MakeModel) -> None:
    model = make_model("roberta", "text-classification", EMOTIONS)
    alone: Sequence[Any] = [ask(model, "text-classification", [text], {"top_k": None})[0] for text in TEXTS]
    for batch in (3, len(TEXTS)):
        assert_equal(ask(model, "text-classification", TEXTS, {"top_k": None}, batch=batch), alone)


def test_the_graph_of_a_trained_model_equals_the_pipeline_on_500_texts(tmp_path: Path) -> None:
    material = REPOSITORY / "files" / "model"
    model = Path(
        shutil.copytree(
            material / "distilbert-demo", tmp_path / "model", ignore=shutil.ignore_patterns("model.onnx*", "comp*")
        )
    )
    compile_graph(model, "text-classification")
    lines = (material / "sentences" / "natural.tsv").read_text(encoding="utf-8").splitlines()
    texts = [line.split("\t")[-1] for line in lines][:480] + TEXTS[:20]
    assert len(texts) == 500
    theirs = pipeline(model, "text-classification")(texts, truncation=True, top_k=None)
    assert_equal(ask(model, "text-classification", texts, {"top_k": None}, batch=32), theirs)
    readable = ask(model, "text-classification", texts, batch=32)
    assert readable == [found[0]["label"] for found in theirs]
    assert {"POSITIVE", "NEGATIVE"} == set(readable)
