# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing a model's files with the sums that packaging made of them."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from serving.errors import ModelLoadError

# In the format of coreutils' sha256sum, at the top of every model.tar.gz that the deploy makes.
SUMS = "SHA256SUMS"

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def verify_sums(directory: Path) -> bool:
    """Compare the files of a model directory with its SHA256SUMS; false where there are no sums to compare with.

    Large files take turns in a few threads: hashlib lets go of the interpreter's lock.

    Raises:
        ModelLoadError: a file is missing, has another content, or the sums cannot be read.
    """
    path = directory / SUMS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    except (OSError, UnicodeDecodeError) as error:
        raise ModelLoadError(f"{path} cannot be read: {error}.") from None
    with ThreadPoolExecutor() as threads:
        problems = [problem for problem in threads.map(lambda line: _problem(directory, line), lines) if problem]
    if problems:
        raise ModelLoadError(f"The model in {directory} is not the one that was packaged: {'; '.join(problems[:3])}.")
    return True


def _problem(directory: Path, line: str) -> str:
    match = _LINE.fullmatch(line)
    if not match:
        return f"{SUMS} has a line that is no sum"
    wanted, name = match.groups()
    try:
        found = sha256_of(directory / name)
    except OSError:
        return f"{name} is missing"
    return "" if found == wanted else f"{name} has another SHA-256 than {SUMS} says"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
