# SPDX-License-Identifier: GPL-3.0-or-later
"""`make serve` takes up a change without a moment in which nobody answers, and survives a change that does not work.

The server here is a small one that keeps the container's contract; `test_local_server_command` runs the real one.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from local_server.front import Front
from local_server.launch import Process
from local_server.reload import Reloader

PATIENCE = 60

SERVER = """
import http.server, os, pathlib, time
ANSWER = {answer!r}.encode()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def do_POST(self):
        if self.path == "/slow":
            pathlib.Path("slow_has_begun").touch()
            while not os.path.exists("slow_may_end"): time.sleep(0.01)
        if self.path == "/die":
            os._exit(7)
        self.send_response(200); self.send_header("Content-Length", str(len(ANSWER))); self.end_headers()
        self.wfile.write(ANSWER)
    def log_message(self, *arguments): pass
import signal
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler)
server.daemon_threads = False
import threading
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
server.server_close()
"""


class Scene:
    """A reloader with its front, told of changes by hand."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.said: list[str] = []
        self.port = 0
        self.times_ready = 0
        self._changes: asyncio.Queue[list[Path]] = asyncio.Queue()
        self._program = directory / "serving" / "__main__.py"
        self._program.parent.mkdir()

    def write(self, program: str) -> None:
        self._program.write_text(program, encoding="utf-8")

    def answers(self, answer: str) -> None:
        """Write a server that answers so."""
        self.write(SERVER.format(answer=answer))

    def save(self) -> None:
        """Tell of the change."""
        self._changes.put_nowait([self._program])

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Scene]:
        front = Front()
        self.port = await front.listen(0)
        launch = Process(self.directory, Path(sys.executable), self.directory, {})
        reloader = Reloader(launch, self.directory, front, self.said.append)
        task = asyncio.create_task(reloader.run(self._told(), self._ready))
        try:
            yield self
        finally:
            front.close()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _ready(self) -> None:
        self.times_ready += 1

    async def _told(self) -> AsyncIterator[list[Path]]:
        while True:
            yield await self._changes.get()

    async def ask(self, path: str = "/invocations") -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        head, _, body = answer.partition("\r\n\r\n")
        return int(head.split()[1]) if head else 0, body

    async def until(self, condition: Callable[[], bool | Awaitable[bool]], otherwise: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                held = condition()
                if await held if isinstance(held, Awaitable) else held:
                    return
                await asyncio.sleep(0.02)
        raise AssertionError(f"{otherwise}: {self.said}")

    async def until_answer(self, answer: str) -> None:
        async def is_so() -> bool:
            return (await self.ask())[1] == answer

        await self.until(is_so, f"{answer} did not come")

    async def until_said(self, words: str) -> None:
        await self.until(lambda: any(words in line for line in self.said), f"{words!r} was not said")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_change_is_live_without_a_request_that_fails(scene: Scene) -> None:
    async def story() -> None:
        scene.answers("old")
        async with scene.running():
            await scene.until_answer("old")
            seen: set[tuple[int, str]] = set()
            scene.answers("new")
            scene.save()
            while (200, "new") not in seen:
                seen.add(await scene.ask())
            assert seen == {(200, "old"), (200, "new")} or seen == {(200, "new")}

    asyncio.run(asyncio.wait_for(story(), PATIENCE))


def test_a_request_that_the_old_server_has_begun_is_finished_by_it(scene: Scene) -> None:
    async def story() -> None:
        scene.answers("old")
        async with scene.running():
            await scene.until_answer("old")
            slow = asyncio.create_task(scene.ask("/slow"))
            await scene.until((scene.directory / "slow_has_begun").exists, "the slow request did not begin")
            scene.answers("new")
            scene.save()
            await scene.until_answer("new")
            (scene.directory / "slow_may_end").touch()
            assert await slow == (200, "old")

    asyncio.run(asyncio.wait_for(story(), PATIENCE))


def test_after_a_syntax_error_the_old_server_goes_on_and_the_next_save_tries_again(scene: Scene) -> None:
    async def story() -> None:
        scene.answers("old")
        async with scene.running():
            await scene.until_answer("old")
            scene.write("def handler(:\n")
            scene.save()
            await scene.until_said("The old one goes on serving")
            assert any("SyntaxError" in line for line in scene.said)
            assert await scene.ask() == (200, "old")
            scene.answers("mended")
            scene.save()
            await scene.until_answer("mended")

    asyncio.run(asyncio.wait_for(story(), PATIENCE))


def test_a_server_that_never_started_is_told_to_callers_until_a_save_mends_it(scene: Scene) -> None:
    async def story() -> None:
        scene.write("raise SystemExit(3)\n")
        async with scene.running():
            await scene.until_said("ended with status 3")
            status, body = await scene.ask()
            assert status == 503
            assert "Change a file to try again" in body
            scene.answers("mended")
            scene.save()
            await scene.until_answer("mended")

    asyncio.run(asyncio.wait_for(story(), PATIENCE))


def test_a_server_that_dies_by_itself_is_told_and_the_next_save_starts_it(scene: Scene) -> None:
    async def story() -> None:
        scene.answers("old")
        async with scene.running():
            await scene.until_answer("old")
            with contextlib.suppress(OSError):
                await scene.ask("/die")
            await scene.until_said("ended with status 7")
            assert (await scene.ask())[0] == 503
            scene.save()
            await scene.until_answer("old")

    asyncio.run(asyncio.wait_for(story(), PATIENCE))


def test_of_changes_that_follow_each_other_the_last_one_is_live(scene: Scene) -> None:
    async def story() -> None:
        scene.answers("old")
        async with scene.running():
            await scene.until_answer("old")
            for number in range(4):
                scene.answers(f"new {number}")
                scene.save()
            await scene.until_answer("new 3")

    asyncio.run(asyncio.wait_for(story(), PATIENCE))


def test_no_server_is_left_over(scene: Scene) -> None:
    async def story() -> None:
        scene.answers("old")
        async with scene.running():
            await scene.until_answer("old")
            scene.answers("new")
            scene.save()
            await scene.until_answer("new")

    asyncio.run(asyncio.wait_for(story(), PATIENCE))
    left = [entry for entry in Path("/proc").glob("[0-9]*/cwd") if _points_to(entry, scene.directory)]
    assert left == []


def _points_to(link: Path, directory: Path) -> bool:
    try:
        return link.readlink() == directory
    except OSError:
        return False
