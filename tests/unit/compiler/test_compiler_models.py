# SPDX-License-Identifier: GPL-3.0-or-later
"""Real architectures, tiny and random, through the whole compiler. Needs torch (make test-torch)."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

MISSING = [name for name in ("torch", "transformers", "onnxscript") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]

DEMO = Path(__file__).resolve().parents[3] / "files" / "model" / "distilbert-demo"
EMOTIONS = ("anger", "joy", "sadness")


def compiled(source: Path, destination: Path, task: str, **options: Any) -> tuple[dict[str, Any], list[str]]:
    """The report, and what was said on the way."""
    from compiler.compile import Options, compile_model

    said: list[str] = []
    options = {"source": source, "destination": destination, "task": task, "say": said.append, "threads": 2} | options
    return compile_model(Options(**options)), said


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The demonstration model without its graph."""
    path = tmp_path / "source"
    shutil.copytree(DEMO, path, ignore=shutil.ignore_patterns("*.onnx", "compilation.json", "*.md"))
    return path


@pytest.mark.parametrize(
    ("architecture", "task", "output"),
    [
        ("bert", "zero-shot-classification", "logits"),
        ("roberta", "token-classification", "logits"),
        ("xlm-roberta", "text-classification", "logits"),
        ("albert", "fill-mask", "logits"),
        ("electra", "text-classification", "logits"),
        ("mpnet", "feature-extraction", "last_hidden_state"),
        ("distilbert", "fill-mask", "logits"),
    ],
)
def test_the_graph_of_an_architecture_answers_as_torch_does(
    tmp_path: Path, architecture: str, task: str, output: str
) -> None:
    import onnxruntime
    from serving_random_models import NER, NLI, write_random_model

    labels = {"token-classification": NER, "zero-shot-classification": NLI, "text-classification": EMOTIONS}
    directory = write_random_model(tmp_path / "source", architecture, task, labels.get(task, ()))
    report, said = compiled(directory, tmp_path / "out", task, precision="fp32")
    assert report["precision"] == "fp32"
    assert any(line.startswith("fp32 agrees") for line in said)
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "model.onnx"), providers=["CPUExecutionProvider"])
    assert [node.name for node in session.get_outputs()] == [output]
    for node in session.get_inputs():
        assert node.type == "tensor(int64)"
        assert all(isinstance(size, str) for size in node.shape)
    assert ("masked_index" in [node.name for node in session.get_inputs()]) is (task == "fill-mask")


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_sentence_transformer_gets_its_sentence_embedding(tmp_path: Path, pooling: str) -> None:
    import onnxruntime
    from serving_random_models import write_random_model, write_sentence_transformer

    directory = write_random_model(tmp_path / "source", "bert", "feature-extraction")
    write_sentence_transformer(directory, pooling=pooling)
    report, _ = compiled(directory, tmp_path / "out", "feature-extraction", precision="fp32")
    assert report["agreement"]["similarity"] >= report["agreement"]["required_similarity"]
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "model.onnx"), providers=["CPUExecutionProvider"])
    assert "sentence_embedding" in [node.name for node in session.get_outputs()]
    row = np.array([[5, 6, 7]])
    feeds = {
        node.name: row if node.name == "input_ids" else np.ones_like(row) * (node.name == "attention_mask")
        for node in session.get_inputs()
    }
    vector = session.run(["sentence_embedding"], feeds)[0]
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert (tmp_path / "out" / "1_Pooling" / "config.json").is_file()


def test_the_same_model_compiles_to_the_same_bytes(source: Path, tmp_path: Path) -> None:
    digests = []
    for name in ("first", "second"):
        compiled(source, tmp_path / name, "text-classification")
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        digests.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files})
    assert digests[0] == digests[1]


def test_int8_is_served_where_it_agrees_and_the_report_says_how_far(source: Path, tmp_path: Path) -> None:
    report, said = compiled(source, tmp_path / "out", "text-classification")
    written = json.loads((tmp_path / "out" / "compilation.json").read_text(encoding="utf-8"))
    assert written == report
    assert report["precision"] == "int8"
    agreement = report["agreement"]
    assert agreement["texts"] >= 500
    assert agreement["same_label"] >= agreement["required_same_label"] == 0.995
    assert 0 < agreement["max_score_difference"] <= agreement["allowed_max_score_difference"]
    assert any("int8 agrees with the original" in line for line in said)
    graph = (tmp_path / "out" / "model.onnx").read_bytes()
    assert report["graph_sha256"] == hashlib.sha256(graph).hexdigest()
    assert b"site-packages" not in graph
    assert not list((tmp_path / "out").glob("*.safetensors"))


