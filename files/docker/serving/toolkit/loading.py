# SPDX-License-Identifier: GPL-3.0-or-later
"""From a model directory to transformers' pipeline of its task, with what may not be loaded refused in words."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving import log
from serving.errors import ModelLoadError
from serving.settings import PICKLE_SENTENCE, Settings
from serving.toolkit.settings import choose_dtype

if TYPE_CHECKING:
    import torch
    import transformers

_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.msgpack", "*.h5")

# Parts that take no part in an answer, so that it does not matter that they start at random: SpecAugment's mask is for
# training (missing in facebook/wav2vec2-base-960h, among others), positions are counted and not learnt.
_UNUSED_PARTS = re.compile(r"(^|\.)(masked_spec_embed|mask_token|position_ids)$")
# The pipelines of features give the last hidden state, which is taken before the pooler.
_POOLER = re.compile(r"(^|\.)pooler\.")
_POOLERLESS_TASKS = ("feature-extraction", "image-feature-extraction")

_CODE_FILES = ("config.json", "tokenizer_config.json", "preprocessor_config.json", "processor_config.json")


@dataclass(frozen=True)
class LoadedPipeline:
    """A pipeline, and what was decided about it. `task` is the name of the pipeline's class of tasks."""

    pipeline: transformers.Pipeline
    task: str
    device: torch.device

    @property
    def on_gpu(self) -> bool:
        return bool(self.device.type != "cpu")


def device() -> torch.device:
    """The GPU where there is one. SageMaker gives a container one model; with several GPUs the first is used."""
    import torch

    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def torch_dtype(settings: Settings, on: torch.device) -> torch.dtype:
    """The precision that SERVING_DTYPE and the device call for."""
    import torch

    capability = torch.cuda.get_device_capability(on) if on.type == "cuda" else None
    dtype: torch.dtype = getattr(torch, choose_dtype(settings.dtype, capability))
    return dtype


def load_pipeline(path: Path, task: str, settings: Settings) -> LoadedPipeline:
    """Load a model and make its pipeline.

    Args:
        path: the model directory, in the layout that `save_pretrained` writes.
        task: HF_TASK.

    Raises:
        ModelLoadError: transformers does not know the task or cannot load the model, its weights are pickled or leave
            a part of the model at random, or it comes with code that was not allowed.
    """
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    kind, implementation, classes = _task_classes(task)
    check_weights(path, settings)
    trust = check_remote_code(path, settings)
    on = device()
    local = {"local_files_only": True, "trust_remote_code": trust}
    try:
        config = transformers.AutoConfig.from_pretrained(path, **local)
        model_class = _model_class(classes, config, task)
        model, loaded = model_class.from_pretrained(
            path,
            config=config,
            dtype=torch_dtype(settings, on),
            # None lets transformers choose: safetensors where there are any.
            use_safetensors=None if settings.allow_pickle == PICKLE_SENTENCE else True,
            output_loading_info=True,
            **local,
        )
        check_missing(path, kind, loaded["missing_keys"])
        pipeline = transformers.pipeline(
            task=task,
            model=model.eval(),
            device=on,
            trust_remote_code=trust,
            **{part: str(path) for part in _parts(implementation)},
        )
    except ModelLoadError:
        raise
    except Exception as error:
        # OSError, ValueError, KeyError, ImportError, SafetensorError …: there is no common base.
        raise cannot_load(path, error) from error
    if settings.torch_compile:
        _compile(pipeline, kind, on)
    log.info(
        "pipeline", task=task, model=type(model).__name__, device=str(on), dtype=str(model.dtype).removeprefix("torch.")
    )
    return LoadedPipeline(pipeline, kind, on)


def cannot_load(path: Path, error: Exception) -> ModelLoadError:
    """What to say where a library failed at a model."""
    first_line = str(error).strip().partition("\n")[0].rstrip(".")
    return ModelLoadError(f"transformers cannot load {path}: {first_line or type(error).__name__}.")


def infer_task(path: Path) -> str:
    """The task of a model for which HF_TASK is not set, from the architecture in its config.json, as the toolkit does.

    Raises:
        ModelLoadError: there is no config.json, or the toolkit does not know the architecture.
    """
    from serving.toolkit.model_server import import_toolkit

    import_toolkit()
    from sagemaker_huggingface_inference_toolkit.transformers_utils import infer_task_from_model_architecture

    try:
        task: str = infer_task_from_model_architecture(str(path / "config.json"))
        return task
    except Exception as error:
        raise ModelLoadError(
            f"HF_TASK is not set, and {path / 'config.json'} does not say what the model is for; set HF_TASK."
        ) from error


def check_weights(path: Path, settings: Settings) -> None:
    """Refuse weights that can run code when they are read.

    Raises:
        ModelLoadError: there are no safetensors, and SERVING_ALLOW_PICKLE does not say that others may be read.
    """
    if any(path.glob("*.safetensors")) or settings.allow_pickle == PICKLE_SENTENCE:
        return
    pickled = sorted(found.name for pattern in _PICKLED for found in path.glob(pattern))
    if pickled:
        raise ModelLoadError(
            f"The weights in {path} are pickled ({', '.join(pickled[:3])}): reading them can run code. Save the model "
            f"as safetensors, or set SERVING_ALLOW_PICKLE={PICKLE_SENTENCE}."
        )
    holding = sorted(found.name for found in path.iterdir()) if path.is_dir() else []
    raise ModelLoadError(
        f"There are no weights (*.safetensors) in {path}: it holds {', '.join(holding[:8]) or 'nothing'}. "
        "They must lie at the top of the directory (and of model.tar.gz)."
    )


