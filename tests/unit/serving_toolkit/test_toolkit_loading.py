# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be loaded, in which precision, and what is refused in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving.errors import InputError, ModelLoadError
from serving.handler import Request
from serving.settings import PICKLE_SENTENCE
from serving.toolkit.settings import batch_limits, choose_dtype
from toolkit_served import Asked, load

COMMIT = "c0ffee" * 6 + "c0ff"


@pytest.fixture
def spoiled(model: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a model that a test may change."""
    return lambda kind: Path(shutil.copytree(model(kind), tmp_path / "model"))


def edit(path: Path, **values: Any) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**document, **values}), encoding="utf-8")


def without(directory: Path, *names: str) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(directory / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if not any(part in name for part in names)}
    assert len(kept) < len(weights)
    save_file(kept, directory / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("text-classification", "pre_classifier.bias"),
        ("token-classification", "classifier.bias"),
        ("question-answering", "qa_outputs.weight"),
        ("image-classification", "classifier.weight"),
        ("automatic-speech-recognition", "lm_head.weight"),
        ("feature-extraction", "transformer.layer.1.attention.q_lin.weight"),
    ],
)
def test_weights_that_lack_a_part_are_refused(kind: str, part: str, spoiled: Callable[[str], Path]) -> None:
    directory = spoiled(kind)
    without(directory, part)
    with pytest.raises(ModelLoadError, match=rf"lack {part}, which {kind} needs; the model would answer at random"):
        load(directory, task=kind)


def test_a_model_for_another_task_is_refused(model: Callable[[str], Path]) -> None:
    with pytest.raises(ModelLoadError, match=r"lack .*classifier.*, which text-classification needs"):
        load(model("feature-extraction"), task="text-classification")
    with pytest.raises(ModelLoadError, match="A model of type 'vit' cannot do text-generation; HF_TASK must fit"):
        load(model("image-classification"), task="text-generation")


def test_a_part_that_takes_no_part_in_answers_may_be_missing(
    spoiled: Callable[[str], Path], pipeline: Callable[[str], Any]
) -> None:
    directory = spoiled("automatic-speech-recognition")
    without(directory, "masked_spec_embed")
    assert load(directory, task="automatic-speech-recognition").handler.example()


def test_an_encoder_of_a_masked_model_gives_its_features_without_a_pooler(model: Callable[[str], Path]) -> None:
    # BertForMaskedLM has no pooler; BertModel has one, which the features do not pass.
    features = load(model("fill-mask"), task="feature-extraction").ask("i love dogs")
    assert len(features[0][0]) == 5


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.ckpt", "tf_model.h5"])
def test_pickled_weights_are_refused(name: str, spoiled: Callable[[str], Path]) -> None:
    directory = spoiled("text-classification")
    (directory / "model.safetensors").rename(directory / name)
    with pytest.raises(ModelLoadError, match=rf"pickled \({name}\).*SERVING_ALLOW_PICKLE=pickled-weights-can-run-code"):
        load(directory, task="text-classification")


def test_pickled_weights_are_loaded_where_the_stage_insists(
    spoiled: Callable[[str], Path], served: Callable[..., Asked]
) -> None:
    import torch
    from safetensors.torch import load_file

    directory = spoiled("text-classification")
    torch.save(load_file(directory / "model.safetensors"), directory / "pytorch_model.bin")
    (directory / "model.safetensors").unlink()
    asked = load(directory, task="text-classification", allow_pickle=PICKLE_SENTENCE)
    texts = ["i love dogs", "bad"]
    assert asked.ask(texts, {"top_k": None}) == served("text-classification").ask(texts, {"top_k": None})


def test_a_pickled_module_of_sentence_transformers_is_refused(spoiled: Callable[[str], Path]) -> None:
    directory = spoiled("sentence-embedding")
    (directory / "2_Dense").mkdir()
    (directory / "2_Dense" / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelLoadError, match=r"2_Dense/pytorch_model\.bin is pickled"):
        load(directory, task="feature-extraction")


def test_a_directory_without_weights_is_refused_with_what_it_holds(spoiled: Callable[[str], Path]) -> None:
    directory = spoiled("text-classification")
    (directory / "model.safetensors").unlink()
    with pytest.raises(ModelLoadError, match=r"no weights \(\*\.safetensors\) in .*: it holds config\.json, .*top of"):
        load(directory, task="text-classification")


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("text-clasification", "HF_TASK is 'text-clasification', which transformers does not know; it knows "),
        ("translation_en", "HF_TASK is 'translation_en', which transformers does not know"),
        ("video-classification", "A model of type 'distilbert' cannot do video-classification"),
    ],
)
def test_a_task_that_cannot_be_served_is_refused(task: str, said: str, model: Callable[[str], Path]) -> None:
    with pytest.raises(ModelLoadError) as refused:
        load(model("text-classification"), task=task)
    assert said in str(refused.value)


def test_files_that_cannot_be_read_are_refused_in_one_sentence(spoiled: Callable[[str], Path]) -> None:
    directory = spoiled("text-classification")
    (directory / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelLoadError, match=r"transformers cannot load .*model: .*\.$") as refused:
        load(directory, task="text-classification")
    assert "\n" not in str(refused.value)


CODE = """
open({marker!r}, "w").close()
from transformers import PretrainedConfig, PreTrainedModel
import torch

class HomemadeConfig(PretrainedConfig):
    model_type = "homemade"

class Homemade(PreTrainedModel):
    config_class = HomemadeConfig

    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Embedding(64, 3)
        self.post_init()

    def forward(self, input_ids, attention_mask=None):
        from transformers.modeling_outputs import SequenceClassifierOutput
        return SequenceClassifierOutput(logits=self.layer(input_ids).mean(dim=1))
"""


@pytest.fixture
def homemade(spoiled: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that cannot be loaded without running the code that comes with it."""
    import torch
    import transformers.dynamic_module_utils
    from safetensors.torch import save_file

    monkeypatch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    directory = spoiled("text-classification")
    (directory / "homemade.py").write_text(CODE.format(marker=str(tmp_path / "ran")), encoding="utf-8")
    edit(
        directory / "config.json",
        model_type="homemade",
        architectures=["Homemade"],
        auto_map={
            "AutoConfig": "homemade.HomemadeConfig",
            "AutoModelForSequenceClassification": "homemade.Homemade",
        },
    )
    save_file({"layer.weight": torch.randn(64, 3)}, directory / "model.safetensors", {"format": "pt"})
    (directory / "source.json").write_text(json.dumps({"model_id": "a/b", "commit": COMMIT}), encoding="utf-8")
    return directory


def test_code_of_a_model_is_not_run(homemade: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="transformers cannot load"):
        load(homemade, task="text-classification")
    assert not (tmp_path / "ran").exists()


def test_code_of_the_commit_that_was_named_is_run(homemade: Path, tmp_path: Path) -> None:
    assert load(homemade, task="text-classification", trust_remote_code=COMMIT).ask(["i love dogs", "bad"])
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("commit", ["0" * 40, None])
def test_code_of_another_commit_or_of_none_is_not_run(commit: str | None, homemade: Path, tmp_path: Path) -> None:
    if commit is None:
        (homemade / "source.json").unlink()
        commit = COMMIT
    with pytest.raises(ModelLoadError, match=rf"names the commit {commit}, but the model .*its code is not run"):
        load(homemade, task="text-classification", trust_remote_code=commit)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_of_another_repository_is_not_run(name: str, homemade: Path, tmp_path: Path) -> None:
    edit(homemade / name, auto_map={"AutoTokenizer": ["someone/else--code.Tokenizer", None]})
    with pytest.raises(ModelLoadError, match=r"code from another repository \(someone/else\)"):
        load(homemade, task="text-classification", trust_remote_code=COMMIT)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("wanted", "capability", "chosen"),
    [
        ("auto", None, "float32"),
        ("auto", (6, 1), "float32"),
        ("auto", (7, 5), "float16"),
        ("auto", (8, 0), "bfloat16"),
        ("auto", (9, 0), "bfloat16"),
        ("float32", (9, 0), "float32"),
        ("bfloat16", None, "bfloat16"),
    ],
)
def test_the_precision_follows_the_device(wanted: str, capability: tuple[int, int] | None, chosen: str) -> None:
    assert choose_dtype(wanted, capability) == chosen


