# SPDX-License-Identifier: GPL-3.0-or-later
"""What transformers itself answers: `python reference.py MODEL TEXTS.json` prints a list of labels as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from transformers import pipeline
from transformers.utils import logging


def main(model: str, texts: str) -> None:
    """Print the label of each text, by the pipeline on torch in fp32, one text at a time."""
    logging.set_verbosity_error()
    classifier = pipeline("text-classification", model=model, tokenizer=model)
    print(json.dumps([answer["label"] for answer in classifier(json.loads(Path(texts).read_text(encoding="utf-8")))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
