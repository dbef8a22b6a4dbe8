# SPDX-License-Identifier: GPL-3.0-or-later
"""Rebuilds the demonstration model: ``python files/model/train.py``.

It learns from files/model/sentences, reports on files/model/dev, and writes the model directory with its graph.
``--compile-only`` leaves the weights as they are and compiles them anew. Training
cannot read files/model/held_out; ``evaluate.py`` measures the result on it afterwards.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import held_out_guard

HERE = Path(__file__).resolve().parent
SEED = 20_260
VOCABULARY_SIZE = 7_800
VOCABULARY_SAMPLE = 60_000
MAX_BYTES = 6_000_000
# Far below what it reaches; a run that has not learned what a denial does stays around 0.7.
MIN_DEV_ACCURACY = 0.85


class TrainingError(Exception):
    """The result is not fit to be written; the message says why."""


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=Path, default=HERE / "sentences", help="the training material")
    parser.add_argument("--dev", type=Path, default=HERE / "dev" / "sentences.tsv", help="the sentences to tune on")
    parser.add_argument("--output", type=Path, default=HERE / "distilbert-demo", help="the model directory to write")
    parser.add_argument("--samples", type=int, help="how many sentences to train on (default: the recipe's)")
    parser.add_argument("--compile-only", action="store_true", help="train nothing; compile the weights in --output")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Train, check and write. Returns the exit status: 0, or 1 with a sentence on standard error."""
    options = arguments(argv)
    held_out_guard.install()
    try:
        for path in (options.sentences, options.dev):
            held_out_guard.refuse(path)
        _compile(options.output) if options.compile_only else _train(options)
    except (held_out_guard.HeldOutError, TrainingError, OSError, ValueError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 1
    return 0


def _train(options: argparse.Namespace) -> None:
    # Imported late, so that a refusal does not need torch.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import dataclasses

    import artifact
    import network
    import torch
    import wordpiece
    from corpus import Corpus
    from labelled import parse

    started = time.monotonic()

    def report(line: str) -> None:
        print(line, flush=True)

    # One thread: sums then always run in the same order, and a busy second core cannot stall every step.
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    recipe = network.Recipe()
    if options.samples:
        recipe = dataclasses.replace(recipe, samples=options.samples)
    corpus = Corpus(options.sentences)
    dev = parse(held_out_guard.read_training_text(options.dev), options.dev.name)
    report(f"Writing {recipe.samples} training sentences from {options.sentences.name}/ ...")
    samples = corpus.sample(recipe.samples, SEED)
    report(f"Learning a vocabulary of {VOCABULARY_SIZE} pieces ...")
    tokenizer = wordpiece.build([s.text for s in samples[-VOCABULARY_SAMPLE:]] + corpus.words() * 20, VOCABULARY_SIZE)
    model = network.build(tokenizer, recipe)
    report(f"Training {sum(p.numel() for p in model.parameters())} weights ...")
    model = network.train(model, tokenizer, samples, recipe, SEED, report)

    artifact.round_to_half(model)
    logits = network.logits(model, tokenizer, [s.text for s in dev])
    right = sum(int(row.argmax()) == s.label for row, s in zip(logits, dev, strict=True))
    report(f"Dev: {right} of {len(dev)} right ({right / len(dev):.1%}).")
    if right < MIN_DEV_ACCURACY * len(dev):
        raise TrainingError(
            f"fewer than {MIN_DEV_ACCURACY:.0%} of the dev sentences are right, so nothing was written. "
            "Raise --samples, or lower the recipe's learning_rate in network.py."
        )

    artifact.write(options.output, model, tokenizer)
    _compile(options.output)
    size = artifact.size(options.output)
    if size > MAX_BYTES:
        raise TrainingError(f"{options.output} has {size} bytes, more than {MAX_BYTES}: take fewer pieces or layers.")
    report(f"Wrote {options.output} ({size / 1e6:.2f} MB) in {time.monotonic() - started:.0f} s.")


def _compile(directory: Path) -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    import artifact

    artifact.compile_graph(directory)


if __name__ == "__main__":
    sys.exit(main())
