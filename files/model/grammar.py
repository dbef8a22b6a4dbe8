# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar that writes the training sentences: its file format and its sampler.

A grammar file is a list of sections, each a heading and one alternative a line::

    [judge]                      alternatives that carry the polarity they are asked for
    {.it} (was/is) {adj} @3
    {.it} (was/is) not {!adj}
    {.it} was {adj+} once -> -

    [adj +]                      alternatives that are positive, whatever is around them
    good

    [like + | verb]              entries with forms: {like.past}, {like.s}, {like.ing}, {like.done}
    love
    [noun | noun]                {noun.plural}; an irregular one is written out: child | children
    child | children

``{name}`` stands for an alternative of that section with the same polarity, ``{!name}`` with the opposite one,
``{name+}`` and ``{name-}`` with a fixed one, ``{.name}`` with none. ``(a/b/)`` chooses one of its parts, which may be
empty. ``@3`` makes a line three times as likely. ``-> -`` says that the line is negative, whatever it is made of.
Sections of the same name add up, over all files.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from held_out_guard import read_training_text

POSITIVE = 1
NEGATIVE = 0

_HEADING = re.compile(r"\[(?P<name>[a-z_]+)(?: (?P<sign>[+-]))?(?: \| (?P<forms>verb|noun))?\]$")
_LINE = re.compile(r"(?P<text>.*?)(?:(?:^| )-> (?P<sign>[+-]))?(?:(?:^| )@(?P<weight>\d+))?$")
_REFERENCE = re.compile(r"\{(?P<how>[.!]?)(?P<name>[a-z_]+)(?P<sign>[+-]?)(?:\.(?P<form>[a-z]+))?\}")
_PLAIN = re.compile(r"[^{}()/@]+")
_SIGNS = {"+": POSITIVE, "-": NEGATIVE}


class GrammarError(ValueError):
    """A grammar file does not follow the format; the message names the file and the line."""


@dataclass(frozen=True)
class Reference:
    """One ``{...}``. ``how`` is "" (same), "!" (opposite), "." (none), "+" or "-" (fixed)."""

    how: str
    name: str
    form: str | None

    def polarity(self, polarity: int | None) -> int | None:
        """The polarity to ask the section for, where the line itself was asked for ``polarity``."""
        if self.how == ".":
            return None
        if self.how in _SIGNS:
            return _SIGNS[self.how]
        if self.how == "!" and polarity is not None:
            return 1 - polarity
        return polarity


@dataclass(frozen=True)
class Choice:
    """One ``(a/b)``: its alternatives, each a sequence of parts."""

    options: tuple[tuple[Part, ...], ...]


Part = str | Reference | Choice


@dataclass(frozen=True)
class Alternative:
    """One line of a section. ``forms`` is empty, or the forms of a verb or a noun by name."""

    parts: tuple[Part, ...]
    weight: int
    forms: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Pool:
    """The alternatives of one section for one polarity, ready to draw from."""

    alternatives: list[Alternative] = field(default_factory=list)
    cumulative: list[int] = field(default_factory=list)

    def draw(self, rng: random.Random) -> Alternative:
        if not self.cumulative:
            self.cumulative = list(accumulate(a.weight for a in self.alternatives))
        return rng.choices(self.alternatives, cum_weights=self.cumulative)[0]


