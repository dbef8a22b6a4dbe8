# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rule comes from: every conformance test says so."""

from __future__ import annotations

from typing import Any

import pytest

REFERENCE = "Amazon SageMaker API reference"
GUIDE = "Amazon SageMaker developer guide"


def source(*places: str) -> Any:
    """The public places that say what the test asserts: a reference page, a page of the guide, an issue's number."""
    return pytest.mark.source(*places)


def reference(*pages: str) -> Any:
    """Pages of the API reference, by the operation's or the type's name."""
    return source(*(f"{REFERENCE}: {page}" for page in pages))


def guide(*pages: str) -> Any:
    """Pages of the developer guide, by their titles."""
    return source(*(f"{GUIDE}: {page}" for page in pages))
