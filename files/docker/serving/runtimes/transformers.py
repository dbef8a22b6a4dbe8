# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights on transformers and torch, for a model without a graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import transformers

from serving.errors import ModelLoadError
from serving.model_directory import ModelDirectory
from serving.runtimes.base import FloatArray, check_architecture, in_batches, max_length
from serving.settings import Settings


class TransformersRuntime:
    """Serves what `AutoModelForSequenceClassification` loads. Code from the model's directory is never run."""

    name = "transformers"

    def __init__(self, directory: ModelDirectory, settings: Settings) -> None:
        """Load the weights and the tokenizer.

        Raises:
            ModelLoadError: transformers cannot load them, or the weights leave a part of the model at random.
        """
        self.config = directory.config()
        check_architecture(directory, self.config)
        transformers.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        torch.set_num_threads(settings.threads)
        self._batch_size = settings.max_batch_size
        self._max_length = max_length(self.config, settings)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        local = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(directory.path, **local)
            model, loaded = transformers.AutoModelForSequenceClassification.from_pretrained(
                directory.path, use_safetensors=True, output_loading_info=True, **local
            )
        except Exception as error:
            # OSError, ValueError, KeyError, ImportError, SafetensorError …: there is no common base.
            first_line = str(error).strip().partition("\n")[0]
            raise ModelLoadError(f"transformers cannot load {directory.path}: {first_line}") from error
        if loaded["missing_keys"]:
            raise ModelLoadError(
                f"The weights in {directory.path} lack {', '.join(sorted(loaded['missing_keys'])[:3])}; "
                "the model would answer at random."
            )
        # Processors compute half precision slowly or not at all.
        self._model = (model.float() if self._device.type == "cpu" else model).to(self._device).eval()

    def logits(self, texts: Sequence[str]) -> FloatArray:
        """One row of logits per text, in order. See `Runtime.logits`."""
        encodings = self._tokenizer(list(texts), truncation=True, max_length=self._max_length)
        names = list(encodings)

        def forward(batch: Sequence[int]) -> FloatArray:
            feeds = {name: [encodings[name][index] for index in batch] for name in names}
            tensors = self._tokenizer.pad(feeds, return_tensors="pt").to(self._device)
            with torch.inference_mode():
                return np.asarray(self._model(**tensors).logits.float().cpu())

        # Without a padding token texts cannot share a batch.
        size = self._batch_size if self._tokenizer.pad_token_id is not None else 1
        return in_batches([len(ids) for ids in encodings["input_ids"]], size, len(self.config.labels), forward)