def check_remote_code(path: Path, settings: Settings) -> bool:
    """Whether Python files of the model may be run: only those of the commit that the user named.

    Raises:
        ModelLoadError: the commit named is not the one that the model came from, or its code lies in another
            repository, of which no commit was named.
    """
    allowed = settings.trust_remote_code
    if not allowed:
        return False
    commit = source_commit(path)
    if commit != allowed:
        raise ModelLoadError(
            f"SERVING_TRUST_REMOTE_CODE names the commit {allowed}, but the model in {path} is of "
            f"{commit or 'an unknown commit (there is no source.json)'}; its code is not run."
        )
    for name in _CODE_FILES:
        for reference in _code_references(_read_json(path / name).get("auto_map")):
            # "owner/name--module.Class": transformers would fetch that repository's newest code.
            if "--" in reference:
                raise ModelLoadError(
                    f"{path / name} takes code from another repository ({reference.partition('--')[0]}), which is not "
                    "pinned; copy that code into the model's repository."
                )
    return True


def source_commit(path: Path) -> str | None:
    """The hub's commit that a model directory was fetched at, where packaging or the fetch wrote it down."""
    for document in (_read_json(path / "source.json"), _read_json(path / "compilation.json").get("source")):
        if isinstance(document, dict) and document.get("commit"):
            return str(document["commit"])
    return None


def check_missing(path: Path, task: str, missing: Any) -> None:
    """Refuse a model of which a part would start at random.

    transformers only warns, and the endpoint would answer nonsense.

    Raises:
        ModelLoadError: the weights lack a part that takes part in an answer.
    """
    lacking = sorted(
        name
        for name in missing
        if not _UNUSED_PARTS.search(name) and not (task in _POOLERLESS_TASKS and _POOLER.search(name))
    )
    if lacking:
        raise ModelLoadError(
            f"The weights in {path} lack {', '.join(lacking[:3])}{' and more' if len(lacking) > 3 else ''}, which "
            f"{task} needs; the model would answer at random."
        )


def _task_classes(task: str) -> tuple[str, type, tuple[Any, ...]]:
    from transformers.pipelines import check_task, get_supported_tasks

    try:
        kind, targeted, _ = check_task(task)
    except KeyError:
        raise ModelLoadError(
            f"HF_TASK is {task!r}, which transformers does not know; it knows {', '.join(get_supported_tasks())}."
        ) from None
    return kind, targeted["impl"], targeted["pt"]


def _model_class(classes: tuple[Any, ...], config: Any, task: str) -> Any:
    for candidate in classes:
        if type(config) in candidate._model_mapping or candidate.__name__ in (getattr(config, "auto_map", None) or {}):
            return candidate
    # A task without model classes of its own, such as text-to-audio, names them by architecture.
    for name in config.architectures or ():
        if not classes and hasattr(importlib.import_module("transformers"), name):
            return getattr(importlib.import_module("transformers"), name)
    raise ModelLoadError(f"A model of type {config.model_type!r} cannot do {task}; HF_TASK must fit the model.")


def _parts(implementation: Any) -> list[str]:
    """What the pipeline has beside the model. None in transformers means: where there is one."""
    parts = ("tokenizer", "image_processor", "feature_extractor", "processor")
    return [part for part in parts if getattr(implementation, f"_load_{part}", None) is not False]


def _compile(pipeline: Any, task: str, on: torch.device) -> None:
    """Have torch compile the model at its first answers. Shapes stay open: every batch has its own.

    Models that generate are left alone: their cache grows by one with every token, which compiled code is thrown away
    for again and again.

    Raises:
        ModelLoadError: torch would have nothing to compile with: it writes C++ for processors, and triton's launchers
            for a GPU are C.
    """
    if pipeline.model.can_generate():
        log.warning("torch_compile_skipped", message=f"SERVING_TORCH_COMPILE does nothing for {task}, which generates.")
        return
    language, names = ("C++", ("g++", "clang++")) if on.type == "cpu" else ("C", ("gcc", "clang", "cc"))
    if not any(
        shutil.which(name) for name in (os.environ.get("CXX" if on.type == "cpu" else "CC", ""), *names) if name
    ):
        raise ModelLoadError(
            f"SERVING_TORCH_COMPILE is on, but there is no {language} compiler ({names[0]}) in the image; add one, or "
            "leave the setting off."
        )
    pipeline.model.compile(dynamic=True)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _code_references(auto_map: Any) -> list[str]:
    values = auto_map.values() if isinstance(auto_map, dict) else ()
    return [
        entry for value in values for entry in (value if isinstance(value, list) else [value]) if isinstance(entry, str)
    ]
