# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the toolkit runtime share. They need torch, transformers and the toolkit: `make test-toolkit`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
for directory in (HERE, HERE.parent / "serving", HERE.parents[2] / "files" / "docker"):
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))

from serving_process import ServerProcess  # noqa: E402
from toolkit_served import Asked, load  # noqa: E402

NEEDED = ("torch", "transformers", "sagemaker_huggingface_inference_toolkit")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
# The kinds of toolkit_models whose name is not the task's.
TASKS = {"regression": "text-classification", "sentence-embedding": "feature-extraction"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("toolkit")
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(MISSING)}; run make test-toolkit"))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The directory of a tiny model, made once for each kind. It must not be changed."""
    made: dict[str, Path] = {}

    def get(kind: str) -> Path:
        import toolkit_models

        if kind not in made:
            made[kind] = toolkit_models.write(kind, tmp_path_factory.mktemp(kind) / "model")
        return made[kind]

    return get


@pytest.fixture(scope="session")
def pipeline(model: Callable[[str], Path]) -> Callable[[str], Any]:
    """transformers' own pipeline of a kind of model."""
    made: dict[str, Any] = {}

    def get(kind: str) -> Any:
        import transformers

        if kind not in made:
            made[kind] = transformers.pipeline(TASKS.get(kind, kind), model=str(model(kind)), device="cpu")
        return made[kind]

    return get


@pytest.fixture(scope="session")
def served(model: Callable[[str], Path]) -> Callable[..., Asked]:
    """A handler with a kind of model, loaded once for each kind and each set of settings."""
    made: dict[Any, Asked] = {}

    def get(kind: str, **settings: Any) -> Asked:
        key = (kind, tuple(sorted(settings.items())))
        if key not in made:
            made[key] = load(model(kind), task=TASKS.get(kind, kind), **settings)
        return made[key]

    return get


@pytest.fixture
def start() -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers, and ends them after the test."""
    servers: list[ServerProcess] = []

    def start_one(model_dir: Path, **environment: str) -> ServerProcess:
        servers.append(ServerProcess(model_dir.parent, SERVING_MODEL_DIR=str(model_dir), **environment))
        return servers[-1]

    yield start_one
    for server in servers:
        server.close()
