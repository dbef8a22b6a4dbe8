# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model directory holds, which of it a runtime reads, and one digest over names and contents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

#: Where the exporters of the field put a graph, the one that is served first.
GRAPHS = ("model.onnx", "onnx/model.onnx")

#: What the compiler writes beside the graph: how precise it is and how far it agrees with the weights.
COMPILATION = "compilation.json"

#: Which model and commit of the hub a directory was fetched from.
SOURCE = "source.json"

#: The sum of every file, in the format of coreutils' sha256sum. The server compares them before it serves.
SUMS = "SHA256SUMS"

#: Reading these can run code that somebody put into them (Python's documentation of pickle).
PICKLED = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"})

_WEIGHTS = PICKLED | {".safetensors", ".h5", ".msgpack", ".gguf", ".ot"}
_BLOCK = 1 << 20


class ModelDirectoryError(Exception):
    """The directory cannot be served; the message says why."""


def model_files(root: Path) -> list[Path]:
    """The files of a model directory, relative to it and sorted; hidden ones are left out.

    Raises ModelDirectoryError where the directory is missing or holds no ``config.json``, which every transformers
    model has.
    """
    if not root.is_dir():
        raise ModelDirectoryError(f"The model directory {root} does not exist.")
    files = sorted(
        path.relative_to(root)
        for path in root.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )
    if Path("config.json") not in files:
        raise ModelDirectoryError(f"{root} holds no config.json, so it is no Hugging Face model.")
    return files


def graph_of(files: Iterable[Path]) -> Path | None:
    """The graph among the files of a model directory, or None."""
    there = {path.as_posix() for path in files}
    return next((Path(name) for name in GRAPHS if name in there), None)


def files_for(runtime: str, files: list[Path], allow_pickled_weights: bool = False) -> list[Path]:
    """Those of a model directory's files that a runtime reads.

    ``compiled`` reads the one graph and the descriptions, ``toolkit`` everything but graphs. Sums that came with the
    directory are left out: they are made anew over what is chosen.

    Raises ModelDirectoryError where there is nothing the runtime can serve.
    """
    left = [path for path in files if path.as_posix() != SUMS]
    if runtime == "compiled":
        return _for_compiled(left)
    return _for_toolkit(left, allow_pickled_weights)


def _for_compiled(files: list[Path]) -> list[Path]:
    graph = graph_of(files)
    if graph is None:
        raise ModelDirectoryError(f"there is no graph ({' or '.join(GRAPHS)}), which image_runtime compiled serves.")
    # A graph past 2 GB keeps its tensors in a file beside it.
    beside = {graph, Path(f"{graph}_data"), Path(f"{graph}.data")}
    return [path for path in files if path in beside or not (_is_graph(path) or path.suffix in _WEIGHTS)]


def _for_toolkit(files: list[Path], allow_pickled_weights: bool) -> list[Path]:
    # Whatever its suffix, what lies in code/ is the deployer's own.
    own = [path for path in files if path.parts[0] == "code"]
    chosen = [path for path in files if not _is_graph(path) and path.as_posix() != COMPILATION]
    if any(path.suffix == ".safetensors" for path in chosen):
        return [path for path in chosen if path.suffix not in PICKLED or path in own]
    if any(path.suffix in PICKLED for path in chosen if path not in own) and not (allow_pickled_weights or own):
        raise ModelDirectoryError(
            "there are no safetensors weights, only pickled ones, and reading those can run code that is hidden in "
            "them. Convert them with save_pretrained(safe_serialization=True), or set "
            "model_serving_allow_pickled_weights."
        )
    return chosen


def _is_graph(path: Path) -> bool:
    return path.suffix == ".onnx" or PurePosixPath(path).name.endswith((".onnx_data", ".onnx.data"))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hex, read block by block."""
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def sums_of(root: Path, files: Iterable[Path]) -> dict[str, str]:
    """The SHA-256 of each file by its path in the directory."""
    return {path.as_posix(): sha256_of(root / path) for path in files}


def content_digest(sums: Mapping[str, str]) -> str:
    """32 hex digits over names and contents. Not over the archive: zlib versions pack differently."""
    content = [[name, digest] for name, digest in sorted(sums.items())]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def sums_document(sums: Mapping[str, str]) -> bytes:
    """The sums as ``sha256sum --check`` reads them."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())).encode()
