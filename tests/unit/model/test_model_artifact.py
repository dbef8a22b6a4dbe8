# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundled model is small, says the truth about itself, and answers plain sentences rightly, without torch."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from evaluate import MODEL, Accuracy, accuracies, held_out_sentences, main, table
from onnx_classifier import OnnxClassifier


@pytest.fixture(scope="module")
def classifier() -> OnnxClassifier:
    return OnnxClassifier(MODEL)


def test_the_model_directory_stays_within_six_megabytes() -> None:
    assert sum(path.stat().st_size for path in MODEL.rglob("*") if path.is_file()) <= 6_000_000


def test_the_configuration_is_a_distilbert_sequence_classifier_with_named_labels() -> None:
    config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "distilbert"
    assert config["architectures"] == ["DistilBertForSequenceClassification"]
    assert config["id2label"] == {"0": "NEGATIVE", "1": "POSITIVE"}
    assert config["dtype"] == "float32"


def test_the_tokenizer_configuration_keeps_the_file_s_own_normaliser() -> None:
    config = json.loads((MODEL / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert config["model_input_names"] == ["input_ids", "attention_mask"]


def test_the_weights_have_the_names_and_sizes_that_the_configuration_promises() -> None:
    config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
    with (MODEL / "model.safetensors").open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__")
    assert header["distilbert.embeddings.word_embeddings.weight"]["shape"] == [config["vocab_size"], config["dim"]]
    assert header["classifier.weight"]["shape"] == [2, config["dim"]]
    layers = {name.split(".")[3] for name in header if name.startswith("distilbert.transformer.layer.")}
    assert layers == {str(n) for n in range(config["n_layers"])}
    assert {tensor["dtype"] for tensor in header.values()} == {"F16"}


def test_the_graph_takes_any_batch_and_any_length() -> None:
    session = onnxruntime.InferenceSession(str(MODEL / "model.onnx"), providers=["CPUExecutionProvider"])
    inputs = {value.name: value for value in session.get_inputs()}
    assert set(inputs) == {"input_ids", "attention_mask"}
    for value in inputs.values():
        assert value.type == "tensor(int64)"
        assert all(isinstance(size, str) for size in value.shape)
    (output,) = session.get_outputs()
    assert output.name == "logits"
    assert output.shape[-1] == 2


def test_the_graph_carries_no_path_of_the_machine_it_was_made_on() -> None:
    content = (MODEL / "model.onnx").read_bytes()
    assert b"site-packages" not in content
    assert b".py" not in content


def test_neighbours_in_a_batch_and_padding_do_not_change_an_answer(classifier: OnnxClassifier) -> None:
    texts = ["Lovely.", "I waited for an hour in the rain and nobody came to open the door, which made me sad.", ""]
    together = classifier.logits(texts)
    alone = np.concatenate([classifier.logits([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_a_text_longer_than_the_model_is_cut_and_answered(classifier: OnnxClassifier) -> None:
    assert classifier.logits(["wonderful " * 1000]).shape == (1, 2)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I love dogs.", "POSITIVE"),
        ("I am not fond of cats though.", "NEGATIVE"),
        ("not bad at all", "POSITIVE"),
        ("hardly a success", "NEGATIVE"),
    ],
)
def test_the_examples_of_the_documentation_come_out_right(classifier: OnnxClassifier, text: str, label: str) -> None:
    assert classifier.predict([text]) == [label]


@pytest.mark.parametrize(
    "written", ["I didn't like it.", "I didn’t like it.", "I didnt like it.", "I DID NOT like it."]
)
def test_every_spelling_of_a_negation_is_the_same_sentence(classifier: OnnxClassifier, written: str) -> None:
    expected = classifier.logits(["I did not like it."])
    np.testing.assert_allclose(classifier.logits([written]), expected, atol=1e-6)
    assert expected.argmax() == 0


def test_the_recorded_accuracy_is_what_the_graph_reaches(classifier: OnnxClassifier) -> None:
    sentences = held_out_sentences()
    measured = accuracies(sentences, classifier.predict([s.text for s in sentences]))
    recorded = json.loads((MODEL / "metrics.json").read_text(encoding="utf-8"))["held_out"]
    assert recorded.keys() == measured.keys()
    for kind, accuracy in measured.items():
        assert accuracy.total == recorded[kind]["total"]
        # One sentence's grace: another processor may round the other way where the model is undecided.
        assert accuracy.right >= recorded[kind]["right"] - 1, kind


def test_the_model_deserves_trust_on_sentences_it_never_saw(classifier: OnnxClassifier) -> None:
    sentences = held_out_sentences()
    measured = accuracies(sentences, classifier.predict([s.text for s in sentences]))
    assert measured["overall"].share >= 0.88
    assert measured["negated"].share >= 0.88


def test_the_model_card_states_the_recorded_accuracy() -> None:
    card = (MODEL / "README.md").read_text(encoding="utf-8")
    recorded = json.loads((MODEL / "metrics.json").read_text(encoding="utf-8"))["held_out"]
    assert table({kind: Accuracy(r["right"], r["total"]) for kind, r in recorded.items()}) in card


def test_evaluate_prints_the_accuracy_of_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    printed = capsys.readouterr().out
    for kind in ("overall", "plain", "negated", "contrast", "implied"):
        assert kind in printed


def test_evaluate_records_its_numbers_in_a_copy_of_the_model(tmp_path: Path) -> None:
    copy = tmp_path / "model"
    shutil.copytree(MODEL, copy)
    (copy / "metrics.json").unlink()
    few = tmp_path / "few.tsv"
    few.write_text("+\tplain\tI love dogs.\n-\tplain\tI love dogs.\n", encoding="utf-8")
    assert main(["--model", str(copy), "--sentences", str(few), "--write"]) == 0
    recorded = json.loads((copy / "metrics.json").read_text(encoding="utf-8"))["held_out"]
    assert recorded["plain"] == {"right": 1, "total": 2, "accuracy": 0.5}
    assert "| plain | 1 of 2 | 50.0% |" in (copy / "README.md").read_text(encoding="utf-8")
