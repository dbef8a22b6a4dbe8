# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the held-out sentences out of training.

An accuracy means nothing once the sentences it is measured on have been learned from. So training reads its material
through ``read_training_text``, and ``install`` makes all Python code of the process unable to open anything under
held_out/, whichever library tries. An audit hook cannot be taken out again, which is the point of it. (It does not see
a compiled library that opens a file by itself, or another process; training starts neither on a file of sentences.)
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

HELD_OUT = Path(__file__).resolve().parent / "held_out"


class HeldOutError(Exception):
    """Training tried to read a held-out sentence."""


def refuse(path: str | os.PathLike[str]) -> None:
    """Raise HeldOutError if ``path`` is the held-out directory or lies in it, links and ``..`` followed."""
    real = Path(path).resolve()
    if real == HELD_OUT or HELD_OUT in real.parents:
        raise HeldOutError(
            f"{path} is held out: the model's accuracy is measured on it, so training must not read it. "
            "Give training sentences of your own; files/model/evaluate.py reads the held-out ones."
        )


def read_training_text(path: Path) -> str:
    """The text of a training file (UTF-8). Raises HeldOutError for a held-out one, OSError where it cannot be read."""
    refuse(path)
    return path.read_text(encoding="utf-8")


def install() -> None:
    """From now on, Python code of this process that opens or lists something held out gets a HeldOutError."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in {"open", "os.listdir", "os.scandir"} and isinstance(arguments[0], str | bytes | os.PathLike):
            refuse(os.fsdecode(arguments[0]))

    sys.addaudithook(hook)
