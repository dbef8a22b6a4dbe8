# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentence embeddings: the task feature-extraction for a directory that sentence-transformers wrote."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from serving import log
from serving import parameters as check
from serving.errors import ModelLoadError
from serving.parameters import Check
from serving.settings import PICKLE_SENTENCE, Settings
from serving.toolkit.loading import (
    LoadedPipeline,
    cannot_load,
    check_remote_code,
    check_weights,
    device,
    torch_dtype,
)
from serving.toolkit.tasks.base import TextTask, Work

MODULES = "modules.json"


def load_sentence_transformer(path: Path, settings: Settings) -> LoadedPipeline:
    """Load a sentence-transformers model in the place of a pipeline.

    Raises:
        ModelLoadError: see `loading.load_pipeline`.
    """
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    from sentence_transformers import SentenceTransformer

    pickled = settings.allow_pickle == PICKLE_SENTENCE
    check_weights(path, settings)
    for found in path.glob("*/pytorch_model.bin"):
        if not pickled and not (found.parent / "model.safetensors").exists():
            raise ModelLoadError(
                f"{found} is pickled: reading it can run code. Save the model as safetensors, or set "
                f"SERVING_ALLOW_PICKLE={PICKLE_SENTENCE}."
            )
    on = device()
    try:
        model = SentenceTransformer(
            str(path),
            device=str(on),
            trust_remote_code=check_remote_code(path, settings),
            local_files_only=True,
            model_kwargs={"dtype": torch_dtype(settings, on)} | ({} if pickled else {"use_safetensors": True}),
        )
    except ModelLoadError:
        raise
    except Exception as error:
        raise cannot_load(path, error) from error
    log.info("sentence_transformer", modules=[type(module).__name__ for module in model], device=str(on))
    return LoadedPipeline(SentencePipeline(model), "feature-extraction", on)


class SentencePipeline:
    """Gives a sentence-transformers model the parts of a pipeline that tasks look at."""

    def __init__(self, model: Any) -> None:
        self.sentence_transformer = model
        self.tokenizer = model.tokenizer
        self.model = model[0].auto_model
        self.device = model.device


class SentenceEmbedding(TextTask):
    """One vector for each text: what `SentenceTransformer.encode` gives."""

    names = ("feature-extraction",)
    parameters: ClassVar[Mapping[str, Check]] = {"truncation": check.boolean}

    def __init__(self, loaded: LoadedPipeline, settings: Settings) -> None:
        super().__init__(loaded, settings)
        declared = loaded.pipeline.sentence_transformer.max_seq_length
        if declared:
            self.limit = min(self.limit, declared)

    def item(self, value: Any, where: str, given: Mapping[str, Any]) -> tuple[Any, int, Hashable]:
        return super().item(value, where, given)

    def run(self, pipeline: Any, works: Sequence[Work], given: Mapping[str, Any]) -> list[Any]:
        model = pipeline.sentence_transformer
        before = model.max_seq_length
        model.max_seq_length = min(given.get("max_length") or self.limit, self.limit)
        try:
            vectors = model.encode(
                [work.item for work in works],
                batch_size=self.batch_size(works),
                show_progress_bar=False,
                convert_to_numpy=True,
            )
        finally:
            model.max_seq_length = before
        return [vector.astype("float32", copy=False) for vector in vectors]
