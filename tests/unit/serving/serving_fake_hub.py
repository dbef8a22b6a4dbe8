# SPDX-License-Identifier: GPL-3.0-or-later
"""A hub on loopback that serves one repository with the calls that huggingface_hub makes."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "c0ffee0000000000000000000000000000000000"

#: Of these sizes on, the hub keeps a file in LFS and lists its SHA-256.
_LFS_SUFFIXES = (".safetensors", ".bin", ".onnx", ".onnx_data", "tokenizer.json")


class FakeHub:
    """Serves `files` as `model_id`, with the revisions `main` and `commit`.

    With a `token` it is a private repository, and with `gated` one whose terms the token's owner has not accepted.
    `fetched` lists what was read, `ranges` from which byte on, and `tokens` what was shown to the hub. A file named in
    `breaks` loses its connection after so many bytes, once; one in `stalls` stands still there; one in `lies` is
    another than the hub lists. Nothing is sent while `paused` is clear.
    """

    def __init__(
        self,
        files: dict[str, bytes],
        model_id: str = "organisation/tiny",
        *,
        commit: str = COMMIT,
        token: str = "",
        gated: bool = False,
    ) -> None:
        self.files, self.model_id, self.commit = files, model_id, commit
        self.token, self.gated = token, gated
        self.fetched: list[str] = []
        self.ranges: list[tuple[str, int]] = []
        self.tokens: set[str] = set()
        self.breaks: dict[str, int] = {}
        self.stalls: dict[str, int] = {}
        self.lies: dict[str, bytes] = {}
        # Another commit than the one that was asked for, where the hub is to be wrong.
        self.answers_with = commit
        self.paused = threading.Event()
        self.paused.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self.paused.set()
        self._server.shutdown()
        self._server.server_close()

    def document(self, blobs: bool) -> dict[str, Any]:
        """What the hub says about the repository."""
        siblings = [self._sibling(name, blobs) for name in sorted(self.files)]
        return {
            "id": self.model_id,
            "sha": self.answers_with,
            "private": bool(self.token) and not self.gated,
            "gated": "auto" if self.gated else False,
            "siblings": siblings,
        }

    def _sibling(self, name: str, blobs: bool) -> dict[str, Any]:
        if not blobs:
            return {"rfilename": name}
        content = self.files[name]
        git_id = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
        sibling: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": git_id}
        if name.endswith(_LFS_SUFFIXES):
            sha256 = hashlib.sha256(content).hexdigest()
            sibling["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
        return sibling

    def tree(self) -> list[dict[str, Any]]:
        """The repository's files as the call for a tree lists them."""
        return [
            {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(self.files.items())
        ]


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.respond()

        def do_GET(self) -> None:
            self.respond()

        def respond(self) -> None:
            shown = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if shown:
                hub.tokens.add(shown)
            path, _, query = self.path.partition("?")
            if hub.token and shown != hub.token and not hub.gated:
                return self.send(401 if shown else 404, b"", {"X-Error-Code": "RepoNotFound"})
            for revision in ("main", hub.commit):
                if path == f"/api/models/{hub.model_id}/revision/{revision}":
                    return self.send_json(hub.document("blobs" in query))
                if path == f"/api/models/{hub.model_id}/tree/{revision}":
                    return self.send_json(hub.tree())
                prefix = f"/{hub.model_id}/resolve/{revision}/"
                if path.startswith(prefix) and path.removeprefix(prefix) in hub.files:
                    if hub.gated and shown != hub.token:
                        return self.send(403, b"", {"X-Error-Code": "GatedRepo"})
                    return self.send_file(path.removeprefix(prefix))
            known = path.startswith(f"/api/models/{hub.model_id}/revision/")
            return self.send(404, b"", {"X-Error-Code": "RevisionNotFound" if known else "RepoNotFound"})

        def send_json(self, document: Any) -> None:
            self.send(200, json.dumps(document).encode(), {"Content-Type": "application/json"})

        def send_file(self, name: str) -> None:
            content = hub.lies.get(name, hub.files[name])
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
            if self.command == "GET":
                hub.fetched.append(name)
                hub.ranges.append((name, start))
                hub.paused.wait()
            etag = hashlib.sha256(hub.files[name]).hexdigest()
            headers = {"ETag": f'"{etag}"', "X-Repo-Commit": hub.commit}
            if start:
                headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            stalls = hub.stalls.get(name)
            if stalls is not None and self.command == "GET":
                hub.paused.clear()
            until = hub.breaks.pop(name, None) if self.command == "GET" else None
            self.send(206 if start else 200, content[start:], headers, until if stalls is None else stalls)

        def send(self, status: int, body: bytes, headers: dict[str, str], until: int | None = None) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body[:until])
                self.wfile.flush()
                hub.paused.wait()
            if until is not None:
                self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler


def files_of(directory: Path) -> dict[str, bytes]:
    """A directory's files by their path in it."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }
