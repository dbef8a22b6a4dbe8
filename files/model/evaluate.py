# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the model on the held-out sentences: ``python files/model/evaluate.py``.

Needs onnxruntime and tokenizers, not torch. ``--write`` records the numbers in the model directory: in metrics.json
and in the model card's table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from labelled import LabelledSentence, parse
from onnx_classifier import LABELS, OnnxClassifier

HERE = Path(__file__).resolve().parent
HELD_OUT = HERE / "held_out" / "sentences.tsv"
MODEL = HERE / "distilbert-demo"
CARD_BEGIN = "<!-- accuracy: written by evaluate.py --write -->"
CARD_END = "<!-- end of accuracy -->"


@dataclass(frozen=True)
class Accuracy:
    """``right`` of ``total`` sentences had the label that their file gives."""

    right: int
    total: int

    @property
    def share(self) -> float:
        """Between 0 and 1, rounded to four digits; 0 of nothing."""
        return round(self.right / self.total, 4) if self.total else 0.0


def accuracies(sentences: list[LabelledSentence], predictions: list[str]) -> dict[str, Accuracy]:
    """Accuracy under "overall" and under every kind in ``sentences``; predictions in the sentences' order."""
    total: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for sentence, predicted in zip(sentences, predictions, strict=True):
        for kind in ("overall", sentence.kind or "other"):
            total[kind] += 1
            right[kind] += predicted == LABELS[sentence.label]
    return {kind: Accuracy(right[kind], total[kind]) for kind in total}


def held_out_sentences(path: Path = HELD_OUT) -> list[LabelledSentence]:
    """The sentences of the held-out file."""
    return parse(path.read_text(encoding="utf-8"), path.name)


def table(results: dict[str, Accuracy]) -> str:
    """The numbers as the model card shows them, a Markdown table."""
    rows = [f"| {kind} | {a.right} of {a.total} | {a.share:.1%} |" for kind, a in results.items()]
    return "\n".join(["| kind | right | accuracy |", "|---|---|---|", *rows])


def _write(model: Path, results: dict[str, Accuracy]) -> None:
    record = {kind: {"right": a.right, "total": a.total, "accuracy": a.share} for kind, a in results.items()}
    (model / "metrics.json").write_text(json.dumps({"held_out": record}, indent=2) + "\n", encoding="utf-8")
    card = model / "README.md"
    text = card.read_text(encoding="utf-8")
    before, _, rest = text.partition(CARD_BEGIN)
    _, _, after = rest.partition(CARD_END)
    card.write_text(f"{before}{CARD_BEGIN}\n{table(results)}\n{CARD_END}{after}", encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    """Print a table; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=MODEL, help="the model directory")
    parser.add_argument("--sentences", type=Path, default=HELD_OUT, help="labelled sentences")
    parser.add_argument("--errors", action="store_true", help="list the wrong ones (not before the model is final)")
    parser.add_argument("--write", action="store_true", help="record the numbers in the model directory")
    options = parser.parse_args(argv)
    sentences = held_out_sentences(options.sentences)
    predictions = OnnxClassifier(options.model).predict([s.text for s in sentences])
    results = accuracies(sentences, predictions)
    for kind, accuracy in results.items():
        print(f"{kind:10} {accuracy.right:4} of {accuracy.total:4}  {accuracy.share:.1%}")
    if options.errors:
        for sentence, predicted in zip(sentences, predictions, strict=True):
            if predicted != LABELS[sentence.label]:
                print(f"{predicted}, should be {LABELS[sentence.label]}: {sentence.text}")
    if options.write:
        _write(options.model, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
