# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said to whoever presses Ctrl-C."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ansible_collections.modelhost.sagemaker.plugins.action.sagemaker_endpoint import interrupted

COLLECTIONS = Path(__file__).parents[3] / "collections"
PROGRAM = """
import os, signal, sys
from ansible_collections.modelhost.sagemaker.plugins.plugin_utils._parting_words import PartingWords


class TaskQueueManager:
    def interrupted(self, number, frame):
        sys.exit(3)


signal.signal(signal.SIGINT, TaskQueueManager().interrupted)
words = PartingWords()
worker = os.fork()
if not worker:
    words.keep("the first")
    words.keep(sys.argv[1])
    os.kill(os.getpid(), 9)
os.waitpid(worker, 0)
os.kill(os.getpid(), signal.SIGINT)
"""


def said(line: str) -> str:
    """What a process says at Ctrl-C whose worker was killed with that line kept."""
    environment = {"PYTHONPATH": str(COLLECTIONS)}
    done = subprocess.run([sys.executable, "-c", PROGRAM, line], env=environment, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    return done.stdout + done.stderr


def test_the_last_words_of_a_killed_worker_are_said_by_its_parent() -> None:
    assert said("it goes on by itself … ü") == "\nit goes on by itself … ü\n"


def test_nothing_is_said_where_everything_was_taken_back() -> None:
    assert said("") == ""


def test_a_line_of_any_length_is_taken() -> None:
    assert said("x" * 10_000).strip().startswith("xxx")


def test_it_is_told_what_goes_on_and_how_to_continue() -> None:
    waiting = interrupted("demo", {"what": "Endpoint demo is InService on demo-CONFIG-1", "seen": ""})
    assert "waiting until Endpoint demo is InService on demo-CONFIG-1" in waiting
    assert "SageMaker goes on with that by itself: the same command goes on where this one stopped." in waiting
    assert "the same command" in interrupted("demo", None)
