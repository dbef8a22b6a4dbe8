# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the contract on an image, as `make contract` does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

CONTRACT = Path(__file__).parents[1] / "contract"


def broken_by(image: str, model: Path) -> set[str]:
    """The tests of the contract that fail for an image."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "contract", str(CONTRACT)],
        env={**os.environ, "CONTRACT_IMAGE": image, "CONTRACT_MODEL": str(model)}, capture_output=True, text=True,
    )  # fmt: skip
    assert re.search(r"\d+ (passed|failed|error)", done.stdout), done.stdout + done.stderr
    assert "skipped" not in done.stdout.splitlines()[-1], done.stdout
    return set(re.findall(r"^(?:FAILED|ERROR) .*::(\w+)", done.stdout, re.MULTILINE))
