# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into an image: the files of a build context, and one digest over all that decides the result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from docker.utils.build import exclude_paths


class ContextError(Exception):
    """The build context cannot be used; the message says why and what would be right."""


@dataclass(frozen=True)
class ContextFile:
    """One file of the context: its path inside it, whether it may be executed, and the SHA-256 of its content."""

    path: str
    executable: bool
    sha256: str


def read_context(root: Path, ignored: tuple[str, ...] = ()) -> tuple[ContextFile, ...]:
    """The context's files in the order of their paths, less what its ``.dockerignore`` and ``ignored`` (patterns) name.

    Raises ContextError where the directory or its Dockerfile is missing, or where a link leads out of the context.
    """
    if not root.is_dir():
        raise ContextError(f"The build context {root} is not a directory.")
    ignore_file = root / ".dockerignore"
    patterns = [line.strip() for line in ignore_file.read_text().splitlines()] if ignore_file.is_file() else []
    patterns = [line for line in patterns if line and not line.startswith("#")]
    # Byte code depends on the Python that wrote it, and is never what a person means to ship.
    names = exclude_paths(str(root), [*patterns, "**/__pycache__", "**/*.pyc", ".dockerignore", *ignored])
    files = []
    for name in sorted(names):
        path = root / name
        if not path.is_file():
            continue
        if not path.resolve().is_relative_to(root.resolve()):
            raise ContextError(f"{path} is a link that leads out of the build context. Put the file itself there.")
        executable = bool(path.stat().st_mode & 0o100)
        files.append(ContextFile(Path(name).as_posix(), executable, hashlib.sha256(path.read_bytes()).hexdigest()))
    if not files:
        raise ContextError(f"The build context {root} holds no file.")
    return tuple(files)


def context_digest(files: tuple[ContextFile, ...], inputs: Mapping[str, str]) -> str:
    """64 hex digits over the files (not their times) and over what else decides the image, such as build arguments."""
    content = {
        "files": [[file.path, file.executable, file.sha256] for file in files],
        "inputs": dict(sorted(inputs.items())),
    }
    return hashlib.sha256(json.dumps(content, separators=(",", ":"), ensure_ascii=True).encode()).hexdigest()


def context_tag(digest: str) -> str:
    """The tag under which ECR keeps the image of this context."""
    return f"context-{digest[:32]}"
