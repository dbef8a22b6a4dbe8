# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into an image: the files of a build context, and one digest over all that decides the result."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from docker.utils.build import exclude_paths

#: The time of every file that goes into an image, in seconds since 1970: the first day that a zip file can hold.
#: The EPOCH of Dockerfile.serve.
EPOCH = 315532800

#: Where a baked model lies in the context of a build.
MODEL_DIRECTORY = "model"


class ContextError(Exception):
    """The build context cannot be used; the message says why and what would be right."""


@dataclass(frozen=True)
class ContextFile:
    """One file of the context: its path inside it, whether it may be executed, and the SHA-256 of its content."""

    path: str
    executable: bool
    sha256: str


def read_context(root: Path, ignored: tuple[str, ...] = (), dockerfile: str | None = None) -> tuple[ContextFile, ...]:
    """The context's files in the order of their paths, less what its ``.dockerignore`` and ``ignored`` (patterns) name.

    ``dockerfile`` is there whatever they name, since it decides the image: Docker sends it along in the same way.

    Raises ContextError where the directory or its Dockerfile is missing, or where a link leads out of the context.
    """
    if not root.is_dir():
        raise ContextError(f"The build context {root} is not a directory.")
    ignore_file = root / ".dockerignore"
    patterns = [line.strip() for line in ignore_file.read_text().splitlines()] if ignore_file.is_file() else []
    patterns = [line for line in patterns if line and not line.startswith("#")]
    # Byte code depends on the Python that wrote it, and is never what a person means to ship.
    names = exclude_paths(str(root), [*patterns, "**/__pycache__", "**/*.pyc", ".dockerignore", *ignored], dockerfile)
    files = []
    for name in sorted(names):
        path = root / name
        if not path.is_file():
            continue
        if not path.resolve().is_relative_to(root.resolve()):
            raise ContextError(f"{path} is a link that leads out of the build context. Put the file itself there.")
        executable = bool(path.stat().st_mode & 0o100)
        files.append(ContextFile(Path(name).as_posix(), executable, hashlib.sha256(path.read_bytes()).hexdigest()))
    if dockerfile is not None and dockerfile not in {file.path for file in files}:
        raise ContextError(f"The build context {root} holds no {dockerfile}, which image_dockerfile names.")
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


def stage_context(root: Path, files: tuple[ContextFile, ...], model: Path | None, target: Path) -> None:
    """Copies the files of a context to ``target``, with a model's files under ``model/``; all of it or nothing.

    Times and modes are fixed, so what a builder gets does not depend on the checkout or on its umask. A model is linked
    where the disk allows it, since it may have gigabytes. Raises ContextError for what cannot be read or written.
    """
    staging = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        for file in files:
            copy = staging / file.path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / file.path, copy)
            copy.chmod(0o755 if file.executable else 0o644)
            os.utime(copy, (EPOCH, EPOCH))
        if model is not None:
            for source in model_files(model):
                copy = staging / MODEL_DIRECTORY / source.relative_to(model)
                copy.parent.mkdir(parents=True, exist_ok=True)
                _link_or_copy(source, copy)
        shutil.rmtree(target, ignore_errors=True)
        staging.rename(target)
    except OSError as error:
        raise ContextError(f"Cannot copy the build context {root} to {target}: {error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def model_files(model: Path) -> list[Path]:
    """The files of a model directory, in the order of their paths. Raises ContextError where there is none."""
    files = sorted(path for path in model.rglob("*") if path.is_file())
    if not files:
        raise ContextError(f"The model directory {model} holds no file, so there is no model to put into the image.")
    return files


def _link_or_copy(source: Path, copy: Path) -> None:
    try:
        os.link(source, copy, follow_symlinks=True)
    except OSError:
        shutil.copyfile(source, copy)
