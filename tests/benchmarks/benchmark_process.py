# SPDX-License-Identifier: GPL-3.0-or-later
"""A server as a group of processes: started, waited for, weighed and ended, with all its children."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# When a server counts as not starting. Not a statement about speed.
PATIENCE_SECONDS = 180

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PR_SET_CHILD_SUBREAPER = 36


class ServerError(Exception):
    """A server did not do what it must. The text is a sentence for people."""


@dataclass(frozen=True)
class Memory:
    """What a group of processes holds, in bytes. Pages that several of them share count once in `pss`."""

    pss: int
    rss: int


def adopt_orphans() -> None:
    """Make this process the parent of children whose own parent ended, so that none is left over as a zombie."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def free_port() -> int:
    """A port of the loopback address that nothing listens on. multi-model-server takes none above 32767."""
    for port in range(18080, 32000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServerError("No port from 18080 to 32000 is free.")


class ServerProcess:
    """A server's processes: a group of their own, led by the first of them."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], directory: Path, log: Path) -> None:
        """Start it. `started` is the moment, on `time.monotonic`'s clock."""
        self.port = int(environment["SAGEMAKER_BIND_TO_PORT"])
        self.log = log
        with log.open("wb") as output:
            self.started = time.monotonic()
            self._leader = subprocess.Popen(
                command, env=dict(environment), cwd=directory, stdout=output, stderr=output, start_new_session=True
            )

    def first_answer(self, body: bytes, path: str = "/invocations") -> tuple[float, Any]:
        """Ask until it answers with status 200.

        Returns:
            The seconds from its start to the answer, and the answer.

        Raises:
            ServerError: it ended, or did not answer in three minutes.
        """
        while time.monotonic() - self.started < PATIENCE_SECONDS:
            if not self.pids():
                break
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, answer = self.ask(body, path)
                if status == 200:
                    return time.monotonic() - self.started, json.loads(answer)
            time.sleep(0.005)
        tail = " ".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:])[-500:]
        raise ServerError(f"The server did not answer; the end of {self.log}: {tail}")

    def ask(self, body: bytes, path: str = "/invocations") -> tuple[int, bytes]:
        """One request on a connection of its own: the status and the body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def pids(self) -> list[int]:
        """The processes of the group that have not ended."""
        return [pid for pid, _ in self._members()]

    def cpu_seconds(self) -> float:
        """Processor time of the whole group so far, user and system."""
        return sum(ticks for _, ticks in self._members()) / _TICKS_PER_SECOND

    def settle(self) -> None:
        """Wait until it has finished what it was asked; a caller that left may have left work behind."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        before = self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(0.1)
            now = self.cpu_seconds()
            if now - before <= 1.5 / _TICKS_PER_SECOND:
                return
            before = now
        raise ServerError("The server is still at work three minutes after its last caller left.")

    def memory(self) -> Memory:
        """What the whole group holds now."""
        pss = rss = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
                    name, _, value = line.partition(":")
                    if name in ("Pss", "Rss"):
                        size = int(value.split()[0]) * 1024
                        pss, rss = (pss + size, rss) if name == "Pss" else (pss, rss + size)
        return Memory(pss, rss)

    def stop(self) -> None:
        """End the whole group: politely, and after some seconds for good."""
        for number, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
            if not self.pids():
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._leader.pid, number)
            deadline = time.monotonic() + seconds
            while self.pids() and time.monotonic() < deadline:
                self._reap()
                time.sleep(0.02)
        self._reap()

    def _reap(self) -> None:
        self._leader.poll()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-self._leader.pid, os.WNOHANG)[0]:
                pass

    def _members(self) -> Iterator[tuple[int, int]]:
        """Each process of the group that has not ended, and its processor time in ticks (proc(5), /proc/pid/stat)."""
        for entry in os.scandir("/proc"):
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError, ValueError, IndexError):
                stat = Path(entry.path, "stat").read_text(encoding="utf-8", errors="replace")
                # The name in parentheses may hold anything; what follows the last of them is fixed.
                state, _, group, *rest = stat.rpartition(")")[2].split()
                if int(group) == self._leader.pid and state not in "ZX":
                    yield int(entry.name), int(rest[8]) + int(rest[9])
