# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokenizer: WordPiece over lower-cased words, with "n't" spelt out before anything else."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

MAX_TOKENS = 128
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# How much of the vocabulary is for words that it does not hold whole.
BEGINNINGS = 700
CONTINUATIONS = 1000
_AUXILIARIES = (
    *("do", "does", "did", "is", "are", "was", "were", "have", "has", "had"),
    *("would", "could", "should", "must", "might", "need"),
)


def normalizer() -> normalizers.Normalizer:
    """Lower case, no accents, straight apostrophes, and every spelling of a contraction as its two words.

    "didn't", "didn’t" and "didnt" all become "did not": one word carries the negation, not three pieces of one.
    """
    steps: list[normalizers.Normalizer] = [
        normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True),
        normalizers.Replace(Regex("[’‘`´]"), "'"),
        normalizers.Replace(Regex(r"\bcan'?t\b|\bcannot\b"), "can not"),
        normalizers.Replace(Regex(r"\bwon'?t\b"), "will not"),
        normalizers.Replace(Regex(r"\bain'?t\b"), "is not"),
    ]
    steps += [normalizers.Replace(Regex(rf"\b{verb}n'?t\b"), f"{verb} not") for verb in _AUXILIARIES]
    steps += [
        normalizers.Replace(Regex(rf"'{short}\b"), f" {full}")
        for short, full in (("m", "am"), ("re", "are"), ("ve", "have"), ("ll", "will"))
    ]
    return normalizers.Sequence(steps)


def build(sentences: Iterable[str], vocabulary_size: int) -> Tokenizer:
    """A tokenizer whose vocabulary of at most ``vocabulary_size`` pieces is learned from ``sentences``.

    It truncates at MAX_TOKENS, and wraps a text as ``[CLS] text [SEP]``. The same sentences give the same vocabulary,
    which the library's own trainer does not promise: it breaks ties by the order of a hash map.
    """
    splitter = pre_tokenizers.BertPreTokenizer()
    steps = normalizer()
    counts: Counter[str] = Counter()
    for sentence in sentences:
        counts.update(word for word, _ in splitter.pre_tokenize_str(steps.normalize_str(sentence)))
    pieces = _vocabulary(counts, vocabulary_size)
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=64))  # noqa: S106
    tokenizer.normalizer = steps
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens([*SPECIAL_TOKENS])
    sep, cls = (("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    tokenizer.post_processor = processors.BertProcessing(sep, cls)
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def _vocabulary(counts: Counter[str], size: int) -> list[str]:
    """Special tokens, every character, beginnings and endings shared by many words, and the most frequent words."""
    characters = sorted({*string.ascii_lowercase, *string.digits, *string.punctuation, *"".join(counts)})
    beginnings: Counter[str] = Counter()
    continuations: Counter[str] = Counter()
    for word in counts:
        for length in range(2, 6):
            if len(word) > length:
                beginnings[word[:length]] += 1
                continuations[f"##{word[-length:]}"] += 1
                if length < 4:
                    continuations.update(f"##{word[i : i + length]}" for i in range(1, len(word) - length))
    pieces = [*SPECIAL_TOKENS, *characters, *(f"##{character}" for character in characters if character.isalnum())]
    pieces += _most_common(beginnings, BEGINNINGS) + _most_common(continuations, CONTINUATIONS)
    known = set(pieces)
    pieces = list(dict.fromkeys(pieces))
    words = [word for word in _most_common(counts, len(counts)) if word not in known]
    return pieces + words[: size - len(pieces)]


def _most_common(counts: Counter[str], number: int) -> list[str]:
    """Like Counter.most_common, with ties in alphabetical order, whatever came first."""
    return sorted(counts, key=lambda piece: (-counts[piece], piece))[:number]
