# SPDX-License-Identifier: GPL-3.0-or-later
"""A little process image for tests of the local cloud, pushed to its ECR as the deployment pushes real ones."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

VENV = "0123456789abcdef"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"

# What it does is steered by the Model's environment, as a real one's is.
SERVER = """
import http.server, json, os, signal, sys, threading, time
from pathlib import Path

BASE = Path(os.environ["SAGEMAKER_BASE_DIR"])
MODE = os.environ.get("TEST_MODE", "healthy")
answering = set()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self):
        self.reply(503 if MODE == "unhealthy" else 200, {})

    def do_POST(self):
        answering.add(self)
        try:
            self.answer()
        finally:
            answering.discard(self)

    def answer(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            request = json.loads(raw)
        except ValueError:
            request = {"size": len(raw)}
        if "die" in request:
            os._exit(3)
        time.sleep(request.get("sleep", 0))
        if "status" in request:
            return self.reply(request["status"], {"error": {"code": "Refused", "message": "as asked"}})
        if "stream" in request:
            return self.stream(request)
        if "big" in request:
            return self.reply(200, "x" * request["big"])
        model = {p.name: p.read_text() for p in (BASE / "model").iterdir()}
        self.reply(200, {
            "pid": os.getpid(), "answering": len(answering), "generation": os.environ.get("GENERATION"), "model": model,
            "environment": dict(os.environ), "headers": {k.lower(): v for k, v in self.headers.items()},
        })

    def reply(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_sagemaker_headers()
        self.end_headers()
        self.wfile.write(body)

    def stream(self, request):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_sagemaker_headers()
        self.end_headers()
        try:
            for piece in request["stream"]:
                self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(piece), piece.encode()))
                self.wfile.flush()
                time.sleep(request.get("pause", 0))
                while "until" in request and not os.path.exists(request["until"]):
                    time.sleep(0.02)
        except OSError:
            return print("the caller hung up", flush=True)
        if request.get("then") == "die":
            os._exit(3)
        self.wfile.write(b"0\\r\\n\\r\\n")

    def send_sagemaker_headers(self):
        custom = self.headers.get("X-Amzn-SageMaker-Custom-Attributes")
        if custom:
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", custom + " seen")
        session = self.headers.get("X-Amzn-SageMaker-Session-Id")
        if session == "NEW_SESSION":
            self.send_header("X-Amzn-SageMaker-New-Session-Id", f"of-{os.getpid()}; Expires=2030-01-01T00:00:00Z")
        elif session and custom == "close":
            self.send_header("X-Amzn-SageMaker-Closed-Session-Id", session)

    def log_message(self, *args):
        print(*args[1:], flush=True)


if MODE == "crash":
    sys.exit("this model is broken on purpose")
if os.environ.get("PYTHONPATH") != os.getcwd():
    sys.exit("the working directory is not on PYTHONPATH")
address = (os.environ["SERVING_HOST"], int(os.environ["SAGEMAKER_BIND_TO_PORT"]))
server = http.server.ThreadingHTTPServer(address, Handler)
server.daemon_threads = False
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("serving generation", os.environ.get("GENERATION"), flush=True)
server.serve_forever()
server.server_close()
print("drained", flush=True)
"""


def make_venv(venvs: Path, python: str) -> None:
    """The virtual environment that the image's label names: this Python by another name."""
    (venvs / VENV / "bin").mkdir(parents=True)
    (venvs / VENV / "bin" / "python").symlink_to(python)
    (venvs / VENV / ".complete").touch()


def context_tar() -> bytes:
    """The build context, as a deterministic tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, text in (("serving/__init__.py", ""), ("serving/__main__.py", SERVER)):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def push_blob(ecr: Any, repository: str, content: bytes) -> dict[str, Any]:
    """Upload a layer with the ECR API, unless it is there, and return its descriptor without a media type."""
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    known = ecr.batch_check_layer_availability(repositoryName=repository, layerDigests=[digest])["layers"][0]
    if known["layerAvailability"] == "UNAVAILABLE":
        upload = ecr.initiate_layer_upload(repositoryName=repository)
        ecr.upload_layer_part(
            repositoryName=repository,
            uploadId=upload["uploadId"],
            partFirstByte=0,
            partLastByte=len(content) - 1,
            layerPartBlob=content,
        )
        ecr.complete_layer_upload(repositoryName=repository, uploadId=upload["uploadId"], layerDigests=[digest])
    return {"digest": digest, "size": len(content)}


def push_image(ecr: Any, repository: str, *, kind: str = "process", tag: str = "latest") -> str:
    """Push the image and return its reference by digest."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Cmd": ["python", "-m", "serving", "serve"],
            "Labels": {"modelhost.sagemaker.kind": kind, "modelhost.sagemaker.venv": VENV},
        },
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            **push_blob(ecr, repository, json.dumps(config).encode()),
        },
        "layers": [
            {"mediaType": "application/vnd.oci.image.layer.v1.tar", **push_blob(ecr, repository, context_tar())}
        ],
    }
    answer = ecr.put_image(
        repositoryName=repository,
        imageManifest=json.dumps(manifest),
        imageManifestMediaType=OCI_MANIFEST,
        imageTag=tag,
    )
    uri = ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryUri"]
    return f"{uri}@{answer['image']['imageId']['imageDigest']}"


def model_tar_gz(files: dict[str, str]) -> bytes:
    """A model artifact."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()
