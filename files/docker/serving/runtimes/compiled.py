# SPDX-License-Identifier: GPL-3.0-or-later
"""A graph on onnxruntime, with its tokenizer on tokenizers. No torch, no transformers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Encoding, Tokenizer

from serving.errors import ModelLoadError
from serving.model_directory import ModelDirectory
from serving.runtimes.base import FloatArray, check_architecture, in_batches, max_length
from serving.settings import Settings

# More characters than this for each token that the model can read, and a text is not tokenised whole at first.
_CHARACTERS_PER_TOKEN = 100

_DTYPES: dict[str, type[np.integer]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


class CompiledRuntime:
    """Serves `model.onnx`: inputs among input_ids, attention_mask, token_type_ids and position_ids; output logits."""

    name = "onnxruntime"

    def __init__(self, directory: ModelDirectory, settings: Settings) -> None:
        """Load the graph and the tokenizer.

        Raises:
            ModelLoadError: a file is missing or unreadable, or the graph has an input that is not known here.
        """
        self.config = directory.config()
        check_architecture(directory, self.config)
        self._batch_size = settings.max_batch_size
        self._max_length = max_length(self.config, settings)
        self._tokenizer = _load_tokenizer(directory, self._max_length)
        self._session = _load_session(directory, settings.threads)
        self._inputs = {node.name: _DTYPES.get(node.type) for node in self._session.get_inputs()}
        known = {"input_ids", "attention_mask", "token_type_ids", "position_ids"}
        if "input_ids" not in self._inputs or not known.issuperset(self._inputs) or None in self._inputs.values():
            raise ModelLoadError(
                f"The graph {directory.graph} takes {', '.join(sorted(self._inputs)) or 'no input'}; it must take "
                "input_ids, and may take attention_mask, token_type_ids and position_ids, all of whole numbers."
            )
        outputs = [node.name for node in self._session.get_outputs()]
        self._output = "logits" if "logits" in outputs else outputs[0]

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """One row of logits per text, in order. See `Runtime.logits`."""
        encodings = self._encode(texts)

        def forward(batch: Sequence[int]) -> FloatArray:
            feeds = self._feeds([encodings[index] for index in batch])
            return np.asarray(self._session.run([self._output], feeds)[0])

        lengths = [len(encoding) for encoding in encodings]
        return in_batches(lengths, self._batch_size, len(self.config.labels), forward)

    def _encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Tokens of each text, cut to the maximum length.

        A tokenizer reads a text to its end even if it then cuts it, which takes seconds for a text of megabytes. So
        only the beginning is read, unless that comes to too few tokens to be cut: a text of mostly blanks.
        """
        most = self._max_length * _CHARACTERS_PER_TOKEN
        encodings = self._tokenizer.encode_batch([text[:most] for text in texts])
        for index, text in enumerate(texts):
            # At least twice the maximum: the word that the cut went through is then far behind the last one kept.
            if len(text) > most and len(encodings[index].overflowing) < 2:
                encodings[index] = self._tokenizer.encode(text)
        return list(encodings)

    def _feeds(self, encodings: Sequence[Encoding]) -> dict[str, npt.NDArray[np.integer]]:
        """The graph's inputs for one batch, each of shape [texts, longest]."""
        # A text may come to no tokens at all; a graph cannot take a width of nothing.
        width = max(1, *(len(encoding) for encoding in encodings))
        shape = (len(encodings), width)
        input_ids = np.full(shape, self.config.pad_token_id, dtype=np.int64)
        attention_mask = np.zeros(shape, dtype=np.int64)
        token_type_ids = np.zeros(shape, dtype=np.int64)
        for row, encoding in enumerate(encodings):
            length = len(encoding)
            where = slice(width - length, width) if self.config.padding_side == "left" else slice(0, length)
            input_ids[row, where] = encoding.ids
            attention_mask[row, where] = 1
            token_type_ids[row, where] = encoding.type_ids
        feeds = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "token_type_ids": token_type_ids,
            "position_ids": np.maximum(attention_mask.cumsum(axis=1) - 1, 0),
        }
        return {name: feeds[name].astype(dtype, copy=False) for name, dtype in self._inputs.items()}


def _load_tokenizer(directory: ModelDirectory, length: int) -> Tokenizer:
    path = directory.path / "tokenizer.json"
    if not path.is_file():
        raise ModelLoadError(
            f"The model directory {directory.path} has a graph but no tokenizer.json: {directory.holding()}. "
            "Save the model's fast tokenizer beside the graph."
        )
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        # tokenizers raises bare Exception, with a text that says what it could not read.
        raise ModelLoadError(f"{path} cannot be read as a tokenizer: {error}.") from None
    # Padding is done per batch, after sorting by length.
    tokenizer.no_padding()
    tokenizer.enable_truncation(length)
    return tokenizer


def _load_session(directory: ModelDirectory, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Errors only: its warnings are about the graph's nodes, line after line, and not for the person who deploys.
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(directory.graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime has one exception class per status code, with no common base but Exception.
        first_line = str(error).strip().partition("\n")[0]
        raise ModelLoadError(f"{directory.graph} cannot be loaded as a graph: {first_line}") from None