class Grammar:
    """A loaded grammar. ``sentence(rng, label)`` writes one sentence with that label."""

    def __init__(self, files: Iterable[Path], irregular_verbs: Path) -> None:
        """Read ``files``. Raises GrammarError on a bad line, a dangling reference or a section without a polarity."""
        self._irregular = {
            words[0]: words for words in map(str.split, _content_lines(read_training_text(irregular_verbs)))
        }
        self._pools: dict[tuple[str, int | None], _Pool] = {}
        references: list[tuple[str, Reference]] = []
        for path in files:
            self._load(path, references)
        for where, reference in references:
            if not any((reference.name, p) in self._pools for p in (POSITIVE, NEGATIVE, None)):
                raise GrammarError(f"{where}: there is no section [{reference.name}].")

    def _load(self, path: Path, references: list[tuple[str, Reference]]) -> None:
        name, sign, forms = "", None, None
        for number, raw in enumerate(read_training_text(path).splitlines(), start=1):
            line = raw.strip()
            where = f"{path.name}, line {number}"
            if not line or line.startswith("#"):
                continue
            heading = _HEADING.match(line)
            if heading:
                name, sign, forms = heading["name"], heading["sign"], heading["forms"]
                continue
            if line.startswith("[") or not name:
                raise GrammarError(f"{where}: {line!r} is neither a heading nor below one.")
            match = _LINE.match(line)
            if not match:
                raise GrammarError(f"{where}: {line!r} is not a text, perhaps a label, perhaps a weight.")
            parts = _parse(match["text"].strip(), where)
            references.extend((where, r) for r in _references(parts))
            alternative = Alternative(parts, int(match["weight"] or 1), self._forms(match["text"].strip(), forms))
            line_sign = match["sign"] or sign
            # A line without a sign serves every polarity; what it is made of then takes care of it.
            for polarity in (_SIGNS[line_sign],) if line_sign else (POSITIVE, NEGATIVE, None):
                self._pools.setdefault((name, polarity), _Pool()).alternatives.append(alternative)

    def _forms(self, text: str, kind: str | None) -> dict[str, str]:
        written_out = [form.strip() for form in text.split(" | ")]
        if kind == "noun":
            return {"": written_out[0], "plural": written_out[1] if len(written_out) > 1 else _plural(written_out[0])}
        if kind == "verb":
            verb, _, rest = text.partition(" ")
            base, s, past, ing, done = self._irregular.get(verb) or _regular(verb)
            return {
                key: f"{form} {rest}".strip()
                for key, form in {"": base, "s": s, "past": past, "ing": ing, "done": done}.items()
            }
        return {}

    def sentence(self, rng: random.Random, label: int, section: str = "text") -> str:
        """One sentence of ``label`` (POSITIVE or NEGATIVE), with a capital letter and its punctuation."""
        text = self._expand_name(section, label, None, rng)
        return finish(text, rng)

    def entries(self, section: str) -> list[str]:
        """Every plain entry of a section, all its forms, whatever their polarity (for the tokenizer's vocabulary)."""
        found: set[str] = set()
        for (name, _), pool in self._pools.items():
            if name == section:
                for alternative in pool.alternatives:
                    if alternative.forms:
                        found.update(alternative.forms.values())
                    elif all(isinstance(part, str) for part in alternative.parts):
                        found.add("".join(str(part) for part in alternative.parts))
        return sorted(found)

    def noun_forms(self, section: str, form: str) -> list[str]:
        """One form ("" or "plural") of every noun of a section, in the file's order, without repeats."""
        pool = self._pools.get((section, None), _Pool())
        return list(dict.fromkeys(a.forms[form] for a in pool.alternatives if form in a.forms))

    def _expand_name(self, name: str, polarity: int | None, form: str | None, rng: random.Random) -> str:
        pool = self._pools.get((name, polarity))
        if pool is None and polarity is not None:
            pool = self._pools.get((name, None))
        if pool is None:
            raise GrammarError(f"[{name}] has nothing for the polarity {polarity}: refer to it as {{{name}}}.")
        alternative = pool.draw(rng)
        if alternative.forms:
            return alternative.forms[form or ""]
        return self._expand(alternative.parts, polarity, rng)

    def _expand(self, parts: tuple[Part, ...], polarity: int | None, rng: random.Random) -> str:
        out: list[str] = []
        for part in parts:
            if isinstance(part, str):
                out.append(part)
            elif isinstance(part, Choice):
                out.append(self._expand(rng.choice(part.options), polarity, rng))
            else:
                out.append(self._expand_name(part.name, part.polarity(polarity), part.form, rng))
        return "".join(out)


