# SPDX-License-Identifier: GPL-3.0-or-later
"""The model directory that is compiled: what it must hold, what is refused, and how torch gets it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from compiler import pooling
from compiler.errors import INSTEAD, CompileError
from compiler.tasks import Task

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
# Longer texts than this are cut for the check; what a model does with them is not decided by its precision.
_LONGEST = 512


@dataclass(frozen=True)
class Source:
    """A model with its tokenizer, loaded and in evaluation mode."""

    directory: Path
    task: Task
    model: transformers.PreTrainedModel
    tokenizer: transformers.PreTrainedTokenizerBase
    head: pooling.SentenceHead | None

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the labels, in the order of the logits."""
        named: dict[int, str] = self.model.config.id2label
        return tuple(str(named[index]) for index in range(len(named)))

    @property
    def max_length(self) -> int:
        """To how many tokens texts are cut."""
        declared = int(min(self.tokenizer.model_max_length, _LONGEST))
        positions = getattr(self.model.config, "max_position_embeddings", None) or _LONGEST
        offset = 2 if self.model.config.model_type in pooling.OFFSET_POSITIONS else 0
        return min(declared, int(positions) - offset)


def load(directory: Path, task: Task, allow_pickle: bool = False) -> Source:
    """Read the directory with transformers. Code that lies in it is never run.

    Raises:
        CompileError: something is missing, does not fit the task, or would have to be run to be read.
    """
    config = _config(directory)
    _check_code(directory, config)
    _check_task(directory, config, task)
    _check_weights(directory, allow_pickle)
    head = pooling.load(directory) if task.name == "feature-extraction" else None
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(directory, **local)
        model, loaded = getattr(transformers, task.auto_class).from_pretrained(
            directory,
            use_safetensors=None if allow_pickle else True,
            dtype=torch.float32,
            output_loading_info=True,
            **local,
        )
    except Exception as error:
        # OSError, ValueError, KeyError, SafetensorError …: there is no common base.
        raise CompileError(f"transformers cannot load {directory}: {_first_line(error)}") from error
    # The pooler of a plain encoder is made up where the weights have none; its output is not used.
    missing = sorted(name for name in loaded["missing_keys"] if task.head or ".pooler." not in f".{name}")
    if missing:
        raise CompileError(
            f"The weights in {directory} lack {', '.join(missing[:3])}; the model would answer at random. "
            f"Take a model that was trained for {task.name}."
        )
    if not tokenizer.is_fast:
        raise CompileError(
            f"{directory} has no fast tokenizer (tokenizer.json) and none can be made of its files. {INSTEAD}"
        )
    return Source(directory, task, model.eval(), tokenizer, head)


def _config(directory: Path) -> dict[str, Any]:
    path = directory / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CompileError(f"{directory} has no config.json: it is not a model directory of transformers.") from None
    except (OSError, ValueError) as error:
        raise CompileError(f"{path} cannot be read as JSON: {error}.") from None
    if not isinstance(config, dict):
        raise CompileError(f"{path} must hold a JSON object.")
    return config


def _check_code(directory: Path, config: dict[str, Any]) -> None:
    if config.get("auto_map"):
        raise CompileError(
            f'"auto_map" in {directory / "config.json"} says that this model needs Python code of its own, which the '
            f"compiler never runs. {INSTEAD}"
        )


def _check_task(directory: Path, config: dict[str, Any], task: Task) -> None:
    architectures = [str(name) for name in config.get("architectures") or ()]
    if task.head and architectures and not any(name.endswith(task.head) for name in architectures):
        raise CompileError(
            f"The model in {directory} is a {', '.join(architectures)}; the task {task.name} needs a …{task.head}."
        )
    # A decoder would be exported without its mask of the future.
    if config.get("is_decoder") or config.get("is_encoder_decoder"):
        raise CompileError(f"The model in {directory} is a decoder; only encoders can be compiled. {INSTEAD}")


def _check_weights(directory: Path, allow_pickle: bool) -> None:
    if any(directory.glob("*.safetensors")):
        return
    pickles = sorted(path.name for pattern in _PICKLES for path in directory.glob(pattern))
    if pickles and not allow_pickle:
        raise CompileError(
            f"The weights in {directory} are pickled ({', '.join(pickles[:3])}); reading them can run any code. "
            "Save the model as safetensors, or give --allow-pickle if you trust whoever made it."
        )
    if not pickles:
        raise CompileError(f"{directory} has no weights: a file *.safetensors is missing.")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
