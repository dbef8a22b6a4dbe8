# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sentence-transformers directory does after the transformer: pooling, dense layers, normalising.

Source of the layout: sentence-transformers' page "Creating Custom Models", modules.json and 1_Pooling/config.json.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from compiler.errors import INSTEAD, CompileError

# These count positions from the padding index on, so two of max_position_embeddings cannot be used.
OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet", "data2vec-text", "longformer"})

# The order in which sentence-transformers concatenates them where several are switched on.
_MODES = ("cls", "max", "mean", "mean_sqrt_len")


class Pooling(torch.nn.Module):
    """[batch, sequence, hidden] and the mask to [batch, hidden times the number of modes]."""

    def __init__(self, modes: tuple[str, ...]) -> None:
        super().__init__()
        self.modes = modes

    def forward(self, states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        # A text without tokens must not divide by nothing; sentence-transformers uses the same floor.
        count = mask.sum(1).clamp(min=1e-9)
        vectors = {
            "cls": lambda: states[:, 0],
            "max": lambda: states.masked_fill(mask == 0, -1e9).max(1).values,
            "mean": lambda: (states * mask).sum(1) / count,
            "mean_sqrt_len": lambda: (states * mask).sum(1) / count.sqrt(),
        }
        return torch.cat([vectors[mode]() for mode in self.modes], dim=1)


class Normalize(torch.nn.Module):
    """Each row to length one."""

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(vectors, p=2.0, dim=1)


class SentenceHead(torch.nn.Module):
    """All modules after the transformer, in the order of modules.json."""

    def __init__(self, pooling: Pooling, rest: list[torch.nn.Module]) -> None:
        super().__init__()
        self.pooling = pooling
        self.rest = torch.nn.ModuleList(rest)

    def forward(self, states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        vectors: torch.Tensor = self.pooling(states, attention_mask)
        for module in self.rest:
            vectors = module(vectors)
        return vectors


def load(directory: Path) -> SentenceHead | None:
    """The head of a sentence-transformers directory; None where `directory` is a plain model.

    Raises:
        CompileError: it has a module or a setting that is not known here.
    """
    listing = directory / "modules.json"
    if not listing.is_file():
        return None
    kinds = [(entry["type"].rpartition(".")[2], directory / entry.get("path", "")) for entry in _read(listing)]
    if [kind for kind, _ in kinds[:2]] != ["Transformer", "Pooling"]:
        raise CompileError(
            f"{listing} lists {', '.join(kind for kind, _ in kinds)}; a Transformer and a Pooling must come first. "
            f"{INSTEAD}"
        )
    rest: list[torch.nn.Module] = []
    for kind, path in kinds[2:]:
        make: Callable[[Path], torch.nn.Module] | None = {"Dense": _dense, "Normalize": lambda _: Normalize()}.get(kind)
        if make is None:
            raise CompileError(f"{listing} lists a {kind}; known here are Dense and Normalize. {INSTEAD}")
        rest.append(make(path))
    return SentenceHead(_pooling(kinds[1][1]), rest).eval()


def _pooling(path: Path) -> Pooling:
    config = _read(path / "config.json")
    named = config.get("pooling_mode")
    if named is not None:
        chosen = tuple(named) if isinstance(named, list) else (named,)
    else:
        on = {name for name, value in config.items() if name.startswith("pooling_mode_") and value is True}
        names = {
            "cls": "cls_token",
            "max": "max_tokens",
            "mean": "mean_tokens",
            "mean_sqrt_len": "mean_sqrt_len_tokens",
        }
        chosen = tuple(mode for mode in _MODES if f"pooling_mode_{names[mode]}" in on)
        if len(chosen) != len(on):
            chosen = tuple(sorted(on))
    if not chosen or any(mode not in _MODES for mode in chosen):
        raise CompileError(
            f"{path / 'config.json'} asks for pooling by {', '.join(chosen) or 'nothing'}; known here are "
            f"{', '.join(_MODES)}. {INSTEAD}"
        )
    return Pooling(chosen)


_ACTIVATIONS: dict[str, Callable[[], torch.nn.Module]] = {
    "torch.nn.modules.activation.Tanh": torch.nn.Tanh,
    "torch.nn.modules.activation.ReLU": torch.nn.ReLU,
    "torch.nn.modules.activation.GELU": torch.nn.GELU,
    "torch.nn.modules.linear.Identity": torch.nn.Identity,
}


def _dense(path: Path) -> torch.nn.Module:
    config = _read(path / "config.json")
    activation = config.get("activation_function", "torch.nn.modules.activation.Tanh")
    weights = path / "model.safetensors"
    if activation not in _ACTIVATIONS or not weights.is_file():
        raise CompileError(
            f"The dense layer in {path} needs model.safetensors and an activation among "
            f"{', '.join(name.rpartition('.')[2] for name in _ACTIVATIONS)}. {INSTEAD}"
        )
    linear = torch.nn.Linear(config["in_features"], config["out_features"], bias=config.get("bias", True))
    tensors = load_file(weights)
    linear.load_state_dict({name.removeprefix("linear."): tensor.float() for name, tensor in tensors.items()})
    return torch.nn.Sequential(linear, _ACTIVATIONS[activation]())


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CompileError(f"{path} cannot be read as JSON: {error}.") from None
