# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task is: what it takes, how it is run, and what it answers. Each task is a class in a file beside this one."""

from __future__ import annotations

import copy
import threading
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from serving import parameters as check
from serving.errors import InputError
from serving.handler import Request, Row
from serving.parameters import Check, check_parameters, frozen
from serving.settings import Settings
from serving.toolkit.loading import LoadedPipeline

# What nearly every encoder was trained on, for a model that does not say.
DEFAULT_MAX_LENGTH = 512
# A tokenizer that knows no limit is saved with a huge number (1e30), not without one.
_NO_LIMIT = 1_000_000
# These count positions from the padding index on, so two of max_position_embeddings cannot be used.
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer"})


@dataclass(frozen=True)
class Work:
    """The payload of a row: one input, and how its request wants it answered."""

    item: Any
    parameters: Mapping[str, Any]
    # True for what the pipeline gives, False for a value that people read.
    full: bool
    length: int = 1


class Task:
    """A task of transformers. Subclasses say what an input is and how outputs look; this class does the rest.

    `run` gives for every item just what `pipeline(item, **parameters)` gives, whatever else is in the batch.
    """

    # The pipeline's names of the task, the first being transformers' own.
    names: ClassVar[tuple[str, ...]] = ()
    # What a caller may say, beside "scores".
    parameters: ClassVar[Mapping[str, Check]] = {}
    # Parameters that ask for the pipeline's output by being there.
    makes_full: ClassVar[frozenset[str]] = frozenset()
    # Content types beside JSON.
    content_types: tuple[str, ...] = ()
    example_input: ClassVar[Any] = None
    example_parameters: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, loaded: LoadedPipeline, settings: Settings) -> None:
        self.loaded = loaded
        self.settings = settings
        self._known = {"scores": check.boolean, **self.parameters}

    def example(self) -> Request | None:
        """A request that the model must answer before it counts as healthy."""
        return Request(self.example_input, dict(self.example_parameters))

    def rows(self, request: Request) -> list[Row]:
        """Cut a request into rows, one for each input.

        Raises:
            InputError: the caller's mistake.
        """
        given = check_parameters(request.parameters, self._known)
        scores = given.pop("scores", None)
        full = scores if scores is not None else not self.makes_full.isdisjoint(given)
        given = self.adjust(given, full)
        inputs = self.inputs(request)
        several = isinstance(inputs, list)
        if several and not inputs:
            raise InputError("inputs is an empty list; it must hold at least one input.")
        rows = []
        for index, value in enumerate(inputs if several else [inputs]):
            item, length, beside = self.item(value, f"inputs[{index}]" if several else "inputs", given)
            rows.append(Row(Work(item, given, full, length), length, (frozen(given), beside)))
        return rows

    def answer(self, pipeline: Any, rows: Sequence[Row]) -> list[Any]:
        """Run one batch, all of one group, and give each row its prediction."""
        works: list[Work] = [row.payload for row in rows]
        outputs = self.run(pipeline, works, works[0].parameters)
        return [
            output if work.full else self.readable(pipeline, work, output)
            for work, output in zip(works, outputs, strict=True)
        ]

    def inputs(self, request: Request) -> Any:
        """The inputs of a request: what JSON held, or what the body is."""
        return request.inputs

    def adjust(self, given: dict[str, Any], full: bool) -> dict[str, Any]:
        """Add what the task needs to what the caller said."""
        return given

    def item(self, value: Any, where: str, given: Mapping[str, Any]) -> tuple[Any, int, Hashable]:
        """Check one input.

        Returns:
            What the pipeline takes, its length, and what else must be equal in a batch with it.
        """
        raise NotImplementedError

    def run(self, pipeline: Any, works: Sequence[Work], given: Mapping[str, Any]) -> list[Any]:
        """What the pipeline gives for each item."""
        raise NotImplementedError

    def readable(self, pipeline: Any, work: Work, output: Any) -> Any:
        """The value that people read, from what the pipeline gives."""
        return output


