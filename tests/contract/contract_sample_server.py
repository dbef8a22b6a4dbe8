# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that keeps the contract, less the faults that its environment names: what the contract's own tests run.

FAULTS: words of "ping-lies" (200 before the model is there), "slow-ping" (one thing at a time, /ping too), "any-path",
"any-body", "deaf" (SIGTERM is ignored), "drops" (SIGTERM drops what is in hand), "writes" (to its own directory),
"one-port" (8080 whatever SageMaker says).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

FAULTS = set(os.environ.get("FAULTS", "").split())
# A request takes this long, so that a signal finds some in hand.
WORK_SECONDS = 0.5 if "slow-ping" in FAULTS else 0.2
# What loading takes, from the first time that somebody asks.
LOAD_SECONDS = 1.0
model = threading.Semaphore(4)
asked_first = threading.Event()
loaded = threading.Event()


def load() -> None:
    """Begin to load, if nobody has."""
    if not asked_first.is_set():
        asked_first.set()
        threading.Timer(LOAD_SECONDS, loaded.set).start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        load()
        if self.path == "/ping":
            self.answer(200 if loaded.is_set() or "ping-lies" in FAULTS else 503)
        else:
            self.answer(200 if "any-path" in FAULTS else 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/invocations":
            return self.answer(404)
        try:
            json.loads(body)
        except (ValueError, RecursionError):
            return self.answer(200 if "any-body" in FAULTS else 400)
        if not loaded.is_set():
            return self.answer(503)
        with model:
            time.sleep(WORK_SECONDS)
        self.answer(200)

    def answer(self, status: int) -> None:
        body = b'{"predictions": []}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


def main() -> None:
    if "writes" in FAULTS:
        Path(__file__).with_name("written").write_text("x")
    port = 8080 if "one-port" in FAULTS else int(os.environ.get("SAGEMAKER_BIND_TO_PORT") or 8080)
    server: HTTPServer = (HTTPServer if "slow-ping" in FAULTS else ThreadingHTTPServer)(("0.0.0.0", port), Handler)
    if isinstance(server, ThreadingHTTPServer):
        server.daemon_threads = True

    def stop(*_signal: object) -> None:
        if "drops" in FAULTS:
            os._exit(0)
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in FAULTS else stop)
    print(server.server_address[1], flush=True)
    server.serve_forever()
    # What is in hand ends well within a container's 30 seconds.
    time.sleep(20 * WORK_SECONDS)
    sys.exit(0)


if __name__ == "__main__":
    main()
