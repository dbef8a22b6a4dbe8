# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from serving import runtimes
from serving.errors import ModelLoadError
from serving.runtimes.base import batches, in_batches
from serving.settings import Settings
from serving_process import CONTEXT
from serving_tiny_model import MAX_LENGTH, WORDS, expected_logits, write_tiny_model


def settings_for(model: Path, **options: int) -> Settings:
    return Settings(model_dir=model, **options)  # type: ignore[arg-type]


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may spoil."""
    return Path(shutil.copytree(tiny_model / "model", tmp_path / "model"))


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_each_text_gets_its_own_logits_in_order_whatever_the_batches(tiny_model: Path, batch_size: int) -> None:
    chooser = random.Random(1)
    texts = [" ".join(chooser.choices(list(WORDS)[4:], k=chooser.randrange(12))) for _ in range(40)]
    runtime = runtimes.load(settings_for(tiny_model / "model", max_batch_size=batch_size))
    logits = runtime.logits(texts)
    np.testing.assert_allclose(logits, [expected_logits(text) for text in texts], rtol=1e-5, atol=1e-6)


def test_a_text_that_is_too_long_is_cut_and_not_refused(tiny_model: Path) -> None:
    runtime = runtimes.load(settings_for(tiny_model / "model"))
    # What follows the cut would turn the answer.
    text = "good " * (MAX_LENGTH - 2) + "hate " * 5000
    np.testing.assert_allclose(runtime.logits([text])[0], expected_logits(text), rtol=1e-5)
    assert runtime.logits([text])[0].argmax() == 1


def test_a_text_whose_words_come_late_is_read_to_its_end(tiny_model: Path) -> None:
    runtime = runtimes.load(settings_for(tiny_model / "model"))
    np.testing.assert_allclose(runtime.logits([" " * 100_000 + "good"])[0], expected_logits("good"), rtol=1e-5)


def test_the_length_can_be_set_lower(tiny_model: Path) -> None:
    runtime = runtimes.load(settings_for(tiny_model / "model", max_length=8))
    text = "good " * 6 + "hate " * 6
    np.testing.assert_allclose(runtime.logits([text])[0], expected_logits("good " * 6), rtol=1e-5)


@pytest.mark.parametrize("text", ["", " ", "\n", "\x00", "🐕", "é" * 3, "\u202e\ufeff"])
def test_a_text_without_words_is_answered_too(tiny_model: Path, text: str) -> None:
    runtime = runtimes.load(settings_for(tiny_model / "model"))
    assert np.isfinite(runtime.logits([text, "good"])).all()


def test_a_graph_that_wants_token_type_ids_gets_them(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model", ("input_ids", "attention_mask", "token_type_ids", "position_ids"))
    runtime = runtimes.load(settings_for(tmp_path / "model"))
    np.testing.assert_allclose(runtime.logits(["good dogs"])[0], expected_logits("good dogs"), rtol=1e-5)


def test_a_graph_with_an_unknown_input_is_refused_and_the_input_named(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model", ("input_ids", "attention_mask", "pixel_values"))
    with pytest.raises(ModelLoadError, match="pixel_values"):
        runtimes.load(settings_for(tmp_path / "model"))


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("config.json", r"has no config\.json"),
        ("tokenizer.json", r"no tokenizer\.json"),
        ("model.onnx", r"neither a graph \(model\.onnx\) nor safetensors weights"),
    ],
)
def test_a_missing_file_is_named(model: Path, missing: str, sentence: str) -> None:
    (model / missing).unlink()
    with pytest.raises(ModelLoadError, match=sentence):
        runtimes.load(settings_for(model))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.onnx"])
@pytest.mark.parametrize("content", [b"", b"{}x", b"\xff\x00" * 100])
def test_a_spoiled_file_is_named(model: Path, name: str, content: bytes) -> None:
    (model / name).write_bytes(content)
    with pytest.raises(ModelLoadError) as caught:
        runtimes.load(settings_for(model))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_not_loaded(model: Path) -> None:
    (model / "model.onnx").unlink()
    (model / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(ModelLoadError, match="Pickled weights are not loaded"):
        runtimes.load(settings_for(model))


def test_a_model_without_a_classification_head_is_refused(model: Path) -> None:
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    config["architectures"] = ["DistilBertForMaskedLM"]
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelLoadError, match="DistilBertForMaskedLM"):
        runtimes.load(settings_for(model))


def test_labels_that_do_not_fit_the_graph_are_an_error_and_not_wrong_answers(model: Path) -> None:
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    config["id2label"] = {"0": "A", "1": "B", "2": "C"}
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    runtime = runtimes.load(settings_for(model))
    with pytest.raises(ValueError, match="id2label"):
        runtime.logits(["good"])


def test_a_graph_is_served_without_torch_and_transformers(tiny_model: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from serving import runtimes; from serving.settings import Settings\n"
        "runtime = runtimes.load(Settings(model_dir=Path(sys.argv[1])))\n"
        "runtime.logits(['good'])\n"
        "print(runtime.name, sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, str(tiny_model / "model")]
    done = subprocess.run(command, cwd=CONTEXT, capture_output=True, text=True, check=True)
    assert done.stdout == "onnxruntime []\n"


def test_weights_without_transformers_name_the_ways_out(model: Path, without_module: Callable[[str], None]) -> None:
    (model / "model.onnx").unlink()
    (model / "model.safetensors").touch()
    without_module("transformers")
    with pytest.raises(ModelLoadError, match=r"Export the model to model\.onnx, or build the image with RUNTIME=tran"):
        runtimes.load(settings_for(model))


@pytest.fixture
def without_module(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a package impossible to import, as in an image that was built without it."""

    class Refuse:
        def __init__(self, name: str) -> None:
            self.name = name

        def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
            if fullname.partition(".")[0] == self.name:
                raise ModuleNotFoundError(f"No module named {self.name!r}", name=self.name)

    def remove(name: str) -> None:
        for loaded in [module for module in sys.modules if module.partition(".")[0] == name]:
            monkeypatch.delitem(sys.modules, loaded)
        monkeypatch.delitem(sys.modules, "serving.runtimes.transformers", raising=False)
        monkeypatch.setattr(sys, "meta_path", [Refuse(name), *sys.meta_path])

    return remove


def test_batches_hold_every_text_once_and_texts_of_like_length_together() -> None:
    lengths = [5, 1, 9, 3, 7, 1, 2]
    found = list(batches(lengths, 3))
    assert sorted(index for batch in found for index in batch) == list(range(7))
    assert [[lengths[index] for index in batch] for batch in found] == [[9, 7, 5], [3, 2, 1], [1]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_an_error(bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        in_batches([1], 1, 2, lambda batch: np.asarray([[bad, 0.0]]))
