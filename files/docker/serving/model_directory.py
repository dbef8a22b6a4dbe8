# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in the model directory: config, tokenizer, and a graph or weights."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from serving.errors import ModelLoadError

# Where the exporters of the field put a graph: beside the weights, or in onnx/ as the hub's repositories do.
GRAPHS = ("model.onnx", "onnx/model.onnx")

# These count positions from the padding index on, so two of max_position_embeddings cannot be used.
_OFFSET_POSITIONS = frozenset(
    {"roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl", "camembert", "data2vec-text", "longformer"}
    | {"mpnet", "ibert", "xmod"}
)


@dataclass(frozen=True)
class ModelDirectory:
    """A directory in the layout that `save_pretrained` writes, with or without a graph."""

    path: Path

    @property
    def is_empty(self) -> bool:
        """True where nothing was unpacked: SageMaker makes the directory even for a model without artifact."""
        return not self.names()

    @property
    def graph(self) -> Path | None:
        """The ONNX graph, where there is one."""
        return next((self.path / name for name in GRAPHS if (self.path / name).is_file()), None)

    @property
    def is_sentence_transformer(self) -> bool:
        """True where sentence-transformers wrote it: a model that gives one vector for a text."""
        return (self.path / "modules.json").is_file()

    def names(self) -> list[str]:
        """What the directory holds, for a message. Hidden files and a file system's lost+found do not count."""
        if not self.path.is_dir():
            return []
        return sorted(
            entry.name + ("/" if entry.is_dir() else "")
            for entry in self.path.iterdir()
            if not entry.name.startswith(".") and entry.name != "lost+found"
        )

    def holding(self) -> str:
        """The end of a sentence: what the directory holds."""
        names = self.names()
        if not names:
            return "it is empty"
        return "it holds " + ", ".join(names[:8]) + (" and more" if len(names) > 8 else "")

    def read_json(self, name: str, required: bool = True) -> dict[str, Any]:
        """Read a JSON file; an empty mapping where it is missing and not required.

        Raises:
            ModelLoadError: the file is missing, or is not a JSON object.
        """
        document = self._read(name, required)
        if not isinstance(document, dict):
            raise ModelLoadError(f"{self.path / name} must hold a JSON object.")
        return document

    def read_list(self, name: str) -> list[dict[str, Any]]:
        """Read a JSON file that holds a list of objects.

        Raises:
            ModelLoadError: the file is missing, or holds something else.
        """
        document = self._read(name, required=True)
        if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
            raise ModelLoadError(f"{self.path / name} must hold a JSON list of objects.")
        return document

    def _read(self, name: str, required: bool) -> Any:
        path = self.path / name
        try:
            return json.loads(path.read_bytes())
        except FileNotFoundError:
            if not required:
                return {}
            raise ModelLoadError(
                f"The model directory {self.path} has no {name}: {self.holding()}. "
                "The model's files must lie at the top of the directory (and of model.tar.gz)."
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise ModelLoadError(f"{path} cannot be read as JSON: {error}.") from None

    def config(self) -> ModelConfig:
        """The model's config.json, checked.

        Raises:
            ModelLoadError: it is missing, or a value in it cannot be used.
        """
        config = ModelConfig.from_documents(
            self.read_json("config.json"), self.read_json("tokenizer_config.json", required=False), self.path
        )
        if not self.is_sentence_transformer:
            return config
        # sentence-transformers cuts where its own file says, which is often before the model's end.
        declared = self.read_json("sentence_bert_config.json", required=False)
        lengths = [n for n in (declared.get("max_seq_length"), config.model_max_length) if isinstance(n, int) and n > 0]
        return replace(
            config,
            model_max_length=min(lengths) if lengths else None,
            do_lower_case=declared.get("do_lower_case") is True,
        )

    def compilation(self) -> Compilation | None:
        """The compiler's report; None where the graph comes from elsewhere.

        Raises:
            ModelLoadError: it cannot be read, or is of a format that this server does not know.
        """
        report = self.read_json("compilation.json", required=False)
        if not report:
            return None
        if report.get("format") != 1:
            raise ModelLoadError(
                f"{self.path / 'compilation.json'} has format {report.get('format')!r}; this server reads format 1. "
                "Compile the model again with the compiler that belongs to this image."
            )
        graph = str(report.get("graph") or "model.onnx")
        sums = {name: report.get(key) for name, key in _SUMMED.items()}
        return Compilation(
            task=str(report.get("task") or ""),
            precision=str(report.get("precision") or ""),
            optimised=report.get("optimised") is True,
            sha256={name.format(graph=graph): value for name, value in sums.items() if isinstance(value, str)},
        )


# The files whose digests the compiler's report gives, and under which key.
_SUMMED = {"{graph}": "graph_sha256", "{graph}_data": "graph_data_sha256"}


@dataclass(frozen=True, kw_only=True)
class Compilation:
    """What serving needs of compilation.json.

    `sha256` maps file names to digests. `optimised` says that nothing is left to fuse or fold at load.
    """

    task: str
    precision: str
    optimised: bool
    sha256: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What serving needs of config.json and tokenizer_config.json. Names are those of transformers."""

    labels: tuple[str, ...]
    model_type: str = ""
    architectures: tuple[str, ...] = ()
    problem_type: str | None = None
    model_max_length: int | None = None
    pad_token_id: int = 0
    padding_side: str = "right"
    truncation_side: str = "right"
    do_lower_case: bool = False
    unk_token: str | None = None
    mask_token: str | None = None
    clean_up_tokenization_spaces: bool = False

    @property
    def first_position(self) -> int:
        """The number of a text's first position: most count from 0, RoBERTa and its kin from behind the padding's."""
        return self.pad_token_id + 1 if self.model_type in _OFFSET_POSITIONS else 0

    @classmethod
    def from_documents(cls, config: dict[str, Any], tokenizer_config: dict[str, Any], path: Path) -> ModelConfig:
        """Read the two documents. Defaults are transformers' own, since `save_pretrained` leaves those out.

        Raises:
            ModelLoadError: a value has a form that transformers would not write.
        """
        pad_token_id = config.get("pad_token_id")
        return cls(
            labels=_labels(config, path),
            model_type=str(config.get("model_type") or ""),
            architectures=tuple(str(name) for name in config.get("architectures") or ()),
            problem_type=config.get("problem_type"),
            model_max_length=_model_max_length(config, tokenizer_config),
            pad_token_id=pad_token_id if isinstance(pad_token_id, int) else 0,
            padding_side="left" if tokenizer_config.get("padding_side") == "left" else "right",
            truncation_side="left" if tokenizer_config.get("truncation_side") == "left" else "right",
            unk_token=_token(tokenizer_config, "unk_token"),
            mask_token=_token(tokenizer_config, "mask_token"),
            clean_up_tokenization_spaces=tokenizer_config.get("clean_up_tokenization_spaces") is True,
        )


def _token(tokenizer_config: dict[str, Any], name: str) -> str | None:
    """A special token: older files give a text, newer ones sometimes an object around it."""
    value = tokenizer_config.get(name)
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) and value else None


def _labels(config: dict[str, Any], path: Path) -> tuple[str, ...]:
    id2label = config.get("id2label")
    if id2label is None:
        # transformers does not write the default, LABEL_0 and LABEL_1.
        count = config.get("num_labels", 2)
        return tuple(f"LABEL_{index}" for index in range(count if isinstance(count, int) else 2))
    try:
        by_index = {int(index): str(label) for index, label in id2label.items()}
        return tuple(by_index[index] for index in range(len(by_index)))
    except (AttributeError, ValueError, KeyError):
        raise ModelLoadError(
            f'"id2label" in {path / "config.json"} must map 0, 1, 2 … to labels, without a gap.'
        ) from None


def _model_max_length(config: dict[str, Any], tokenizer_config: dict[str, Any]) -> int | None:
    """The most tokens the model can read, or None where neither document says."""
    limits = []
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and positions > 0:
        offset = 2 if config.get("model_type") in _OFFSET_POSITIONS else 0
        limits.append(positions - offset)
    declared = tokenizer_config.get("model_max_length")
    # A tokenizer that knows no limit is saved with a huge number (1e30), not without one.
    if isinstance(declared, int) and 0 < declared < 1_000_000:
        limits.append(declared)
    return min(limits) if limits else None
