# SPDX-License-Identifier: GPL-3.0-or-later
"""The task automatic-speech-recognition."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from serving import parameters as check
from serving.errors import InputError
from serving.handler import Request
from serving.parameters import Check
from serving.toolkit import media
from serving.toolkit.tasks.base import Task, Work
from serving.toolkit.tasks.generation import GENERATE

# By the kind of model, as the pipeline names it.
_TIMESTAMPS: Mapping[str, tuple[Any, ...]] = {
    "ctc": ("word", "char"),
    "ctc_with_lm": ("word",),
    "seq2seq_whisper": (True, "word"),
}
# Beside the generating parameters: what Whisper's own generate takes.
_WHISPER = {"language": check.text, "task": check.one_of("transcribe", "translate")}


def _generate_kwargs(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{name} must be an object with parameters of generate.")
    taken = ("max_new_tokens", "num_beams", "do_sample", "temperature", "top_k", "top_p", "no_repeat_ngram_size")
    known = {**{entry: GENERATE[entry] for entry in taken}, **_WHISPER}
    return check.check_parameters(value, known)


class SpeechRecognition(Task):
    """What is said in each sound."""

    names = ("automatic-speech-recognition",)
    content_types = media.AUDIO_TYPES
    parameters: ClassVar[Mapping[str, Check]] = {
        "return_timestamps": check.one_of(True, False, "word", "char"),
        "chunk_length_s": check.number(1, media.MAX_SECONDS),
        "stride_length_s": check.numbers(2, 0),
        "generate_kwargs": _generate_kwargs,
    }
    makes_full = frozenset({"return_timestamps"})

    @property
    def sampling_rate(self) -> int:
        """Samples in a second, as the model was trained."""
        return int(self.loaded.pipeline.feature_extractor.sampling_rate)

    def example(self) -> Request:
        return Request(media.example_sound(self.sampling_rate))

    def adjust(self, given: dict[str, Any], full: bool) -> dict[str, Any]:
        kind = self.loaded.pipeline.type
        wanted = given.get("return_timestamps")
        if wanted:
            allowed = {"ctc": ("word", "char"), "ctc_with_lm": ("word",), "seq2seq_whisper": (True, "word")}.get(
                kind, ()
            )
            if not any(wanted is choice or wanted == choice for choice in allowed):
                raise InputError(f"return_timestamps can be {_either(allowed)} for this model.")
        elif kind.startswith("ctc"):
            # The pipeline takes no false for these models.
            given.pop("return_timestamps", None)
        if "generate_kwargs" in given and kind.startswith("ctc"):
            raise InputError("generate_kwargs is not for this model: it does not generate.")
        most = self.settings.max_new_tokens
        if given.get("generate_kwargs", {}).get("max_new_tokens", 0) > most:
            raise InputError(f"generate_kwargs.max_new_tokens must be at most {most} here.")
        stride = given.get("stride_length_s")
        if stride is not None:
            chunk = given.get("chunk_length_s", 0)
            if chunk <= (sum(stride) if isinstance(stride, list) else 2 * stride):
                raise InputError("stride_length_s must leave something of chunk_length_s.")
        return given

    def item(self, value: Any, where: str, given: Mapping[str, Any]) -> tuple[Any, int, Hashable]:
        samples = media.read_sound(value, where, self.sampling_rate)
        # Some wav2vec2 models hear the padding behind a shorter sound, so only sounds of one length share a batch.
        return samples, max(1, len(samples) // 320), len(samples)

    def run(self, pipeline: Any, works: Sequence[Work], given: Mapping[str, Any]) -> list[Any]:
        # The pipeline takes its dictionaries apart, so each call gets its own.
        sounds = [{"raw": work.item, "sampling_rate": self.sampling_rate} for work in works]
        named = {name: dict(value) if isinstance(value, dict) else value for name, value in given.items()}
        return list(pipeline(sounds, batch_size=len(works), **named))

    def readable(self, pipeline: Any, work: Work, output: Any) -> Any:
        return output["text"]


def _either(choices: tuple[Any, ...]) -> str:
    shown = ["true" if choice is True else f'"{choice}"' for choice in choices]
    return " or ".join([*shown, "false"])
