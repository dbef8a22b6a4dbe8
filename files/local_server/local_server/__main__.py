# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m local_server`: what `make serve` runs. Ctrl-C ends it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from watchfiles import awatch

from local_server.front import Front
from local_server.launch import Container, Process, settings_from
from local_server.reload import Launch, Reloader, is_watched

REPOSITORY = Path(__file__).parents[3]
CONTEXT = REPOSITORY / "files" / "docker"
LOCAL_IMAGE = "modelhost-serve:{runtime}"

_EXAMPLES = {
    "token-classification": {"inputs": "Ada Lovelace lived in London."},
    "zero-shot-classification": {
        "inputs": "The train was late again.",
        "parameters": {"candidate_labels": ["travel", "food"]},
    },
    "fill-mask": {"inputs": "Paris is the [MASK] of France."},
    "question-answering": {"inputs": {"question": "Who is late?", "context": "The train is late again."}},
}
_TEXTS = {"inputs": ["I love dogs.", "I am not fond of cats though."]}


class Problem(Exception):
    """Something that a person has to put right first. The text is a sentence."""


def read_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; `make serve` fills it in."""
    parser = argparse.ArgumentParser(prog="make serve", description=__doc__)
    parser.add_argument("--model", type=Path, default=REPOSITORY / "files" / "model" / "distilbert-demo")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--runtime", choices=("compiled", "toolkit"), default="compiled")
    parser.add_argument("--task", default="", help="HF_TASK")
    parser.add_argument("--engine", choices=("process", "docker"), default="process")
    parser.add_argument("--image", default="", help="run this image instead of building one")
    parser.add_argument("--context", type=Path, default=CONTEXT, help="the directory that has serving/ in it")
    return parser.parse_args(arguments)


def choose(arguments: argparse.Namespace) -> tuple[Launch, list[Path]]:
    """How to start the server, and the directories whose changes start it again.

    Raises:
        Problem: the model directory, the virtual environment or the image is missing.
    """
    model = arguments.model.expanduser().resolve()
    if not model.is_dir():
        raise Problem(f"There is no model directory {model}. Name one: make serve MODEL=directory")
    settings = settings_from(os.environ, arguments.task)
    source = arguments.context.resolve() / "serving"
    if arguments.engine == "docker" or arguments.image:
        image = arguments.image or _build(arguments.runtime, arguments.context)
        ours = _is_ours(image)
        return Container(image, model, settings, source if ours else None), [model, *([source] if ours else [])]
    python = REPOSITORY / f".venv-{arguments.runtime}" / "bin" / "python"
    if not python.exists():
        raise Problem(f"There is no .venv-{arguments.runtime}; `make serve RUNTIME={arguments.runtime}` makes it.")
    return Process(source.parent, python, model, settings), [source, model]


def _build(runtime: str, context: Path) -> str:
    image = LOCAL_IMAGE.format(runtime=runtime)
    print(f"Building {image} …", flush=True)
    command = ["docker", "build", "--file", "Dockerfile.serve", "--build-arg", f"RUNTIME={runtime}", "--tag", image]
    # More of docker's own options, such as --network=host or --build-arg BASE_IMAGE=….
    command += [*os.environ.get("BUILD_ARGS", "").split(), "."]
    if shutil.which("docker") is None or subprocess.run(command, cwd=context).returncode != 0:
        raise Problem("The image could not be built. Without Docker, leave ENGINE out: the server runs as a process.")
    return image


def _is_ours(image: str) -> bool:
    """Whether the image has this project's server at /program, so that its source can be laid over it.

    Raises:
        Problem: there is no such image, or no engine.
    """
    done = subprocess.run(["docker", "image", "inspect", image], capture_output=True, text=True)
    if done.returncode != 0:
        raise Problem(f"There is no image {image} here, or no Docker engine answers: {done.stderr.strip()[:200]}")
    return "PYTHONPATH=/program" in (json.loads(done.stdout)[0]["Config"].get("Env") or [])


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until a signal comes.

    Raises:
        Problem: the port is taken, or what `choose` says.
    """
    launch, roots = choose(arguments)
    front = Front()
    try:
        port = await front.listen(arguments.port)
    except OSError:
        raise Problem(f"Port {arguments.port} is taken. Choose another: make serve PORT=8081") from None
    url = f"http://127.0.0.1:{port}"
    body = json.dumps(_EXAMPLES.get(arguments.task, _TEXTS))
    told = False

    def ready() -> None:
        nonlocal told
        if told:
            say("The new server is live.")
            return
        told = True
        say(f"Serving on {url}. Try:\n  curl {url}/invocations -H 'Content-Type: application/json' -d '{body}'")
        say(f"A change in {' or '.join(map(str, roots))} is taken up at once. Ctrl-C ends it.")

    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    reloader = asyncio.create_task(Reloader(launch, arguments.context, front, say).run(_changes(roots), ready))
    waiting = asyncio.create_task(over.wait())
    await asyncio.wait((reloader, waiting), return_when=asyncio.FIRST_COMPLETED)
    say("Stopping.")
    front.close()
    waiting.cancel()
    reloader.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reloader


async def _changes(roots: list[Path]) -> AsyncIterator[list[Path]]:
    """The files that change below the roots, some tenths of a second after the last one was written."""
    async for found in awatch(*roots):
        paths = [Path(path) for _, path in found]
        if watched := [path for path in paths if is_watched(path, roots)]:
            yield watched


def say(text: str) -> None:
    """Print a line for a person."""
    print(text, flush=True)


def main() -> int:
    """Run the command and return its exit status."""
    try:
        asyncio.run(serve(read_arguments()))
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
