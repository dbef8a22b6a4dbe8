# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading and running a graph, on a tiny model whose answers can be worked out by hand."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving.errors import InputError, ModelLoadError
from serving.handler import Request
from serving.model_directory import ModelConfig, ModelDirectory
from serving.runtimes.graph import Graph
from serving.runtimes.text import TextEncoder, feeds
from serving_ask import answer, load
from serving_process import CONTEXT
from serving_tiny_model import MAX_LENGTH, WORDS, expected_logits, write_tiny_model

RAW = {"top_k": None, "function_to_apply": "none"}


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may spoil."""
    return Path(shutil.copytree(tiny_model / "model", tmp_path / "model"))


def logits(model: Path, texts: list[str], batch: int = 5, **settings: Any) -> np.ndarray:
    """The model's numbers, in the order of its labels."""
    found = answer(load(model, **settings), texts, RAW, batch)
    return np.asarray(
        [[entry["score"] for entry in sorted(row, key=lambda entry: str(entry["label"]))] for row in found]
    )


def write_report(model: Path, **changes: Any) -> None:
    report = {
        "format": 1,
        "task": "text-classification",
        "graph": "model.onnx",
        "graph_sha256": hashlib.sha256((model / "model.onnx").read_bytes()).hexdigest(),
        "precision": "fp32",
        "optimised": True,
        **changes,
    }
    (model / "compilation.json").write_text(json.dumps(report), encoding="utf-8")


def change_config(model: Path, **changes: Any) -> None:
    path = model / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


@pytest.mark.parametrize("batch", [1, 3, 40])
def test_each_text_gets_its_own_logits_in_order_whatever_the_batches(tiny_model: Path, batch: int) -> None:
    chooser = random.Random(1)
    texts = [" ".join(chooser.choices(list(WORDS)[4:], k=chooser.randrange(12))) for _ in range(40)]
    found = logits(tiny_model / "model", texts, batch)
    np.testing.assert_allclose(found, [expected_logits(text) for text in texts], rtol=1e-5, atol=1e-6)


def test_a_text_that_is_too_long_is_cut_and_not_refused(tiny_model: Path) -> None:
    # What follows the cut would turn the answer.
    text = "good " * (MAX_LENGTH - 2) + "hate " * 5000
    np.testing.assert_allclose(logits(tiny_model / "model", [text])[0], expected_logits(text), rtol=1e-5)


def test_a_text_whose_words_come_late_is_read_to_its_end(tiny_model: Path) -> None:
    found = logits(tiny_model / "model", [" " * 100_000 + "good"])
    np.testing.assert_allclose(found[0], expected_logits("good"), rtol=1e-5)


def test_a_text_can_be_cut_at_its_beginning(model: Path) -> None:
    path = model / "tokenizer_config.json"
    config = {**json.loads(path.read_text(encoding="utf-8")), "truncation_side": "left"}
    path.write_text(json.dumps(config), encoding="utf-8")
    found = logits(model, ["hate " * 5000 + "good " * (MAX_LENGTH - 2)])
    np.testing.assert_allclose(found[0], expected_logits("good " * (MAX_LENGTH - 2)), rtol=1e-5)


def test_the_length_can_be_set_lower_for_all_and_for_one_request(tiny_model: Path) -> None:
    text = "good " * 6 + "hate " * 6
    np.testing.assert_allclose(
        logits(tiny_model / "model", [text], max_length=8)[0], expected_logits("good " * 6), rtol=1e-5
    )
    handler = load(tiny_model / "model")
    assert answer(handler, ["hate good good"], {"max_length": 3}) == ["NEGATIVE"]
    assert answer(handler, ["hate good good"]) == answer(handler, ["hate good good"], {"max_length": 1000})
    with pytest.raises(InputError, match="at least 3"):
        answer(handler, ["good"], {"max_length": 2})


@pytest.mark.parametrize("text", ["", " ", "\n", "\x00", "🐕", "é" * 3, "\u202e\ufeff"])
def test_a_text_without_words_is_answered_too(tiny_model: Path, text: str) -> None:
    assert np.isfinite(logits(tiny_model / "model", [text, "good"])).all()


def test_a_graph_that_wants_token_type_ids_gets_them(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model", ("input_ids", "attention_mask", "token_type_ids", "position_ids"))
    np.testing.assert_allclose(logits(tmp_path / "model", ["good dogs"])[0], expected_logits("good dogs"), rtol=1e-5)


def test_a_graph_with_an_unknown_input_is_refused_and_the_input_named(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model", ("input_ids", "attention_mask", "pixel_values"))
    with pytest.raises(ModelLoadError, match="pixel_values"):
        load(tmp_path / "model")


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("config.json", r"has no config\.json"),
        ("tokenizer.json", r"no tokenizer\.json"),
        ("model.onnx", r"has no graph \(model\.onnx\): it holds .* image_runtime: toolkit"),
    ],
)
def test_a_missing_file_is_named(model: Path, missing: str, sentence: str) -> None:
    (model / missing).unlink()
    with pytest.raises(ModelLoadError, match=sentence):
        load(model)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.onnx"])
@pytest.mark.parametrize("content", [b"", b"{}x", b"\xff\x00" * 100])
def test_a_spoiled_file_is_named(model: Path, name: str, content: bytes) -> None:
    (model / name).write_bytes(content)
    with pytest.raises(ModelLoadError) as caught:
        load(model)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_graph_that_is_the_compiled_one_is_served(model: Path) -> None:
    write_report(model)
    assert answer(load(model), ["good", "bad"]) == ["POSITIVE", "NEGATIVE"]


