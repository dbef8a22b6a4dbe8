# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever waits for a fetch, a compilation or an upload sees how far it is."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from ansible_collections.modelhost.sagemaker.plugins.module_utils._progress import LINE_EVERY, Progress
from ansible_collections.modelhost.sagemaker.plugins.plugin_utils._progress_lines import Follower


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_count_says_every_few_seconds_how_far_it_is_and_how_fast(tmp_path: Path) -> None:
    clock, lines = Clock(), tmp_path / "lines"
    count = Progress(str(lines), clock).bytes("uploading model.tar.gz", 400_000_000)
    count.add(1_000_000)
    assert not lines.exists()
    clock.now += LINE_EVERY
    count.add(99_000_000)
    count.add(1)
    clock.now += LINE_EVERY
    count.reach(300_000_000)
    assert lines.read_text().splitlines() == [
        "uploading model.tar.gz: 100 of 400 MB, 20 MB/s",
        "uploading model.tar.gz: 300 of 400 MB, 30 MB/s",
    ]


def test_a_line_is_one_line_whatever_is_in_it(tmp_path: Path) -> None:
    Progress(str(tmp_path / "lines")).say("  two\nlines ")
    assert (tmp_path / "lines").read_text() == "two lines\n"


def test_work_that_has_nothing_to_say_says_that_it_goes_on(tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    with Progress(str(lines)).alive("compiling", every=0.01):
        while not lines.exists() or not lines.read_text().endswith("\n"):
            time.sleep(0.01)
    assert lines.read_text().splitlines()[0] == "compiling: 0 s so far"


def test_nobody_has_to_read() -> None:
    Progress(None).say("unheard")
    Progress("/nowhere/at/all").say("unheard")


def test_every_line_is_shown_once_and_whole(tmp_path: Path) -> None:
    path, told, shown = tmp_path / "lines", [], threading.Event()
    path.touch()

    def tell(line: str) -> None:
        told.append(line)
        shown.set()

    with Follower(path, tell), path.open("a") as file:
        file.write("first\nsec")
        file.flush()
        assert shown.wait(60)
        assert told == ["first"]
        file.write("ond\nthird\n")
        file.flush()
    assert "\n".join(told) == "first\nsecond\nthird"
