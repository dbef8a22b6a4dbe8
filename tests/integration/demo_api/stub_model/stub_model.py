# SPDX-License-Identifier: GPL-3.0-or-later
"""A model that does what the inputs tell it: a container of a few lines for the tests of what stands in front of it."""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Model(BaseHTTPRequestHandler):
    """`not` makes a text NEGATIVE; `status 503` makes the model answer that status, quoting the text."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(200, {})

    def do_POST(self) -> None:
        inputs = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]
        for text in inputs:
            if text.startswith("status "):
                self.answer(int(text.split()[1]), {"error": {"code": "Raw", "message": f"raw error about {text}"}})
                return
        self.answer(200, {"predictions": ["NEGATIVE" if " not " in text else "POSITIVE" for text in inputs]})

    def answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Model).serve_forever()
