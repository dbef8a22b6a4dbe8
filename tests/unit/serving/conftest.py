# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the serving package share."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
for directory in (HERE, HERE.parents[2] / "files" / "docker"):
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))

from serving_process import CONTEXT, ServerProcess  # noqa: E402
from serving_tiny_model import write_tiny_model  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "torch: needs torch and transformers, which the other unit tests do without")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base directory of a tiny classifier: `model/` in it holds a graph, a tokenizer and a config."""
    base_dir = tmp_path_factory.mktemp("tiny")
    write_tiny_model(base_dir / "model")
    return base_dir


@pytest.fixture
def start() -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers, and ends them after the test."""
    servers: list[ServerProcess] = []

    def start_one(base_dir: Path, **options: Any) -> ServerProcess:
        servers.append(ServerProcess(base_dir, **options))
        return servers[-1]

    yield start_one
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def server(tiny_model: Path) -> Iterator[ServerProcess]:
    """One server with the tiny model, ready, shared by a module's tests."""
    process = ServerProcess(tiny_model)
    try:
        yield process.ready()
    finally:
        process.close()


@pytest.fixture
def context_with_handler(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a build context in which `model_handler.py` is another file: what a user does."""

    def make(source: str) -> Path:
        context = tmp_path / "context"
        shutil.copytree(CONTEXT, context, ignore=shutil.ignore_patterns("__pycache__"))
        (context / "serving" / "model_handler.py").write_text(source, encoding="utf-8")
        return context

    return make
