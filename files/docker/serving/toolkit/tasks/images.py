# SPDX-License-Identifier: GPL-3.0-or-later
"""The task image-classification."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from serving import parameters as check
from serving.handler import Request
from serving.parameters import Check
from serving.toolkit import media
from serving.toolkit.tasks.base import Task, Work


class ImageClassification(Task):
    """A label for each image."""

    names = ("image-classification",)
    content_types = media.IMAGE_TYPES
    parameters: ClassVar[Mapping[str, Check]] = {
        "top_k": check.whole(1, 1_000_000),
        "function_to_apply": check.one_of("softmax", "sigmoid", "none"),
    }
    makes_full = frozenset({"top_k", "function_to_apply"})

    def example(self) -> Request:
        return Request(media.example_image())

    def item(self, value: Any, where: str, given: Mapping[str, Any]) -> tuple[Any, int, Hashable]:
        # All images are brought to the model's size.
        return media.read_image(value, where), 1, None

    def run(self, pipeline: Any, works: Sequence[Work], given: Mapping[str, Any]) -> list[Any]:
        return list(pipeline([work.item for work in works], batch_size=len(works), **given))

    def readable(self, pipeline: Any, work: Work, output: Any) -> Any:
        return output[0]["label"]
