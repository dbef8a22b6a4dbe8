# SPDX-License-Identifier: GPL-3.0-or-later
"""The other tasks of transformers: the input goes to the pipeline and its output to the caller, one at a time.

Not among them are those that need what the image does not hold (tesseract, a video decoder). A model for one of these
brings a code/inference.py, and its requirements.
"""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from serving import parameters as check
from serving.errors import InputError
from serving.handler import Request
from serving.parameters import Check
from serving.settings import Settings
from serving.toolkit import media
from serving.toolkit.loading import LoadedPipeline
from serving.toolkit.tasks.base import Task, Work

_SHARE = check.number(0, 1)
_LABELS: Mapping[str, Check] = {"candidate_labels": check.texts(1000), "hypothesis_template": check.template}
_MOST: Mapping[str, Check] = {"max_new_tokens": check.whole(1, 1_000_000)}

# What an input is, and what may be said about it. Parameters with which a pipeline would run a program, fetch an
# address or wait as long as the caller likes are left out.
_IMAGES: Mapping[str, Mapping[str, Check]] = {
    "object-detection": {"threshold": _SHARE},
    "image-segmentation": {
        "subtask": check.one_of("semantic", "instance", "panoptic"),
        "threshold": _SHARE,
        "mask_threshold": _SHARE,
        "overlap_mask_area_threshold": _SHARE,
    },
    "image-feature-extraction": {"pool": check.boolean},
    "image-to-text": {**_MOST, "prompt": check.text},
    "image-to-image": {},
    "depth-estimation": {},
    "mask-generation": {
        "points_per_batch": check.whole(1, 256),
        "pred_iou_thresh": _SHARE,
        "stability_score_thresh": _SHARE,
    },
    "zero-shot-image-classification": _LABELS,
}
_SOUNDS: Mapping[str, Mapping[str, Check]] = {
    "audio-classification": {
        "top_k": check.whole(1, 1_000_000),
        "function_to_apply": check.one_of("softmax", "sigmoid", "none"),
    },
    "zero-shot-audio-classification": _LABELS,
}
# An object with an image and texts.
_IMAGES_WITH_TEXT: Mapping[str, Mapping[str, Check]] = {
    "visual-question-answering": {"top_k": check.whole(1, 1000)},
    "zero-shot-object-detection": {"threshold": _SHARE, "top_k": check.whole(1, 1000)},
    "image-text-to-text": {**_MOST, "return_full_text": check.boolean},
}
_TEXT_KEYS = {
    "visual-question-answering": ("question",),
    "zero-shot-object-detection": ("candidate_labels",),
    "image-text-to-text": ("text",),
}
_TEXTS: Mapping[str, Mapping[str, Check]] = {
    "table-question-answering": {"sequential": check.boolean},
    "text-to-audio": {},
}
_ALL = {**_IMAGES, **_SOUNDS, **_IMAGES_WITH_TEXT, **_TEXTS}


class OtherTask(Task):
    """A task for which this server has no shape of its own. Its answers are what the pipeline gives."""

    def __init__(self, loaded: LoadedPipeline, settings: Settings) -> None:
        super().__init__(loaded, settings)
        self.kind = loaded.task
        self._known |= _ALL[self.kind]
        self._unshared = itertools.count()
        if self.kind in _IMAGES:
            self.content_types = media.IMAGE_TYPES
        elif self.kind in _SOUNDS:
            self.content_types = media.AUDIO_TYPES

    @staticmethod
    def serves(kind: str) -> bool:
        """True for tasks of which this server knows how to read an input."""
        return kind in _ALL

    def example(self) -> Request | None:
        """An image or a sound; None where an input has a form that only the model's author knows."""
        labels = {"candidate_labels": ["cat", "dog"]} if "candidate_labels" in self._known else {}
        if self.kind in _IMAGES:
            return Request(media.example_image(), labels)
        if self.kind in _SOUNDS:
            return Request(media.example_sound(self._sampling_rate), labels)
        return None

    def adjust(self, given: dict[str, Any], full: bool) -> dict[str, Any]:
        most = self.settings.max_new_tokens
        if given.get("max_new_tokens", 0) > most:
            raise InputError(f"max_new_tokens must be at most {most} here.")
        if "candidate_labels" in self._known and "candidate_labels" not in given:
            raise InputError('candidate_labels is missing; give the labels to choose from under "parameters".')
        return given

    def item(self, value: Any, where: str, given: Mapping[str, Any]) -> tuple[Any, int, Hashable]:
        return self._read(value, where), 1, next(self._unshared)

    def run(self, pipeline: Any, works: Sequence[Work], given: Mapping[str, Any]) -> list[Any]:
        if self.kind == "image-text-to-text":
            return [plain(pipeline(images=work.item["image"], text=work.item["text"], **given)) for work in works]
        return [plain(pipeline(work.item, **given)) for work in works]

    @property
    def _sampling_rate(self) -> int:
        return int(self.loaded.pipeline.feature_extractor.sampling_rate)

    def _read(self, value: Any, where: str) -> Any:
        if self.kind in _IMAGES:
            return media.read_image(value, where)
        if self.kind in _SOUNDS:
            return media.read_sound(value, where, self._sampling_rate)
        if self.kind == "text-to-audio":
            return check.text(where, value)
        if self.kind == "table-question-answering":
            return _table(value, where)
        (key,) = _TEXT_KEYS[self.kind]
        if not isinstance(value, dict) or set(value) != {"image", key}:
            raise InputError(f'{where} must be an object with "image", in base64, and "{key}".')
        read = check.texts(1000) if key == "candidate_labels" else check.text
        return {"image": media.read_image(value["image"], f"{where}.image"), key: read(f"{where}.{key}", value[key])}


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != {"table", "query"} or not isinstance(value["table"], dict):
        raise InputError(f'{where} must be an object with "table", which has a list of texts per column, and "query".')
    table = {str(name): check.texts(10_000)(f"{where}.table", column) for name, column in value["table"].items()}
    if len({len(column) for column in table.values()}) != 1:
        raise InputError(f"The columns of {where}.table must have the same length.")
    return {"table": table, "query": check.text(f"{where}.query", value["query"])}


def plain(value: Any) -> Any:
    """An output as JSON: images as PNG in base64, arrays and tensors as lists."""
    if isinstance(value, dict):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "save") and hasattr(value, "getbands"):
        file = io.BytesIO()
        value.save(file, format="PNG")
        return base64.b64encode(file.getvalue()).decode("ascii")
    return value.tolist() if hasattr(value, "tolist") else value
