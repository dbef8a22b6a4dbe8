# SPDX-License-Identifier: GPL-3.0-or-later
"""`make contract` finds what is wrong with an image, and nothing where nothing is."""

from __future__ import annotations

import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from container_contract import CONTRACT, broken_by

pytestmark = pytest.mark.docker


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Builds an image of the sample server, with faults and more lines of Dockerfile."""
    engine, names = docker.from_env(), []

    def build(faults: str, *lines: str) -> str:
        shutil.copy(CONTRACT / "contract_sample_server.py", tmp_path)
        (tmp_path / "serve").write_text('#!/bin/sh\nexec python3 -u "/srv-sample/contract_sample_server.py"\n')
        (tmp_path / "serve").chmod(0o755)
        (tmp_path / "Dockerfile").write_text(
            "\n".join(
                [
                    "FROM python:3.11-slim",
                    "COPY contract_sample_server.py serve /srv-sample/",
                    f'ENV PATH=/srv-sample:$PATH FAULTS="{faults}"',
                    *lines,
                    "",
                ]
            )
        )
        names.append(f"modelhost-contract-test:{uuid.uuid4().hex[:12]}")
        engine.images.build(path=str(tmp_path), tag=names[-1], rm=True, forcerm=True)
        return names[-1]

    yield build
    for name in names:
        engine.images.remove(name, force=True)


def test_an_image_that_keeps_the_contract_passes(image: Callable[..., str], tmp_path: Path) -> None:
    assert broken_by(image(""), tmp_path) == set()


def test_an_image_with_a_secret_that_loses_requests_fails(image: Callable[..., str], tmp_path: Path) -> None:
    lost = image("drops", "ENV HF_TOKEN=not-really-one")
    assert broken_by(lost, tmp_path) == {
        "test_the_image_holds_no_secret",
        "test_sigterm_ends_it_in_time_and_what_was_in_hand_is_answered",
    }


def test_an_image_that_does_not_hear_sigterm_fails(image: Callable[..., str], tmp_path: Path) -> None:
    assert broken_by(image("deaf any-path"), tmp_path) == {
        "test_a_path_that_is_none_gets_404",
        "test_sigterm_ends_it_in_time_and_what_was_in_hand_is_answered",
    }


def test_an_image_that_writes_to_its_own_disk_does_not_start(image: Callable[..., str], tmp_path: Path) -> None:
    found = broken_by(image("writes"), tmp_path)
    assert {
        "test_the_model_answers_as_soon_as_ping_is_200",
        "test_the_image_listens_on_the_port_that_sagemaker_names",
    } <= found
    assert "test_the_image_is_for_the_right_processor" not in found
