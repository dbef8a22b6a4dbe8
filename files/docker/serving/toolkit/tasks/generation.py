# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that generate text. Parameters are those of transformers' `generate`; how long may be generated is bounded."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from serving import parameters as check
from serving.errors import InputError
from serving.parameters import Check
from serving.settings import Settings
from serving.toolkit.loading import LoadedPipeline
from serving.toolkit.tasks.base import TextTask, Work

GENERATE = {
    "do_sample": check.boolean,
    "temperature": check.number(0, 100, above=True),
    "top_k": check.whole(0, 1_000_000),
    "top_p": check.number(0, 1, above=True),
    "min_p": check.number(0, 1),
    "typical_p": check.number(0, 1, above=True),
    "repetition_penalty": check.number(0, 100, above=True),
    "no_repeat_ngram_size": check.whole(0, 100),
    "length_penalty": check.number(-100, 100),
    "early_stopping": check.boolean,
    "num_beams": check.whole(1, 16),
    "num_return_sequences": check.whole(1, 16),
    "max_length": check.whole(1, 1_000_000),
    "max_new_tokens": check.whole(1, 1_000_000),
    "min_length": check.whole(0, 1_000_000),
    "min_new_tokens": check.whole(0, 1_000_000),
    "stop_strings": check.texts(16),
    # The same under the name that text-generation-inference has for it.
    "stop": check.texts(16),
    "seed": check.whole(0, 2**63 - 1),
    "clean_up_tokenization_spaces": check.boolean,
}