def _content_lines(text: str) -> list[str]:
    return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]


def _references(parts: tuple[Part, ...]) -> list[Reference]:
    found: list[Reference] = []
    for part in parts:
        if isinstance(part, Reference):
            found.append(part)
        elif isinstance(part, Choice):
            for option in part.options:
                found.extend(_references(option))
    return found


def _parse(text: str, where: str) -> tuple[Part, ...]:
    options, position = _parse_options(text, 0, where, depth=0)
    if position != len(text):
        raise GrammarError(f"{where}: a bracket is closed but never opened in {text!r}.")
    return options[0]


def _parse_options(text: str, position: int, where: str, depth: int) -> tuple[list[tuple[Part, ...]], int]:
    """Read from ``position`` to the bracket that closes this depth; returns the options and where it stopped."""
    options: list[list[Part]] = [[]]
    while position < len(text) and text[position] != ")":
        character = text[position]
        if character == "(":
            inner, position = _parse_options(text, position + 1, where, depth + 1)
            if position == len(text):
                raise GrammarError(f"{where}: a bracket is opened but never closed in {text!r}.")
            options[-1].append(Choice(tuple(inner)))
            position += 1
        elif character == "/" and depth:
            options.append([])
            position += 1
        elif character == "{":
            match = _REFERENCE.match(text, position)
            if not match:
                raise GrammarError(f"{where}: a reference is not of the form {{name}} in {text!r}.")
            options[-1].append(Reference(match["how"] or match["sign"], match["name"], match["form"]))
            position = match.end()
        else:
            match = _PLAIN.match(text, position)
            if not match:
                raise GrammarError(f"{where}: {character!r} has no meaning here in {text!r}.")
            options[-1].append(match[0])
            position = match.end()
    return [tuple(option) for option in options], position


def _plural(noun: str) -> str:
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(s|x|ch|sh)$", noun) else "s")


def _regular(verb: str) -> tuple[str, str, str, str, str]:
    s = _plural(verb)
    if verb.endswith("e"):
        return verb, s, verb + "d", (verb if verb.endswith("ee") else verb[:-1]) + "ing", verb + "d"
    past = verb[:-1] + "ied" if re.search(r"[^aeiou]y$", verb) else verb + "ed"
    return verb, s, past, verb + "ing", past


_CONTRACTIONS = [
    (re.compile(rf"\b{full}\b"), short)
    for full, short in [
        ("can ?not", "can't"),
        ("will not", "won't"),
        (r"(do|does|did|is|was|were|are|have|has|had|would|could|should) not", r"\1n't"),
        ("I am", "I'm"),
        (r"(we|you|they) are", r"\1're"),
        (r"(I|we|you|they) have", r"\1've"),
        (r"(I|we|you|they|he|she|it) would", r"\1'd"),
        (r"(I|we|you|they|he|she|it) will", r"\1'll"),
        (r"(it|that|he|she|there|what) is", r"\1's"),
    ]
]


def finish(text: str, rng: random.Random) -> str:
    """Turn expanded parts into written English: contractions (at random), a or an, spaces, the capital letter."""
    text = re.sub(r"\s+", " ", text).strip()
    if rng.random() < 0.6:
        for pattern, short in _CONTRACTIONS:
            text = pattern.sub(short, text)
    text = re.sub(r"\b([Aa]) (?=[aeiouAEIOU])", r"\1n ", text)
    text = re.sub(r"\b([Nn]o) an? ", r"\1 ", text)
    text = re.sub(r"\s+([,.;:!?])", r"\1", text)
    text = re.sub(r",(?=[.!?])", "", text)
    text = re.sub(r"(^|[.!?] )([a-z])", lambda m: m[1] + m[2].upper(), text)
    return text
