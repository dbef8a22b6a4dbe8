# SPDX-License-Identifier: GPL-3.0-or-later
"""From texts to tokens, and from tokens to the inputs of a graph. transformers' tokenizers without transformers."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np
import numpy.typing as npt

# One core does two short texts in 40 microseconds; handing them to threads takes longer, and the others run the model.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from tokenizers import Encoding, Tokenizer

from serving.errors import InputError, ModelLoadError
from serving.model_directory import ModelConfig, ModelDirectory

# What nearly every encoder was trained on, for a model that does not say.
DEFAULT_MAX_LENGTH = 512

# More characters than this for each token that the model can read, and a text is not tokenised whole at first.
_CHARACTERS_PER_TOKEN = 100

INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")

# A text, or two that belong together.
Text = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one text. `masked_index` is the position that a fill-mask row asks about, else -1.

    `encoding` has what a task may want besides: where each token lies in the text.
    """

    ids: list[int]
    type_ids: list[int]
    encoding: Encoding
    masked_index: int = -1


class TextEncoder:
    """A model's tokenizer. Safe to call in several threads at a time."""

    def __init__(self, directory: ModelDirectory, config: ModelConfig, max_length: int | None = None) -> None:
        """Read tokenizer.json.

        Args:
            max_length: to how many tokens a text is cut, if that is less than the model can read.

        Raises:
            ModelLoadError: it is missing or unreadable.
        """
        self.config = config
        most = config.model_max_length or DEFAULT_MAX_LENGTH
        self.max_length = min(most, max_length) if max_length else most
        self._path = directory.path / "tokenizer.json"
        if not self._path.is_file():
            raise ModelLoadError(
                f"The model directory {directory.path} has a graph but no tokenizer.json: {directory.holding()}. "
                "Save the model's fast tokenizer beside the graph."
            )
        self.tokenizer = self._read()
        self._cut(self.tokenizer, self.max_length)
        # A tokenizer's length is a setting of the whole object, so other lengths have one of their own, and take turns.
        self._other: Tokenizer | None = None
        self._lock = threading.Lock()

    def encode(
        self, texts: Sequence[Text], *, truncation: bool = True, max_length: int | None = None, offsets: bool = False
    ) -> list[Tokens]:
        """Tokens of each text, special tokens included.

        Args:
            truncation: False refuses a text that is too long instead of cutting it.
            max_length: tokens, at least one more than the special ones. More than the model can read counts as that.
            offsets: whether `encoding.offsets` will be asked for; without them it is quicker.

        Raises:
            InputError: a text is too long and `truncation` is False, or `max_length` is too small.
        """
        if self.config.do_lower_case:
            texts = [text.lower() if isinstance(text, str) else (text[0].lower(), text[1].lower()) for text in texts]
        if max_length is None or max_length >= self.max_length:
            encodings = self._encode(self.tokenizer, texts, self.max_length, offsets)
        else:
            pair = any(not isinstance(text, str) for text in texts)
            least = self.tokenizer.num_special_tokens_to_add(pair) + 1
            if max_length < least:
                raise InputError(f"max_length must be at least {least} for this model.")
            with self._lock:
                self._other = self._other or self._read()
                self._cut(self._other, max_length)
                encodings = self._encode(self._other, texts, max_length, offsets)
        if not truncation:
            for index, encoding in enumerate(encodings):
                if encoding.overflowing:
                    raise InputError(
                        f"The text of input {index} has more than {max_length or self.max_length} tokens, the most "
                        "that are read, and truncation is false."
                    )
        return [Tokens(encoding.ids, encoding.type_ids, encoding) for encoding in encodings]

    def encode_pairs(self, pairs: Sequence[tuple[str, str]], **options: int | bool | None) -> list[Tokens]:
        """`encode` for pairs of which only the first text may be cut; see `cut_first_only`.

        Raises:
            InputError: the second text of a pair leaves no room for the first.
        """
        try:
            return self.encode(pairs, **options)  # type: ignore[arg-type]
        except InputError:
            raise
        except Exception as error:
            # tokenizers raises bare Exception; this is the only thing about a pair that it refuses.
            if "too short" not in str(error):
                raise
            raise InputError("A label is too long for the model to read it together with the text.") from None

    def cut_first_only(self) -> None:
        """From now on cut only the first text of a pair. To be called before the first `encode`."""
        self._strategy = "only_first"
        self._cut(self.tokenizer, self.max_length)

    def special_token(self, declared: str | None, usual: Iterable[str]) -> int | None:
        """The number of a special token: the one that tokenizer_config.json names, else the first of the usual ones."""
        names = (declared, *usual) if declared else usual
        return next((number for name in names if (number := self.tokenizer.token_to_id(name)) is not None), None)

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Text of tokens, as transformers' fast tokenizers give it."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens)
        if self.config.clean_up_tokenization_spaces and type(self.tokenizer.model).__name__ != "BPE":
            for spaced, plain in _CLEAN_UP:
                text = text.replace(spaced, plain)
        return text

    def words(self, tokens: list[str]) -> str:
        """Text of tokens that are given by name: transformers' convert_tokens_to_string."""
        decoder = self.tokenizer.decoder
        return str(decoder.decode(tokens)) if decoder is not None else " ".join(tokens)

    _strategy = "longest_first"

    def _read(self) -> Tokenizer:
        try:
            tokenizer = Tokenizer.from_file(str(self._path))
        except Exception as error:
            # tokenizers raises bare Exception, with a text that says what it could not read.
            raise ModelLoadError(f"{self._path} cannot be read as a tokenizer: {error}.") from None
        # Padding is done per batch, when it is known what goes into it.
        tokenizer.no_padding()
        return tokenizer

    def _cut(self, tokenizer: Tokenizer, length: int) -> None:
        tokenizer.enable_truncation(length, strategy=self._strategy, direction=self.config.truncation_side)

    def _encode(self, tokenizer: Tokenizer, texts: Sequence[Text], length: int, offsets: bool) -> list[Encoding]:
        """A tokenizer reads a text to its end even if it then cuts it, which takes seconds for a text of megabytes.

        So only the end that is kept is read, unless that comes to too few tokens to be cut: a text of mostly blanks.
        """
        encode = tokenizer.encode_batch if offsets else tokenizer.encode_batch_fast
        most = length * _CHARACTERS_PER_TOKEN
        if all(_longest(text) <= most for text in texts):
            return list(encode(texts))
        encodings = list(encode([self._shortened(text, most) for text in texts]))
        for index, text in enumerate(texts):
            # At least twice the maximum: the word that the cut went through is then far behind the last one kept.
            # Cut from the left, offsets count from where the reading began; a task that asks for them wants the text's.
            moved = offsets and self.config.truncation_side == "left"
            if _longest(text) > most and (moved or len(encodings[index].overflowing) < 2):
                encodings[index] = encode([text])[0]
        return encodings

    def _shortened(self, text: Text, most: int) -> Text:
        if not isinstance(text, str):
            return (str(self._shortened(text[0], most)), str(self._shortened(text[1], most)))
        return text[-most:] if self.config.truncation_side == "left" else text[:most]