class GenerationTask(TextTask):
    """What generating tasks share: bounds, stop strings and seeds."""

    length_parameters: ClassVar[Mapping[str, Check]] = {"truncation": check.boolean}
    makes_full = frozenset({"num_return_sequences"})

    def __init__(self, loaded: LoadedPipeline, settings: Settings) -> None:
        super().__init__(loaded, settings)
        self._unshared = itertools.count()

    def adjust(self, given: dict[str, Any], full: bool) -> dict[str, Any]:
        """Bound what is asked for, and translate what has several names."""
        most = self.most_new_tokens()
        for name in ("max_new_tokens", "min_new_tokens"):
            if given.get(name, 0) > most:
                raise InputError(f"{name} must be at most {most} here.")
        stop = given.pop("stop", None)
        if stop is not None:
            given["stop_strings"] = stop
        return given

    def most_new_tokens(self) -> int:
        """The most tokens that one answer may have: SERVING_MAX_NEW_TOKENS."""
        return self.settings.max_new_tokens

    def item(self, value: Any, where: str, given: Mapping[str, Any]) -> tuple[Any, int, Hashable]:
        text, length, _ = super().item(value, where, {**given, "max_length": None})
        # What is drawn from a seed must not hang on what shares the batch.
        return text, length, next(self._unshared) if "seed" in given else None

    def generate_arguments(self, pipeline: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments for a pipeline that generates."""
        arguments = {name: value for name, value in given.items() if name not in ("truncation", "seed", "stop_strings")}
        # A generation that was not stopped must end some time, or its thread is lost.
        arguments["max_time"] = self.settings.request_timeout
        if "stop_strings" in given:
            arguments |= {"stop_strings": given["stop_strings"], "tokenizer": pipeline.tokenizer}
        if "seed" in given:
            from serving.toolkit.sampling import seeded

            config = pipeline.generation_config
            if given.get("do_sample", config.do_sample):
                arguments["logits_processor"] = seeded(given, config, pipeline.device)
        return arguments


class TextToText(GenerationTask):
    """Another text for each text: an answer, a summary, a translation."""

    names = ("text2text-generation", "summarization", "translation")
    example_input: ClassVar[Any] = "I love dogs."
    example_parameters: ClassVar[Mapping[str, Any]] = {"max_new_tokens": 1}
    parameters: ClassVar[Mapping[str, Check]] = {**GENERATE, "src_lang": check.text, "tgt_lang": check.text}

    def __init__(self, loaded: LoadedPipeline, settings: Settings) -> None:
        super().__init__(loaded, settings)
        if loaded.task != "translation":
            self._known = {name: entry for name, entry in self._known.items() if name not in ("src_lang", "tgt_lang")}

    def adjust(self, given: dict[str, Any], full: bool) -> dict[str, Any]:
        given = super().adjust(given, full)
        if given.get("max_length", 0) > self.settings.max_new_tokens:
            raise InputError(f"max_length must be at most {self.settings.max_new_tokens} here.")
        for name in ("src_lang", "tgt_lang"):
            codes = getattr(self.loaded.pipeline.tokenizer, "lang_code_to_id", None) or {}
            if name in given and codes and given[name] not in codes:
                raise InputError(f"{name} is a language that this model does not know.")
        return given

    def run(self, pipeline: Any, works: Sequence[Work], given: Mapping[str, Any]) -> list[Any]:
        with self.cut(pipeline, {}):
            outputs = pipeline(
                [work.item for work in works],
                batch_size=self.batch_size(works),
                truncation=True,
                **self.generate_arguments(pipeline, given),
            )
        # The pipeline takes the lists of one off where every input has one text.
        return [[output] if isinstance(output, dict) else output for output in outputs]

    def readable(self, pipeline: Any, work: Work, output: Any) -> Any:
        texts = [text for entry in output for text in entry.values()]
        return texts[0]


class TextGeneration(GenerationTask):
    """What goes on from each prompt, or the next message of each chat."""

    names = ("text-generation",)
    parameters: ClassVar[Mapping[str, Check]] = {
        **GENERATE,
        "return_full_text": check.boolean,
        "stop_sequence": check.text,
        "add_special_tokens": check.boolean,
    }
    example_input: ClassVar[Any] = "I love"
    example_parameters: ClassVar[Mapping[str, Any]] = {"max_new_tokens": 1, "do_sample": False}

    def __init__(self, loaded: LoadedPipeline, settings: Settings) -> None:
        super().__init__(loaded, settings)
        tokenizer = loaded.pipeline.tokenizer
        # A model that goes on from the last token must have it at the end of its row.
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None and tokenizer.eos_token_id is not None:
            tokenizer.pad_token = tokenizer.eos_token
            loaded.pipeline.generation_config.pad_token_id = tokenizer.eos_token_id
        self.padded = tokenizer.pad_token_id is not None

    def most_new_tokens(self) -> int:
        """SERVING_MAX_NEW_TOKENS, or less: a prompt of one token must fit beside what is generated."""
        return min(self.settings.max_new_tokens, self.limit - 1)

    def inputs(self, request: Any) -> Any:
        inputs = super().inputs(request)
        # A list of messages is one chat, as for the pipeline.
        return [inputs] if is_chat(inputs) else inputs

    def adjust(self, given: dict[str, Any], full: bool) -> dict[str, Any]:
        given = super().adjust(given, full)
        config = self.loaded.pipeline.generation_config
        if "max_new_tokens" not in given and "max_length" not in given and config.max_new_tokens is not None:
            given["max_new_tokens"] = min(config.max_new_tokens, self.most_new_tokens())
        return given

    def item(self, value: Any, where: str, given: Mapping[str, Any]) -> tuple[Any, int, Hashable]:
        if isinstance(value, dict) and set(value) == {"messages"}:
            value = check_chat(value["messages"], where)
        elif isinstance(value, list):
            value = check_chat(value, where)
        text = self._render(value, where) if isinstance(value, list) else check.text(where, value)
        tokens = self.counter.count(text)
        config = self.loaded.pipeline.generation_config
        if tokens == 0 and self.loaded.pipeline.tokenizer.bos_token_id is None and config.bos_token_id is None:
            raise InputError(f"{where} is empty; this model needs a word to go on from.")
        new = given.get("max_new_tokens")
        if new is None:
            # generate counts the padded prompt into max_length; per row it is what the caller means.
            most = given.get("max_length", config.max_length)
            new = max(1, min(most - tokens, self.most_new_tokens()))
        if tokens + new > self.limit and given.get("truncation") is False:
            raise InputError(
                f"{where} has {tokens} tokens and {new} are to be generated, but the model reads {self.limit}; "
                "truncation is false."
            )
        unshared = next(self._unshared) if "seed" in given or tokens == 0 else None
        return (value, new), min(tokens, self.limit) + new, (new, unshared)

    def run(self, pipeline: Any, works: Sequence[Work], given: Mapping[str, Any]) -> list[Any]:
        arguments = self.generate_arguments(pipeline, given)
        arguments.pop("max_length", None)
        # "hole" keeps the end of a prompt that is too long, with room for what is generated.
        arguments |= {"max_new_tokens": works[0].item[1], "handle_long_generation": "hole"}
        with self.cut(pipeline, {}):
            return list(pipeline([work.item[0] for work in works], batch_size=self.batch_size(works), **arguments))

    def readable(self, pipeline: Any, work: Work, output: Any) -> Any:
        text = output[0]["generated_text"]
        return text[-1]["content"] if isinstance(text, list) else text

    def _render(self, messages: list[dict[str, str]], where: str) -> str:
        tokenizer = self.loaded.pipeline.tokenizer
        if not tokenizer.chat_template:
            raise InputError(f"{where} is a chat, but this model has no chat template; send a text.")
        try:
            return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        except Exception as error:
            # A template refuses what it was not written for, such as two messages of one role, by raising.
            raise InputError(f"The model's chat template does not take the messages of {where}.") from error


def is_chat(value: Any) -> bool:
    """True for a list of messages."""
    return isinstance(value, list) and bool(value) and all(isinstance(m, dict) and "role" in m for m in value)


def check_chat(value: Any, where: str) -> list[dict[str, str]]:
    """The messages of a chat.

    Raises:
        InputError: it is empty, or a message is not {"role", "content"} with two texts.
    """
    if not isinstance(value, list):
        raise InputError(f"{where}.messages must be a list of messages.")
    if not value:
        raise InputError(f"{where} is a chat without messages.")
    for index, message in enumerate(value):
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            raise InputError(f'{where}.messages[{index}] must be an object with "role" and "content".')
        for name in ("role", "content"):
            check.text(f"{where}.messages[{index}].{name}", message[name])
    return list(value)
