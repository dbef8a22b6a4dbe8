# SPDX-License-Identifier: GPL-3.0-or-later
"""`make lock`: writes requirements-*.txt from requirements-*.in, every package pinned, with the hashes of its files.

The hashes are those of all platforms and Pythons, so one file serves amd64, arm64 and Python 3.11 to 3.13. A line that
begins with `# uv:` in a .in file holds more options for uv. The first line of the .txt says which .in it was made from.
"""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
# torch is pinned by version alone, in requirements-torch.txt; it and what comes and goes with its build are left out.
BY_INDEX = ("torch", "triton", "nvidia-", "cuda-")
# Not one of them is ever installed where an image is built, and the local stage runs on Linux and macOS.
ELSEWHERE = ("colorama", "httpx2-jsfetch")


def header(source: Path) -> str:
    """The first line of the file that is made from `source`."""
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    return f"# Made by `make lock` from {source.name}, SHA-256 {digest}. Edit that one.\n"


def lock(source: Path, more: list[str]) -> None:
    """Resolve one .in file. Ends the program where uv finds no solution; uv has said why."""
    options = [
        option
        for line in source.read_text(encoding="utf-8").splitlines()
        if line.startswith("# uv:")
        for option in shlex.split(line.removeprefix("# uv:"))
    ]
    target = source.with_suffix(".txt")
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / target.name
        # What is pinned already stays where the .in file allows it: uv reads the output file as a preference.
        if target.is_file():
            output.write_text(target.read_text(encoding="utf-8"), encoding="utf-8")
        command = [
            *(str(Path(sys.executable).with_name("uv")), "pip", "compile", "--quiet"),
            *("--universal", "--python-version", "3.11", "--generate-hashes"),
            *("--no-emit-index-url", "--no-header", "--annotation-style", "line"),
            *options, *more,
            *("--output-file", str(output), source.name),
        ]  # fmt: skip
        if subprocess.run(command, cwd=source.parent).returncode != 0:
            raise SystemExit(f"{source.name} could not be resolved; {target.name} is as it was.")
        pins = [pin for pin in pins_of(output.read_text(encoding="utf-8")) if not is_left_out(pin)]
    target.write_text(header(source) + "".join(pins), encoding="utf-8")
    print(f"{source.name} -> {target.name}: {len(pins)} packages")


def pins_of(text: str) -> list[str]:
    """The pins of a requirements file, each with the lines of hashes and comments that belong to it."""
    pins: list[str] = []
    for line in text.splitlines(keepends=True):
        if line[0].isalnum():
            pins.append(line)
        elif pins:
            pins[-1] += line
    return pins


def is_left_out(pin: str) -> bool:
    """Whether a pin is one that the locked file must not name."""
    name = pin.partition("==")[0]
    return name in ELSEWHERE or any(name == each or (each[-1] == "-" and name.startswith(each)) for each in BY_INDEX)


if __name__ == "__main__":
    for file in sorted(HERE.glob("requirements-*.in")):
        lock(file, sys.argv[1:])