def test_a_graph_that_is_not_the_compiled_one_is_refused(model: Path) -> None:
    write_report(model, graph_sha256="0" * 64)
    with pytest.raises(ModelLoadError, match=r"model\.onnx is not the file that was compiled.*package the model again"):
        load(model)


def test_a_damaged_graph_is_told_from_one_that_onnxruntime_does_not_know(model: Path) -> None:
    write_report(model)
    (model / "model.onnx").write_bytes((model / "model.onnx").read_bytes()[:-100])
    with pytest.raises(ModelLoadError, match="damaged on its way"):
        load(model)


def test_a_missing_file_of_tensors_is_named(model: Path) -> None:
    write_report(model, graph_data_sha256="0" * 64)
    with pytest.raises(ModelLoadError, match=r"no model\.onnx_data"):
        load(model)


def test_a_report_of_another_format_is_refused(model: Path) -> None:
    write_report(model, format=2)
    with pytest.raises(ModelLoadError, match="format 2; this server reads format 1"):
        load(model)


def test_the_task_is_the_one_that_the_graph_was_compiled_for(model: Path) -> None:
    write_report(model, task="sentiment-analysis")
    assert answer(load(model), ["good"]) == ["POSITIVE"]
    with pytest.raises(ModelLoadError, match=r"'fill-mask'.*was compiled for text-classification"):
        load(model, "fill-mask")


def test_a_task_that_no_graph_can_do_is_refused_with_the_way_out(tiny_model: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"'text-generation'; a compiled model does .* image_runtime: toolkit"):
        load(tiny_model / "model", "text-generation")


@pytest.mark.parametrize("task", ["text-classification", "zero-shot-classification"])
def test_a_model_without_the_tasks_head_is_refused(model: Path, task: str) -> None:
    change_config(model, architectures=["DistilBertForMaskedLM"])
    with pytest.raises(ModelLoadError, match=r"DistilBertForMaskedLM.*ForSequenceClassification"):
        load(model, task)


def test_labels_that_do_not_fit_the_graph_stop_the_model_from_loading(model: Path) -> None:
    change_config(model, id2label={"0": "A", "1": "B", "2": "C"})
    with pytest.raises(ModelLoadError, match=r"tells 2 labels apart, and id2label.* names 3"):
        load(model)


def test_a_graph_is_served_without_torch_and_transformers(tiny_model: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from serving.settings import Settings\n"
        "from serving.tasks.handler import CompiledHandler\n"
        "early = {'onnxruntime', 'numpy', 'tokenizers'} & set(sys.modules)\n"
        "handler = CompiledHandler(); handler.initialize(Settings(model_dir=Path(sys.argv[1])))\n"
        "request = handler.example(); rows = handler.preprocess(request)\n"
        "handler.postprocess(request, rows, handler.inference(rows, 1))\n"
        "print(sorted(early), sorted({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, str(tiny_model / "model")]
    done = subprocess.run(command, cwd=CONTEXT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] []"


def test_runs_in_many_threads_do_not_mix_up_their_rows(tiny_model: Path) -> None:
    handler = load(tiny_model / "model", threads=2)
    words = ["good", "bad", "love dogs", "hate cats", "not good"]
    failures: list[str] = []

    def work(number: int) -> None:
        chooser = random.Random(number)
        for _ in range(50):
            texts = [" ".join(chooser.choices(words, k=chooser.randrange(1, 4))) for _ in range(3)]
            request = Request(texts, {**RAW, **({"max_length": 4 + number % 3} if number % 2 else {})})
            rows = handler.preprocess(request)
            found = handler.inference(rows, 1 + number % 2)
            kept = [" ".join(text.split()[: 2 + number % 3]) if number % 2 else text for text in texts]
            if not np.allclose(found, [expected_logits(text) for text in kept], atol=1e-5):
                failures.append(str(texts))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_lone_caller_gets_the_same_answer_from_all_processors(tiny_model: Path) -> None:
    graph = Graph(ModelDirectory(tiny_model / "model"), threads=2)
    inputs = {"input_ids": np.asarray([[2, 4, 3]]), "attention_mask": np.ones((1, 3), np.int64)}
    narrow = graph.run("logits", inputs, threads=1)
    assert graph._wide is None
    graph.run("logits", inputs, threads=2)
    (loading,) = [thread for thread in threading.enumerate() if thread.name == "wide-session"] or [None]
    if loading is not None:
        loading.join()
    assert graph._wide is not None
    np.testing.assert_array_equal(graph.run("logits", inputs, threads=2), narrow)


@pytest.mark.parametrize("side", ["right", "left"])
def test_padding_stands_on_the_models_side_and_is_masked(tiny_model: Path, side: str) -> None:
    config = ModelConfig(labels=("A",), padding_side=side, pad_token_id=7, model_type="roberta")
    encoder = TextEncoder(ModelDirectory(tiny_model / "model"), config)
    dtypes = dict.fromkeys(("input_ids", "attention_mask", "token_type_ids", "position_ids"), np.int64)
    arrays = feeds(encoder.encode(["good dogs", ""]), dtypes, config)  # type: ignore[arg-type]
    short = [7, 7, 2, 3] if side == "left" else [2, 3, 7, 7]
    assert arrays["input_ids"].tolist() == [[2, 4, 9, 3], short]
    assert arrays["attention_mask"].tolist()[1] == [int(token != 7) for token in short]
    # RoBERTa counts positions from behind the padding's number.
    kept = arrays["attention_mask"][1] == 1
    assert arrays["position_ids"][0].tolist() == [8, 9, 10, 11]
    assert arrays["position_ids"][1][kept].tolist() == [8, 9]
