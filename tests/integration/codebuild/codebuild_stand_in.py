# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the command docker: it builds nothing, and pushes a little image to the registry through ECR's API.

Run as a script by the builds of the tests' local cloud. What it was asked is in the log that CodeBuild keeps.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from pathlib import Path

import boto3

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def main(arguments: list[str]) -> int:
    print("docker", *arguments, flush=True)
    if arguments[0] == "login":
        assert sys.stdin.read().strip(), "no password on the standard input"
    elif arguments[0] == "buildx":
        return build(arguments)
    elif arguments[0] == "push":
        push(*arguments[1].rpartition("/")[2].rsplit(":", 1))
    return 0


def build(arguments: list[str]) -> int:
    """Fails where the context says so, and waits where it says so."""
    assert Path(arguments[arguments.index("--file") + 1]).is_file(), "no Dockerfile in the context"
    if Path("broken").exists():
        print("ERROR: failed to solve: the context is broken", flush=True)
        return 1
    while (gate := Path("wait-for")).exists() and not Path(gate.read_text()).exists():
        time.sleep(0.05)
    return 0


def push(repository: str, tag: str) -> None:
    ecr = boto3.client("ecr")
    content = f"{os.environ['IMAGE_TAG']} {Path('Dockerfile.serve').read_text()}".encode()
    blobs = [content, b"{}"]
    for blob in blobs:
        upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
        place = {"repositoryName": repository, "uploadId": upload}
        ecr.upload_layer_part(**place, partFirstByte=0, partLastByte=len(blob) - 1, layerPartBlob=blob)
        with contextlib.suppress(ecr.exceptions.LayerAlreadyExistsException):
            ecr.complete_layer_upload(**place, layerDigests=[digest(blob)])
    layer, config = ({"mediaType": "application/octet-stream", "digest": digest(b), "size": len(b)} for b in blobs)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=tag)


def digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
