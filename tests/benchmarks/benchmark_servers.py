# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers that are compared, how each is started, and how its answers are read."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark_process import ServerError, ServerProcess, free_port
from benchmark_requirements import FLASK, FP32, INT8, OURS_TOOLKIT, TOOLKIT, TUNED

REPOSITORY = Path(__file__).parents[2]
PEERS = Path(__file__).parent / "peers"
PEERS_VENV, COMPILED_VENV, TOOLKIT_VENV = (
    REPOSITORY / name for name in (".venv-peers", ".venv-compiled", ".venv-toolkit")
)


@dataclass(frozen=True)
class Kind:
    """A server under test.

    `model` names the directory that it serves, one of those `base_model.py` writes. `labels` takes the labels out of
    the JSON of an answer.
    """

    name: str
    title: str
    model: str
    venv: Path
    program: Sequence[str]
    labels: Callable[[Any], list[str]]
    settings: dict[str, str] = field(default_factory=dict)
    directory: Path | None = None
    # True where its answers are those of torch in fp32, which another fp32 backend must equal on every text.
    exact: bool = True


def _predictions(answer: Any) -> list[str]:
    return list(answer["predictions"])


def _toolkit_labels(answer: Any) -> list[str]:
    return [entry["label"] for entry in answer]


_MMS = (str(PEERS / "toolkit_server.py"),)
_SERVING = ("-m", "serving", "serve")
_CONTEXT = REPOSITORY / "files" / "docker"

KINDS = {
    kind.name: kind
    for kind in (
        Kind(INT8, "compiled, int8", "base-int8", COMPILED_VENV, _SERVING, _predictions, {}, _CONTEXT, False),
        Kind(FP32, "compiled, fp32", "base-fp32", COMPILED_VENV, _SERVING, _predictions, {}, _CONTEXT),
        Kind(OURS_TOOLKIT, "toolkit under our server", "base", TOOLKIT_VENV, _SERVING, _predictions, {}, _CONTEXT),
        Kind(TOOLKIT, "toolkit on multi-model-server", "base", PEERS_VENV, _MMS, _toolkit_labels),
        Kind(
            TUNED,
            "toolkit on multi-model-server, tuned",
            "base",
            PEERS_VENV,
            _MMS,
            _toolkit_labels,
            {"SAGEMAKER_MODEL_SERVER_WORKERS": "1", "OMP_NUM_THREADS": "2"},
        ),
        Kind(FLASK, "Flask, waitress, torch fp32", "base", PEERS_VENV, (str(PEERS / "flask_server.py"),), _predictions),
    )
}


def find(name: str) -> Kind:
    """A server by its name, or one with other settings: `compiled-int8:SERVING_BATCH_WAIT_MS=0,SERVING_THREADS=1`.

    Raises:
        KeyError: there is none.
    """
    base, _, settings = name.partition(":")
    kind = KINDS[base]
    if not settings:
        return kind
    chosen = dict(pair.split("=", 1) for pair in settings.split(",") if "=" in pair)
    return replace(kind, name=name, title=f"{kind.title}, {settings}", settings={**kind.settings, **chosen})


def check_precision(model: Path, kind: Kind) -> None:
    """The compiler writes fp32 where int8 does not agree: that must not be measured under int8's name.

    Raises:
        ServerError: the graph has another precision than the server's name says.
    """
    report = model / "compilation.json"
    wanted = kind.name.partition(":")[0].removeprefix("compiled-")
    if wanted in ("int8", "fp32") and report.exists():
        found = json.loads(report.read_text(encoding="utf-8"))
        if found.get("precision") != wanted:
            raise ServerError(f"{model} holds a graph in {found.get('precision')}, not {wanted}: {found.get('reason')}")


def start(kind: Kind, models: Path, work: Path, **settings: str) -> ServerProcess:
    """Start a server on a free port of the loopback address.

    Args:
        models: holds the model directories.
        work: a directory for its log, its temporary files and its SAGEMAKER_BASE_DIR.
        settings: environment variables over those of its kind.

    Raises:
        ServerError: its virtual environment or its model is missing, or is another than it should be.
    """
    python = kind.venv / "bin" / "python"
    model = models / kind.model
    if not python.exists():
        raise ServerError(f"There is no {kind.venv.name}; `make benchmark` makes it.")
    if not (model / "config.json").exists():
        raise ServerError(f"There is no model in {model}.")
    check_precision(model, kind)
    # A colon would end a path in PYTHONPATH.
    directory = work / re.sub(r"[^\w.-]", "-", kind.name)
    temporary = directory / "tmp"
    shutil.rmtree(directory, ignore_errors=True)
    temporary.mkdir(parents=True)
    (directory / "model").symlink_to(model.resolve())
    ours = ("SERVING_", "HF_", "SAGEMAKER_", "OMP_", "MKL_", "PYTHON", "VIRTUAL_ENV")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    environment = {
        **inherited,
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "TMPDIR": str(temporary),
        # multi-model-server's own name for it.
        "TEMP": str(temporary),
        "HF_TASK": "text-classification",
        "HF_HUB_OFFLINE": "1",
        "SAGEMAKER_BASE_DIR": str(directory),
        "SAGEMAKER_BIND_TO_PORT": str(free_port()),
        **kind.settings,
        **settings,
    }
    command = [str(python), *kind.program]
    return ServerProcess(command, environment, kind.directory or directory, directory / "log")
