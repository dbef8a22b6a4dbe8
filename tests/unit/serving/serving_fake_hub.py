# SPDX-License-Identifier: GPL-3.0-or-later
"""A hub on loopback that serves one repository with the calls that huggingface_hub makes."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c0ffee0000000000000000000000000000000000"


class FakeHub:
    """Serves `files` as organisation/tiny, with the revisions `main` and COMMIT. `fetched` lists what was read."""

    def __init__(self, files: dict[str, bytes], model_id: str = "organisation/tiny") -> None:
        self.fetched: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self.respond()

            def do_GET(self) -> None:
                self.respond()

            def respond(self) -> None:
                for revision in ("main", COMMIT):
                    if self.path.partition("?")[0] == f"/api/models/{model_id}/revision/{revision}":
                        document = {
                            "id": model_id,
                            "sha": COMMIT,
                            "siblings": [{"rfilename": name} for name in sorted(files)],
                        }
                        return self.send(200, json.dumps(document).encode(), {"Content-Type": "application/json"})
                    if self.path.partition("?")[0] == f"/api/models/{model_id}/tree/{revision}":
                        entries = [
                            {
                                "type": "file",
                                "path": name,
                                "size": len(content),
                                "oid": hashlib.sha256(content).hexdigest(),
                            }
                            for name, content in sorted(files.items())
                        ]
                        return self.send(200, json.dumps(entries).encode(), {"Content-Type": "application/json"})
                    prefix = f"/{model_id}/resolve/{revision}/"
                    if self.path.startswith(prefix) and self.path.removeprefix(prefix) in files:
                        name = self.path.removeprefix(prefix)
                        if self.command == "GET":
                            hub.fetched.append(name)
                        etag = hashlib.sha256(files[name]).hexdigest()
                        return self.send(200, files[name], {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
                known = self.path.startswith(f"/api/models/{model_id}/revision/")
                return self.send(404, b"", {"X-Error-Code": "RevisionNotFound" if known else "RepoNotFound"})

            def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def files_of(directory: Path) -> dict[str, bytes]:
    """A directory's files by their path in it."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }
