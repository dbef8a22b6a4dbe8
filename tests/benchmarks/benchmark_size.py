# SPDX-License-Identifier: GPL-3.0-or-later
"""How large the images are, or where no engine has built them, what they would hold."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmark_requirements import INT8, TOOLKIT
from benchmark_servers import COMPILED_VENV, PEERS_VENV

# Packages of the peers' environment that no toolkit image has: they belong to the original's server.
_NOT_OF_THE_TOOLKIT = ("flask", "werkzeug", "waitress", "blinker", "itsdangerous", "pip")
# What a new environment has of itself and our image has not; the toolkit needs setuptools to run.
_NOT_OF_OURS = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence")


def measure_sizes(images: Mapping[str, str]) -> dict[str, Any]:
    """The sizes in bytes, by the name of the server.

    Args:
        images: references of built images by the name of the server; without any, the installed packages are weighed,
            and the Java runtime that the toolkit needs. The Python under them, which both share, is left out then.
    """
    if images:
        return {"of": "images", "bytes": {name: _image_bytes(reference) for name, reference in images.items()}}
    ours, peers = _packages(COMPILED_VENV), _packages(PEERS_VENV)
    return {
        "of": "installed packages",
        "bytes": {
            INT8: directory_bytes(ours, _without(_NOT_OF_OURS)),
            TOOLKIT: directory_bytes(peers, _without(_NOT_OF_THE_TOOLKIT)) + _java_bytes(),
        },
        "java": _java_bytes(),
    }


def directory_bytes(directory: Path, counts: Callable[[Path], bool] = lambda path: True) -> int:
    """What the files of a directory occupy, in bytes, a file with several names once.

    Args:
        counts: asked of each entry at the top.
    """
    seen: dict[tuple[int, int], int] = {}
    for entry in directory.iterdir():
        if not counts(entry):
            continue
        for path in entry.rglob("*") if entry.is_dir() and not entry.is_symlink() else (entry,):
            if path.is_file() and not path.is_symlink():
                stat = path.stat()
                seen[stat.st_dev, stat.st_ino] = stat.st_size
    return sum(seen.values())


def _packages(venv: Path) -> Path:
    return next((venv / "lib").glob("python*")) / "site-packages"


def _without(beginnings: tuple[str, ...]) -> Callable[[Path], bool]:
    return lambda entry: not entry.name.lower().startswith(beginnings)


def _java_bytes() -> int:
    java = shutil.which("java")
    return directory_bytes(Path(java).resolve().parents[1]) if java else 0


def _image_bytes(reference: str) -> int:
    inspect = subprocess.run(["docker", "image", "inspect", reference], capture_output=True, text=True, check=True)
    return int(json.loads(inspect.stdout)[0]["Size"])