class TextTask(Task):
    """A task on texts: they are cut to what the model reads, and counted in tokens so that like goes with like."""

    # A CSV document with a column "inputs", as the toolkit takes it.
    content_types = ("text/csv",)
    length_parameters: ClassVar[Mapping[str, Check]] = {
        "truncation": check.boolean,
        "max_length": check.whole(1, _NO_LIMIT),
    }
    example_input: ClassVar[Any] = ["I love dogs.", "I am not fond of cats though."]

    def __init__(self, loaded: LoadedPipeline, settings: Settings) -> None:
        super().__init__(loaded, settings)
        self._known |= self.length_parameters
        self.limit = model_limit(loaded.pipeline, settings)
        self.counter = TokenCounter(loaded.pipeline.tokenizer)
        # Without a padding token texts cannot share a batch.
        self.padded = loaded.pipeline.tokenizer.pad_token_id is not None

    def inputs(self, request: Request) -> Any:
        if request.content_type.partition(";")[0].strip().lower() == "text/csv":
            return csv_inputs(request.body)
        return request.inputs

    def item(self, value: Any, where: str, given: Mapping[str, Any]) -> tuple[Any, int, Hashable]:
        """One text. Its length is the number of its tokens after it was cut."""
        return check.text(where, value), self.count(value, None, where, given), None

    def count(self, value: str, pair: str | None, where: str, given: Mapping[str, Any]) -> int:
        """How many tokens the model will read, special tokens included.

        Raises:
            InputError: there are none, or more than it can read and the caller said that nothing must be cut.
        """
        limit = min(given.get("max_length") or self.limit, self.limit)
        tokens = self.counter.count(value, pair)
        if tokens > limit and given.get("truncation") is False:
            raise InputError(f"{where} has {tokens} tokens, and at most {limit} are read; truncation is false.")
        if tokens == 0:
            raise InputError(f"{where} holds nothing that the model reads.")
        return min(tokens, limit)

    @contextmanager
    def cut(self, pipeline: Any, given: Mapping[str, Any]) -> Iterator[None]:
        """Have every tokenizer call of the pipeline cut to the model's length, or to the caller's max_length.

        Several pipelines cut to the tokenizer's `model_max_length` and take no other word for it.
        """
        tokenizer = pipeline.tokenizer
        before = tokenizer.model_max_length
        tokenizer.model_max_length = min(given.get("max_length") or self.limit, self.limit)
        try:
            yield
        finally:
            tokenizer.model_max_length = before

    def batch_size(self, works: Sequence[Work]) -> int:
        """How many of the works go through the model at once."""
        return len(works) if self.padded else 1


class TokenCounter:
    """Counts tokens, from any thread: transformers' tokenizers change their own state while they cut and pad."""

    def __init__(self, tokenizer: Any) -> None:
        self._lock = threading.Lock()
        self._slow: Any = None
        self._fast: Any = None
        if tokenizer.is_fast:
            from tokenizers import Tokenizer

            self._fast = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
            self._fast.no_truncation()
            self._fast.no_padding()
        else:
            self._slow = copy.deepcopy(tokenizer)

    def count(self, value: str, pair: str | None = None, special: bool = True) -> int:
        """How many tokens a text has, with the special ones that frame it."""
        return len(self.ids(value, pair, special))

    def ids(self, value: str, pair: str | None = None, special: bool = True) -> list[int]:
        """The tokens of a text, nothing cut."""
        if self._fast is not None:
            ids: list[int] = self._fast.encode(value, pair, add_special_tokens=special).ids
            return ids
        with self._lock:
            return list(self._slow(value, pair, add_special_tokens=special, verbose=False)["input_ids"])

    def cut(self, value: str, tokens: int) -> str:
        """A text's beginning, of at most so many tokens."""
        if self._fast is not None:
            encoding = self._fast.encode(value, add_special_tokens=False)
            return value if len(encoding) <= tokens else value[: encoding.offsets[tokens - 1][1]]
        ids = self.ids(value, special=False)
        if len(ids) <= tokens:
            return value
        with self._lock:
            return str(self._slow.decode(ids[:tokens]))


def model_limit(pipeline: Any, settings: Settings) -> int:
    """The most tokens that the model reads: what its positions and its tokenizer allow, or SERVING_MAX_LENGTH."""
    config = pipeline.model.config
    limits = []
    positions = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    # Where positions are relative, as in T5 and XLNet, the number says nothing about what can be read.
    if isinstance(positions, int) and positions > 0 and config.model_type not in ("t5", "mt5", "umt5", "longt5"):
        limits.append(positions - (2 if config.model_type in _OFFSET_POSITIONS else 0))
    declared = pipeline.tokenizer.model_max_length
    if isinstance(declared, int) and 0 < declared < _NO_LIMIT:
        limits.append(declared)
    most = min(limits) if limits else DEFAULT_MAX_LENGTH
    return min(most, settings.max_length) if settings.max_length else most


def csv_inputs(body: bytes) -> Any:
    """The inputs in a CSV document with a header, read by the toolkit.

    Raises:
        InputError: it is not UTF-8, or has no row, or no column that the toolkit knows.
    """
    from serving.toolkit.model_server import import_toolkit

    toolkit = import_toolkit()
    try:
        inputs = toolkit.decoder_encoder.decode_csv(body.decode("utf-8"))["inputs"]
    except UnicodeDecodeError as error:
        raise InputError(f"The body is not UTF-8: byte {error.start} cannot be read.") from None
    except Exception:
        raise InputError("The CSV document must have a header with the column inputs, and a row for each.") from None
    if not inputs or any(None in (entry or {}) for entry in inputs if isinstance(entry, dict)):
        raise InputError("The CSV document must have a header with the column inputs, and a row for each.")
    return inputs