def feeds(
    rows: Sequence[Tokens], inputs: Mapping[str, type[np.integer] | None], config: ModelConfig
) -> dict[str, npt.NDArray[np.integer]]:
    """The inputs of a graph for one batch, each [rows, longest]; masked_index is [rows].

    One flat list becomes one array: a slice for each row costs more than all the numbers of short texts.
    """
    lengths = [len(row.ids) for row in rows]
    # A text may come to no tokens at all; a graph cannot take a width of nothing.
    width = max(1, *lengths)
    left = config.padding_side == "left"
    arrays: dict[str, npt.NDArray[np.integer]] = {}
    arrays["input_ids"] = _padded([row.ids for row in rows], width, config.pad_token_id, left)
    steps, counts = np.arange(width), np.asarray(lengths)[:, None]
    arrays["attention_mask"] = (steps >= width - counts if left else steps < counts).astype(np.int64)
    if "token_type_ids" in inputs:
        arrays["token_type_ids"] = _padded([row.type_ids for row in rows], width, 0, left)
    if "position_ids" in inputs:
        mask = arrays["attention_mask"]
        arrays["position_ids"] = np.maximum(mask.cumsum(axis=1) - 1, 0) + mask * config.first_position
    if "masked_index" in inputs:
        moved = [(width - length) if left else 0 for length in lengths]
        arrays["masked_index"] = np.asarray([row.masked_index + by for row, by in zip(rows, moved, strict=True)])
    return {name: arrays[name].astype(dtype, copy=False) for name, dtype in inputs.items() if dtype is not None}


def _padded(lists: Sequence[list[int]], width: int, value: int, left: bool) -> npt.NDArray[np.int64]:
    parts: list[Iterable[int]] = []
    for entries in lists:
        gap = repeat(value, width - len(entries))
        parts += (gap, entries) if left else (entries, gap)
    return np.fromiter(chain.from_iterable(parts), np.int64, len(lists) * width).reshape(len(lists), width)


def _longest(text: Text) -> int:
    return len(text) if isinstance(text, str) else max(len(text[0]), len(text[1]))


# transformers' clean_up_tokenization, in its order.
_CLEAN_UP = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)
