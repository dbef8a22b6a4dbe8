# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from contract_subject import OPTIONS, Container, Server, Url


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With a URL there is no image to look at and nothing to stop: those tests are left out, and pytest counts them."""
    if OPTIONS.image is None and OPTIONS.url is not None:
        left_out = [item for item in items if item.get_closest_marker("image")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def engine() -> object:
    import docker

    if OPTIONS.image is None:
        pytest.skip("This asks for an image: make contract IMAGE=name:tag")
    return docker.from_env()


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The subject, from the moment that /ping says it is healthy."""
    if OPTIONS.url is not None:
        url = Url(OPTIONS.url)
        url.await_health()
        yield url
    else:
        container = Container(request.getfixturevalue("engine"))
        try:
            container.await_health()
            yield container
        finally:
            container.remove()