def test_a_gpu_gets_larger_batches_than_a_processor() -> None:
    for generates in (False, True):
        processor, gpu = batch_limits(False, generates), batch_limits(True, generates)
        assert gpu.rows > processor.rows
        assert gpu.tokens > processor.tokens


@pytest.mark.parametrize(
    "kind",
    [
        "text-classification",
        "feature-extraction",
        "text-generation",
        "image-classification",
        "automatic-speech-recognition",
    ],
)
def test_half_precision_gives_nearly_the_same(kind: str, served: Callable[..., Asked]) -> None:
    exact, half = served(kind), served(kind, dtype="bfloat16")
    example = exact.handler.example()
    assert half.ask_request(example) is not None
    if kind == "text-classification":
        (ours,), (theirs,) = (asked.ask("i love dogs", {"top_k": None}) for asked in (half, exact))
        for our, their in zip(ours, theirs, strict=True):
            assert our == {**their, "score": pytest.approx(their["score"], abs=0.05)}


def test_a_compiled_model_answers_as_the_other_does(served: Callable[..., Asked]) -> None:
    compiled, plain = served("text-classification", torch_compile=True), served("text-classification")
    for texts in (["i love dogs", "not very good cats we like"], ["bad", "good", "i run"]):
        ours, theirs = compiled.ask(texts, {"scores": True}), plain.ask(texts, {"scores": True})
        for our, their in zip(ours, theirs, strict=True):
            assert our == {**their, "score": pytest.approx(their["score"], abs=1e-4)}
    # Compiled code is made and thrown away in one place: batches do not run beside each other.
    assert compiled.handler.concurrent is False