def test_outliers_that_would_turn_labels_are_taken_out(source: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    # One channel of great values that nobody reads, as large models have them: all others then share a few steps.
    weights = load_file(source / "model.safetensors")
    for layer in range(3):
        weights[f"distilbert.transformer.layer.{layer}.ffn.lin1.bias"][0] = 1000
        weights[f"distilbert.transformer.layer.{layer}.ffn.lin2.weight"][:, 0] = 0
    save_file(weights, source / "model.safetensors", metadata={"format": "pt"})
    report, said = compiled(source, tmp_path / "out", "text-classification")
    assert report["precision"] == "int8"
    assert report["reason"].startswith("int8 without outliers")
    assert any(line.startswith("int8 does not agree: ") for line in said)


def test_int8_that_is_too_far_off_is_not_served_and_not_hidden(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from compiler import agreement

    monkeypatch.setattr(agreement, "INT8", dataclasses.replace(agreement.INT8, max_score_difference=1e-6))
    report, said = compiled(source, tmp_path / "out", "text-classification")
    assert report["precision"] == "fp32"
    assert "int8 does not agree well enough" in report["reason"]
    assert report["int8_agreement"]["max_score_difference"] > 1e-6
    assert report["agreement"]["same_label"] == 1.0
    assert any("int8 does not agree well enough" in line for line in said)


def test_where_the_model_comes_from_is_in_the_report(source: Path, tmp_path: Path) -> None:
    origin = {"model_id": "someone/model", "commit": "0" * 40}
    report, _ = compiled(source, tmp_path / "out", "text-classification", precision="fp32", origin=origin)
    assert report["source"] == origin
    assert {"torch", "transformers", "onnx", "onnxruntime"} <= report["versions"].keys()


def refused(source: Path, tmp_path: Path, task: str = "text-classification", **options: Any) -> str:
    from compiler.errors import CompileError

    with pytest.raises(CompileError) as error:
        compiled(source, tmp_path / "out", task, **options)
    assert not (tmp_path / "out" / "model.onnx").exists()
    return str(error.value)


def change_config(source: Path, **values: Any) -> None:
    path = source / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")


def test_pickled_weights_are_refused_unless_asked_for_in_words(source: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(source / "model.safetensors"), source / "pytorch_model.bin")
    (source / "model.safetensors").unlink()
    assert "--allow-pickle" in refused(source, tmp_path)
    report, _ = compiled(source, tmp_path / "out", "text-classification", precision="fp32", allow_pickle=True)
    assert report["precision"] == "fp32"


def test_a_model_that_needs_code_of_its_own_is_refused_and_its_code_not_run(source: Path, tmp_path: Path) -> None:
    proof = tmp_path / "was_run"
    (source / "modeling_own.py").write_text(f"open({str(proof)!r}, 'w')", encoding="utf-8")
    change_config(source, auto_map={"AutoModelForSequenceClassification": "modeling_own.Own"})
    assert "image_runtime: toolkit" in refused(source, tmp_path)
    assert not proof.exists()


def test_a_model_of_another_task_is_refused(source: Path, tmp_path: Path) -> None:
    assert "needs a …ForTokenClassification" in refused(source, tmp_path, "token-classification")


def test_weights_without_a_head_are_refused_instead_of_answering_at_random(source: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(source / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier")}
    save_file(kept, source / "model.safetensors", metadata={"format": "pt"})
    assert "classifier.bias" in refused(source, tmp_path)


def test_a_decoder_is_refused(source: Path, tmp_path: Path) -> None:
    change_config(source, is_decoder=True)
    assert "only encoders can be compiled" in refused(source, tmp_path)


def test_a_directory_without_weights_or_config_is_refused(source: Path, tmp_path: Path) -> None:
    (source / "model.safetensors").unlink()
    assert "no weights" in refused(source, tmp_path)
    (source / "config.json").unlink()
    assert "no config.json" in refused(source, tmp_path)


def test_a_destination_that_holds_something_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine", encoding="utf-8")
    assert "is not empty" in refused(source, tmp_path)


def test_an_unknown_pooling_is_refused(tmp_path: Path) -> None:
    from serving_random_models import write_random_model, write_sentence_transformer

    directory = write_random_model(tmp_path / "source", "bert", "feature-extraction")
    write_sentence_transformer(directory)
    (directory / "1_Pooling" / "config.json").write_text('{"pooling_mode_lasttoken": true}', encoding="utf-8")
    assert "pooling" in refused(directory, tmp_path, "feature-extraction")
