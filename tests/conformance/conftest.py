# SPDX-License-Identifier: GPL-3.0-or-later
"""The clouds that the conformance tests run against, and the rule that every such test names its source."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration" / "local_cloud"))
sys.path.insert(0, str(Path(__file__).parent))

from conformance_differences import difference_of
from conformance_target import MotoServer, Target, instances
from local_cloud_process import LocalCloud, free_port
from local_cloud_workbench import Workbench, furnish

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "source(*places): the public places that say what a conformance test asserts")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE not in item.path.parents:
            continue
        marker = item.get_closest_marker("source")
        if marker is None or not marker.args:
            raise pytest.UsageError(f"{item.nodeid} names no source: give it @reference, @guide or @source")
        if "[moto" in item.name and (difference := difference_of(item.name)):
            item.add_marker(pytest.mark.xfail(reason=difference.moto, strict=True))


@pytest.fixture(scope="session")
def workbench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """A running, furnished local cloud. Containers have five seconds to become healthy; waits of AWS's are short."""
    root = tmp_path_factory.mktemp("cloud")
    options = ("--time-scale", "0.001")
    cloud = LocalCloud(root / "home", root / "venvs", free_port(), startup_timeout=5, options=options)
    cloud.start()
    yield furnish(cloud)
    cloud.stop()


@pytest.fixture(scope="session")
def local(workbench: Workbench) -> Target:
    """The local cloud, for rules that moto does not know of."""
    return Target(workbench.cloud.url, workbench.image, workbench.role_arn, workbench.artifact)


@pytest.fixture(scope="session", params=["local cloud", pytest.param("moto", marks=pytest.mark.conformance)])
def aws(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The local cloud, and moto, for rules that both keep."""
    if request.param == "local cloud":
        yield request.getfixturevalue("local")
        return
    server = MotoServer()
    try:
        yield server.target()
    finally:
        server.stop()


@pytest.fixture
def model(aws: Target) -> str:
    """A Model on `aws`."""
    return aws.model()


@pytest.fixture(scope="session")
def local_model(local: Target) -> str:
    """A Model on the local cloud, for tests that leave it alone."""
    return local.model()


@pytest.fixture(scope="session")
def running(local: Target, local_model: str) -> str:
    """An endpoint of two instances on the local cloud, for tests that change nothing."""
    return local.endpoint(local.config(instances(local_model, count=2)))
