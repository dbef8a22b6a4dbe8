# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract fails where a server breaks it, and only there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CONTRACT = Path(__file__).parents[2] / "contract"


@contextmanager
def sample_server(faults: str) -> Iterator[str]:
    """The URL of a server with these faults."""
    environment = {**os.environ, "FAULTS": faults, "SAGEMAKER_BIND_TO_PORT": "0"}
    command = [sys.executable, str(CONTRACT / "contract_sample_server.py")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.communicate()


def broken_by(url: str) -> set[str]:
    """The tests of the contract that fail for the server."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "contract", str(CONTRACT)],
        env={**os.environ, "CONTRACT_URL": url}, capture_output=True, text=True,
    )  # fmt: skip
    assert re.search(r"\d+ (passed|failed).*deselected", done.stdout), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return set(re.findall(r"^FAILED .*::(\w+)", done.stdout, re.MULTILINE))


@pytest.mark.parametrize(
    ("faults", "broken"),
    [
        ("", set()),
        ("ping-lies", {"test_the_model_answers_as_soon_as_ping_is_200"}),
        ("slow-ping", {"test_ping_is_answered_in_time_while_the_model_works"}),
        (
            "any-path any-body",
            {"test_a_path_that_is_none_gets_404", "test_a_body_that_is_no_json_gets_a_4xx_and_harms_nobody"},
        ),
    ],
    ids=[
        "a good server",
        "a server whose /ping lies",
        "a server that does one thing at a time",
        "a server that says yes",
    ],
)
def test_the_contract_names_what_a_server_breaks(faults: str, broken: set[str]) -> None:
    with sample_server(faults) as url:
        found = broken_by(url)
    assert broken <= found if "ping-lies" in faults else found == broken
