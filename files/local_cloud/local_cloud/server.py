# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves the local cloud in the foreground, until SIGTERM."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

from .durability.mend import mend
from .ministack_backend import Ministack, apply_environment
from .settings import BIND_HOST, Settings

# Requests in flight when the cloud is told to stop may take as long as SageMaker gives an invocation.
GRACEFUL_SECONDS = 60


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError where the port is taken."""
    settings.make_directories()
    listener = bind(settings.port)
    # The port is ours, so nobody else uses this home, and what is in tmp is a killed cloud's.
    shutil.rmtree(settings.tmp_dir, ignore_errors=True)
    settings.tmp_dir.mkdir()
    _log_to_stderr()
    mend(settings.ministack_dir, settings.s3_dir)
    apply_environment(settings)
    # Only now: ministack reads its environment, and S3's objects, when it is imported.
    import uvicorn
    from ministack.app import app as ministack_app

    from .app import LocalCloudApp
    from .cloud import Cloud
    from .durability.durable_app import DurableApp
    from .durability.keeper import StateKeeper
    from .durability.ministack_state import MinistackState
    from .ecr.image_store import ImageStore
    from .faults.connection import DroppableHttpProtocol

    _log_to_stderr()
    state = MinistackState(settings.ministack_dir)
    durable = DurableApp(ministack_app, StateKeeper(state, settings.ministack_dir), state.registry)
    app = LocalCloudApp(Cloud(settings, Ministack(durable, ImageStore(settings.ecr_dir))))
    config = uvicorn.Config(
        app,
        http=DroppableHttpProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    # uvicorn gives SIGTERM back to this handler when it has stopped; the default one would end us before the finally.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings.pid_file.write_text(f"{os.getpid()}\n")
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        shutil.rmtree(settings.tmp_dir, ignore_errors=True)
        _remove_own_pid_file(settings.pid_file)


def bind(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1. Raises OSError where the port is taken."""
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts; without it, answers wait 40 ms for an ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((BIND_HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


def _log_to_stderr() -> None:
    logging.basicConfig(
        force=True,
        stream=sys.stderr,
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("local_cloud").setLevel(logging.INFO)


def _remove_own_pid_file(path: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        if int(path.read_text()) == os.getpid():
            path.unlink()
