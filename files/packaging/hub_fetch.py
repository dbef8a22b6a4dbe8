# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the Hugging Face hub about a model, and fetches files of it. Run by the module hub_model, which decides which.

One JSON request on standard input, one JSON document per line on standard output. The token comes with the request:
arguments and environment of a process can be read by others, and a file is left behind.

    {"do": "list", "model_id", "revision", "token"}
        -> {"event": "listed", "commit", "private", "gated", "files": [{"name", "size", "sha256", "git_sha1"}]}
    {"do": "fetch", "model_id", "commit", "token", "destination", "files": [as listed]}
        -> {"event": "bytes", "done"} … {"event": "fetched"}
    whatever goes wrong -> {"event": "failed", "message"}
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

# Before huggingface_hub reads them: its bars are for terminals, and a token of this machine is not what was asked for.
for switch in ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_IMPLICIT_TOKEN"):
    os.environ[switch] = "1"
os.environ["HF_HUB_VERBOSITY"] = "error"
for inherited in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
    os.environ.pop(inherited, None)

from huggingface_hub import HfApi, constants, hf_hub_url  # noqa: E402
from huggingface_hub.errors import (  # noqa: E402
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

# Of the library's functions the only one that goes on with a file that is there in part: hf_hub_download and
# snapshot_download begin anew in every process (huggingface_hub pull request 4228). Hence the exact pin.
from huggingface_hub.file_download import http_get  # noqa: E402
from huggingface_hub.utils import build_hf_headers  # noqa: E402

_BLOCK = 1 << 20

# What arrived is on the disk, and counts, block by block; the library's own blocks are ten times as large.
constants.DOWNLOAD_CHUNK_SIZE = _BLOCK


class FetchError(Exception):
    """What the person is told."""


def emit(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def list_files(request: dict[str, Any]) -> None:
    """Resolves the revision to a commit and lists its files."""
    token = request["token"] or False
    info = HfApi(token=token).model_info(request["model_id"], revision=request["revision"], files_metadata=True)
    files = [
        {
            "name": sibling.rfilename,
            "size": sibling.size,
            "sha256": sibling.lfs.sha256 if sibling.lfs else None,
            "git_sha1": None if sibling.lfs else sibling.blob_id,
        }
        for sibling in info.siblings or ()
    ]
    emit("listed", commit=info.sha, private=bool(info.private), gated=bool(info.gated), files=files)


def fetch(request: dict[str, Any]) -> None:
    """Fetches the files that are not there yet, each completely or as far as it came."""
    destination = Path(request["destination"])
    parts = destination / ".parts"
    parts.mkdir(parents=True, exist_ok=True)
    headers = build_hf_headers(token=request["token"] or False, library_name="modelhost")
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(destination, request["files"], stop), daemon=True)
    watcher.start()
    try:
        for file in request["files"]:
            _fetch_one(request, file, destination, parts, headers)
    finally:
        stop.set()
        watcher.join()
    emit("fetched")


def _fetch_one(
    request: dict[str, Any], file: dict[str, Any], destination: Path, parts: Path, headers: dict[str, str]
) -> None:
    name, target = file["name"], destination / file["name"]
    if target.is_file() and differs(target, file) is None:
        return
    part = part_of(parts, file)
    url = hf_hub_url(request["model_id"], name, revision=request["commit"])
    resumed = part.stat().st_size if part.exists() else 0
    with part.open("ab") as content:
        http_get(url, content, resume_size=resumed, headers=headers, expected_size=file["size"])
    problem = differs(part, file)
    if problem:
        part.unlink()
        raise FetchError(f"{name} of {request['model_id']} arrived with {problem}. Nothing of it was kept: try again.")
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)


def part_of(parts: Path, file: dict[str, Any]) -> Path:
    """Where a file lies until it is complete: by its sum, so that another content never goes on with it."""
    known = file["sha256"] or file["git_sha1"] or "unknown"
    return parts / f"{hashlib.sha256(file['name'].encode()).hexdigest()[:16]}-{known}"


def differs(path: Path, file: dict[str, Any]) -> str | None:
    """What distinguishes a file from what the hub listed; None where nothing does."""
    if file["size"] is not None and path.stat().st_size != file["size"]:
        return f"{path.stat().st_size} bytes instead of {file['size']}"
    if file["sha256"]:
        found = _hash(path, hashlib.sha256())
        return None if found == file["sha256"] else f"SHA-256 {found} instead of {file['sha256']}"
    if file["git_sha1"]:
        # git's own name of a file's content (git book, "Git Objects").
        header = f"blob {path.stat().st_size}\0".encode()
        found = _hash(path, hashlib.sha1(header, usedforsecurity=False))
        return None if found == file["git_sha1"] else f"git id {found} instead of {file['git_sha1']}"
    return None


def _hash(path: Path, digest: Any) -> str:
    with path.open("rb") as content:
        while block := content.read(_BLOCK):
            digest.update(block)
    return str(digest.hexdigest())


def _watch(destination: Path, files: list[dict[str, Any]], stop: threading.Event) -> None:
    while not stop.wait(1.0):
        places = ((destination / file["name"], part_of(destination / ".parts", file)) for file in files)
        emit("bytes", done=sum(_size(path) for pair in places for path in pair))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def explain(error: Exception, request: dict[str, Any]) -> str:
    """A sentence for a person; never the text of a request, whose headers hold the token."""
    what = f"{request.get('model_id')} at revision {request.get('revision') or request.get('commit')}"
    if isinstance(error, FetchError):
        return str(error)
    if isinstance(error, HFValidationError):
        return f"{request.get('model_id')!r} is no name of a model on the hub; it must look like 'organisation/name'."
    if isinstance(error, GatedRepoError):
        return (
            f"The hub gives {what} only to those who accepted its terms. Accept them on the model's page, and name the "
            "secret with that account's token in model_serving_hub_token_secret_id."
        )
    if isinstance(error, RevisionNotFoundError):
        return f"The hub has no revision {request.get('revision')} of {request.get('model_id')}."
    if isinstance(error, RepositoryNotFoundError):
        hidden = "it is private: then model_serving_hub_token_secret_id has to name the secret of a token for it."
        if request.get("token"):
            hidden = "the token of model_serving_hub_token_secret_id is not for it."
        return f"The hub has no model {request.get('model_id')}, or {hidden}"
    if isinstance(error, HfHubHTTPError):
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status == 401:
            return "The hub refuses the token of model_serving_hub_token_secret_id (401). It may have expired."
        return f"The hub answered {status} when asked for {what}. Try again; what has arrived is kept."
    if isinstance(error, OSError) and error.errno == 28:
        return f"The disk is full: {what} does not fit."
    return f"The hub could not be reached for {what}: {type(error).__name__}. Try again; what has arrived is kept."


def main() -> int:
    request = json.loads(sys.stdin.read())
    try:
        {"list": list_files, "fetch": fetch}[request["do"]](request)
    except Exception as error:
        emit("failed", message=explain(error, request))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
