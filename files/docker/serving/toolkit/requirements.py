# SPDX-License-Identifier: GPL-3.0-or-later
"""`code/requirements.txt`: packages of the user's code, installed once, where nothing of the image is changed.

While an image is built: `python -m serving.toolkit.requirements MODEL_DIR` installs them beside the code, and no
network is needed at start. Otherwise the server installs them at start, into a directory under /tmp.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import platform
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving import log
from serving.errors import ModelLoadError

NAME = "requirements.txt"
# Beside the user's code, so that it travels with the image that the code is baked into.
BESIDE_CODE = "site-packages"
_MARKER = ".installed"
_PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]


def install_requirements(code: Path, target: Path | None = None) -> Path | None:
    """Install what `requirements.txt` in `code` asks for and the image lacks, and put it in front of sys.path.

    Args:
        code: the model's `code` directory.
        target: where to install. Default: a directory of its own under the system's temporary directory; what was
            installed beside the code while the image was built is used as it is.

    Returns:
        The directory with the packages, or None where there are no requirements.

    Raises:
        ModelLoadError: pip failed, with the reason it gave.
    """
    requirements = code / NAME
    if not requirements.is_file():
        return None
    stamp = _stamp(requirements)
    if target is None:
        target = code / BESIDE_CODE
        if _read(target / _MARKER) != stamp:
            target = Path(tempfile.gettempdir()) / f"serving-packages-{os.getuid()}-{stamp[:16]}"
    if _read(target / _MARKER) != stamp:
        _install(requirements, target)
        (target / _MARKER).write_text(stamp, encoding="ascii")
    _use(target)
    return target


def _install(requirements: Path, target: Path) -> None:
    """Ask pip what is missing, then install just that, without touching what the image holds.

    `pip install --target` alone would fetch all dependencies again, torch included; without `--target` it would
    replace packages of the image, which may not be writable.
    """
    started = time.monotonic()
    log.info("requirements", message=f"Installing the packages of {requirements}.")
    target.mkdir(parents=True, exist_ok=True, mode=0o755)
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        _pip(["install", "--dry-run", "--report", str(report), "--progress-bar", "off", "-r", NAME], requirements)
        wanted = [_requirement(entry) for entry in json.loads(report.read_bytes())["install"]]
        if wanted:
            pinned = Path(scratch) / "pinned.txt"
            pinned.write_text("\n".join(wanted) + "\n", encoding="utf-8")
            command = ["install", "--no-deps", "--progress-bar", "off", "--upgrade", "--target", str(target)]
            _pip([*command, "-r", str(pinned)], requirements)
    log.info(
        "requirements_installed",
        packages=len(wanted),
        directory=str(target),
        seconds=round(time.monotonic() - started, 1),
    )


def _requirement(entry: dict[str, Any]) -> str:
    """One line of a requirements file that gives what pip's report says it would install (PEP 610 for its URL)."""
    download = entry["download_info"]
    name, url = entry["metadata"]["name"], download["url"]
    if "vcs_info" in download:
        return f"{name} @ {download['vcs_info']['vcs']}+{url}@{download['vcs_info']['commit_id']}"
    hashes = download.get("archive_info", {}).get("hashes", {})
    return f"{name} @ {url}" + (f"#sha256={hashes['sha256']}" if "sha256" in hashes else "")


def _pip(arguments: list[str], requirements: Path) -> None:
    """Run pip in the directory of the code, with every line in the log as it comes.

    Raises:
        ModelLoadError: it ended with an error.
    """
    reasons: list[str] = []
    with subprocess.Popen(
        [*_PIP, *arguments],
        cwd=requirements.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            if message := line.strip():
                log.info("pip", message=message)
            if message.startswith("ERROR:"):
                reasons.append(message.removeprefix("ERROR:").strip().rstrip("."))
    if process.returncode:
        raise ModelLoadError(
            f"The packages of {requirements} could not be installed: {reasons[-1] if reasons else 'pip failed'}. "
            "Installing at start needs a network: with network isolation, install them while the image is built."
        )


def _use(target: Path) -> None:
    """Put the packages in front of those of the image, with what their .pth files ask for."""
    before = list(sys.path)
    site.addsitedir(str(target))
    added = [entry for entry in sys.path if entry not in before and entry != str(target)]
    sys.path[:] = [str(target), *added, *(entry for entry in before if entry != str(target))]
    importlib.invalidate_caches()


def _stamp(requirements: Path) -> str:
    """Tells whether what is installed still fits: the file, and the Python that it was installed for."""
    document = requirements.read_bytes() + f"{platform.python_version()} {platform.machine()}".encode()
    return hashlib.sha256(document).hexdigest()


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None


def main(arguments: list[str], show: Callable[[str], None] = print) -> int:
    """Install the packages of a model directory's code. Returns the exit status: 0, 1 where pip failed, 2 for usage."""
    target: Path | None = None
    if len(arguments) == 3 and arguments[1] == "--target":
        target = Path(arguments[2])
    elif len(arguments) != 1:
        show("usage: python -m serving.toolkit.requirements MODEL_DIR [--target DIR]")
        return 2
    code = Path(arguments[0]) / "code"
    log.setup("info")
    try:
        installed = install_requirements(code, target or code / BESIDE_CODE)
    except ModelLoadError as error:
        log.error("requirements_failed", message=str(error))
        return 1
    if installed is None:
        log.info("requirements", message=f"There is no {code / NAME}; nothing to install.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