def test_a_model_is_not_compiled_without_a_compiler(
    model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ModelLoadError, match="SERVING_TORCH_COMPILE is on, but there is no C\\+\\+ compiler"):
        load(model("text-classification"), task="text-classification", torch_compile=True)


def test_a_generating_model_is_not_compiled(model: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    asked = load(model("text-generation"), task="text-generation", torch_compile=True)
    assert asked.ask("i love", {"max_new_tokens": 2})


@pytest.fixture
def counted(model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], Any]:
    """A classifier whose model first calls a function with the number of rows."""

    def make(check: Callable[[int], None]) -> Any:
        asked = load(model("text-classification"), task="text-classification")
        network = asked.handler._loaded.task.loaded.pipeline.model
        forward = network.forward

        def checked(*arguments: Any, **named: Any) -> Any:
            check(len(named["input_ids"]))
            return forward(*arguments, **named)

        monkeypatch.setattr(network, "forward", checked)
        return asked

    return make


@pytest.mark.parametrize("kind", ["gpu", "processor", "python"])
def test_a_batch_that_does_not_fit_into_memory_is_split(kind: str, counted: Any, served: Callable[..., Asked]) -> None:
    import torch

    errors = {
        "gpu": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        "processor": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
        "python": MemoryError(),
    }
    sizes: list[int] = []

    def check(rows: int) -> None:
        sizes.append(rows)
        if rows > 3:
            raise errors[kind]

    texts = [f"i love {word}" for word in ("dogs", "cats", "paris", "berlin", "trees", "you", "we")]
    assert counted(check).ask(texts) == served("text-classification").ask(texts)
    assert sizes == [7, 3, 4, 2, 2]


def test_one_input_that_never_fits_is_refused_alone(counted: Any) -> None:
    def check(rows: int) -> None:
        raise MemoryError

    with pytest.raises(InputError, match="too large for the memory"):
        counted(check).ask("good")


def test_a_row_that_the_model_fails_at_fails_alone(model: Callable[[str], Path]) -> None:
    asked = load(model("text-classification"), task="text-classification")
    task = asked.handler._loaded.task
    run = task.run

    def check(pipeline: Any, works: Any, given: Any) -> Any:
        if any(work.item == "bad" for work in works):
            raise RuntimeError("not that one")
        return run(pipeline, works, given)

    task.run = check
    rows = list(asked.handler.preprocess(Request(["good", "bad", "cats"])))
    good, bad, cats = asked.handler.inference(rows, 1)
    assert isinstance(bad, RuntimeError)
    assert [good, cats] == asked.ask(["good", "cats"])


def test_batches_in_several_threads_give_what_one_gives(served: Callable[..., Asked]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    asked = served("text-classification")
    assert asked.handler.concurrent is True
    texts = [["i love dogs"] * count for count in range(1, 9)]
    expected = [asked.ask(batch, {"top_k": None}) for batch in texts]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert list(pool.map(lambda batch: asked.ask(batch, {"top_k": None}), texts)) == expected
