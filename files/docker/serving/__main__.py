# SPDX-License-Identifier: GPL-3.0-or-later
"""The `serve` command, as SageMaker starts it: `docker run IMAGE serve`, or `python -m serving serve` without Docker.

Exit status: 0 after SIGTERM or SIGINT, 1 where the model cannot be served or the port is taken, 2 where a setting or
the command is wrong.

A model that cannot be loaded ends the process. SageMaker knows a container by its /ping alone: while that is not
200 the endpoint stays in Creating, and fails after minutes. To end early changes nothing about that, but it gives a
passing fault (the hub did not answer) another try when the container is started again, makes the reason the last line
of the log, and tells the local stage at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
from types import FrameType
from typing import TYPE_CHECKING

from serving import log
from serving.errors import SettingsError
from serving.handler import Handler
from serving.metrics import Metrics
from serving.scheduler import Scheduler
from serving.settings import Settings

if TYPE_CHECKING:
    import uvicorn

# SageMaker sends SIGKILL 30 seconds after SIGTERM; what is left is for the process to end.
DRAIN_SECONDS = 25

# Longer than callers keep an idle connection, so that it is they who close it and no request meets a closed one.
KEEP_ALIVE_SECONDS = 75


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status."""
    if arguments != ["serve"]:
        print("usage: python -m serving serve", file=sys.stderr)
        return 2
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        log.setup("info")
        for problem in error.problems:
            log.error("bad_setting", message=problem)
        return 2
    log.setup(settings.log_level)
    for sentence in settings.unknown:
        log.warning("unknown_setting", message=sentence)
    return serve(settings)


def serve(settings: Settings) -> int:
    """Listen, load the model, and serve until a signal says to stop. Returns the exit status."""
    signals = _StopSignals()
    _set_up_malloc(max(2, settings.threads))
    try:
        listener = socket.create_server(
            (settings.host, settings.port),
            family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET,
            backlog=2048,
        )
    except OSError as error:
        log.error(
            "cannot_listen",
            message=f"Cannot listen on {settings.host} port {settings.port}: {error.strerror}. "
            "Set SAGEMAKER_BIND_TO_PORT or SERVING_HOST to what is free here.",
        )
        return 1

    # Listening before the model is there lets /ping say so; SageMaker asks from the first second.
    log.info("listening", host=settings.host, port=listener.getsockname()[1], pid=os.getpid())
    metrics = Metrics()
    scheduler = Scheduler(_make_handler, settings, metrics, on_start_failed=signals.stop)
    scheduler.start()
    signals.server = server = _server(scheduler, settings, metrics)
    # Whoever wanted to stop it before it was there could not say so.
    server.should_exit = signals.stopped
    server.run(sockets=[listener])
    if scheduler.failed_to_start:
        return 1
    log.info("stopped")
    return 0


def _server(scheduler: Scheduler, settings: Settings, metrics: Metrics) -> uvicorn.Server:
    # Imported while the model loads in its thread: a tenth of a second less to the first answer.
    import uvicorn

    from serving.connection import Connection
    from serving.server import Application

    return uvicorn.Server(
        uvicorn.Config(
            Application(scheduler, settings, metrics),
            # Said here, because uvicorn would look at every request for what a proxy may have added.
            proxy_headers=False,
            interface="asgi3",
            http=Connection,
            loop="uvloop",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )


class _StopSignals:
    """Makes a stop signal an ordinary end, status 0, from the first moment on.

    While uvicorn serves it handles the signals itself: it stops listening, lets requests finish, and then raises the
    signal again for whoever was there before. That is this object, for which there is nothing left to do by then.
    """

    def __init__(self) -> None:
        self.server: uvicorn.Server | None = None
        self.stopped = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def stop(self) -> None:
        """Have the server end, as soon as there is one."""
        self.stopped = True
        if self.server is not None:
            self.server.should_exit = True

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stop()


# glibc's numbers of what can be set; see mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEPT_BYTES = 32 * 1024 * 1024


def _set_up_malloc(pools: int) -> None:
    """Have glibc keep its free memory in few pools, not in eight for each processor, and some of it in each of them.

    What one thread gave back to its pool another does not find: 45 of 330 MB with DistilBERT int8 on two processors.
    And a batch needs the megabytes that the one before gave back. Fetched from the kernel each time, page by page, they
    cost an eighth of the throughput (texts of mixed lengths, int8). With 32 MB kept it is the throughput of
    onnxruntime's own arena, for 30 MB more resident memory.
    """
    # Another C library has no such pools.
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, pools)
        # The largest value that glibc takes here is this one, too.
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def _make_handler() -> Handler:
    # Imported in the model's thread: numpy and onnxruntime take a while, and /ping answers meanwhile.
    from serving.model_handler import ModelHandler

    return ModelHandler()


def command(arguments: list[str]) -> None:
    """Run the command and end the process, even while an inference that hangs holds its thread."""
    status = main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    command(sys.argv[1:])
