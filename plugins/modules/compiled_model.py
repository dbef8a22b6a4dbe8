#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile a model's weights to the graph that is served."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compiled_model
version_added: 0.1.0
short_description: Compile a model's weights to the graph that is served
description:
  - Runs this collection's compiler (C(files/docker/compiler)) on a model directory. A directory that holds a graph already
    is left as it is.
  - The same model is compiled once. The result is kept under a digest of the model, the compiler and the options.
author:
  - modelhost contributors (@modelhost)
options:
  path:
    description:
      - The model directory.
    type: path
    required: true
  task:
    description:
      - What the model does, in transformers' terms.
    type: str
    required: true
  cache:
    description:
      - The directory for compiled models.
    type: path
    required: true
  compiler:
    description:
      - The directory of the compiler, a Python package.
    type: path
    required: true
  requirements:
    description:
      - The requirements file of the environment that O(python) belongs to.
    type: path
    required: true
  python:
    description:
      - A Python that has what the compiler needs.
    type: path
    required: true
  calibration:
    description:
      - A file with one text per line, like those that the model will be asked. By default the compiler's own.
    type: path
  precision:
    description:
      - V(auto) serves int8 where it agrees with the weights, else fp32. V(fp32) does not try.
    type: str
    choices: [auto, fp32]
    default: auto
  allow_pickled_weights:
    description:
      - Whether pickled weights are read where there are no others. Reading them can run code.
    type: bool
    default: false
  progress:
    description:
      - A file for lines about the progress. The action plugin of the same name sets it and shows the lines.
    type: path
attributes:
  check_mode:
    description: Can run in check mode. Of a model that is not compiled yet the result is not known.
    support: full
  diff_mode:
    description: Shows no diff.
    support: none
  idempotent:
    description: What is compiled is not compiled again.
    support: full
"""

EXAMPLES = r"""
- name: Compile a model
  modelhost.sagemaker.compiled_model:
    path: build/hub/organisation--name/714eb0fa89d2f80546fda750413ed43d93601a13
    task: text-classification
    cache: build/compiled
    compiler: files/docker/compiler
    requirements: files/docker/requirements-compiler.txt
    python: build/venvs/compiler/bin/python
"""

RETURN = r"""
path:
  description: The directory with the graph; empty in check mode where there is none yet.
  returned: success
  type: str
  sample: build/compiled/6d1f0b2c3d4e5f60718293a4b5c6d7e8
"""

import shutil
import subprocess
import threading
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.compilation import (
    compilation_key,
    compiler_digest,
    read_report,
    read_source,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.files import (
    ModelDirectoryError,
    content_digest,
    graph_of,
    model_files,
    sha256_of,
    sums_of,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.hub_cache import only_one
from ansible_collections.modelhost.sagemaker.plugins.module_utils._progress import Progress


def options_of(module: AnsibleModule) -> list[str]:
    """The compiler's options but for the calibration, whose content counts and not its name."""
    params = module.params
    options = ["--task", params["task"]]
    if params["precision"] != "auto":
        options += ["--precision", params["precision"]]
    if params["allow_pickled_weights"]:
        options.append("--allow-pickle")
    return options


def compile_model(module: AnsibleModule, source: Path, destination: Path, progress: Progress) -> None:
    """Runs the compiler; the destination is there completely or not at all."""
    unfinished = destination.with_name(f".{destination.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    compiler = Path(module.params["compiler"])
    command = [module.params["python"], "-m", compiler.name, str(source.absolute()), str(unfinished.absolute())]
    command += options_of(module)
    if module.params["calibration"]:
        command += ["--calibration", str(Path(module.params["calibration"]).absolute())]
    for option, value in read_source(source).items():
        command += [f"--{option.replace('_', '-')}", value] if value else []
    progress.say(f"compiling {source.name}")
    process = subprocess.Popen(
        command, cwd=compiler.parent,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip
    errors: list[str] = []
    listeners = [threading.Thread(target=listen, args=(process, errors))]
    places = {str(unfinished.absolute()): str(destination), str(source.absolute()): source.name}
    listeners.append(threading.Thread(target=pass_on, args=(process, progress, places)))
    for listener in listeners:
        listener.start()
    try:
        with progress.alive("compiling"):
            process.wait()
    finally:
        if process.poll() is None:
            process.kill()
        for listener in listeners:
            listener.join()
    if process.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        last_words = "".join([line for line in errors if line.strip()][-5:]).strip()
        module.fail_json(msg=f"Cannot compile {source}:\n{last_words}", rc=process.returncode)
    read_report(unfinished)
    unfinished.rename(destination)


def listen(process: subprocess.Popen[str], errors: list[str]) -> None:
    """Collects what the compiler says to explain itself."""
    errors.extend(process.stderr or ())


def pass_on(process: subprocess.Popen[str], progress: Progress, places: dict[str, str]) -> None:
    """Passes on what the compiler says of its steps, with the names that people know its ``places`` by."""
    for line in process.stdout or ():
        for place, name in places.items():
            line = line.replace(place, name)
        if line.strip():
            progress.say(line)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "task": {"type": "str", "required": True},
            "cache": {"type": "path", "required": True},
            "compiler": {"type": "path", "required": True},
            "requirements": {"type": "path", "required": True},
            "python": {"type": "path", "required": True},
            "calibration": {"type": "path"},
            "precision": {"type": "str", "choices": ["auto", "fp32"], "default": "auto"},
            "allow_pickled_weights": {"type": "bool", "default": False},
            "progress": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params, source = module.params, Path(module.params["path"])
    try:
        files = model_files(source)
        if graph_of(files):
            module.exit_json(changed=False, path=str(source))
        calibration = sha256_of(Path(params["calibration"])) if params["calibration"] else ""
        compiler = compiler_digest(Path(params["compiler"]), Path(params["requirements"]))
        key = compilation_key(content_digest(sums_of(source, files)), compiler, options_of(module), calibration)
        destination = Path(params["cache"]) / key
        if destination.is_dir() or module.check_mode:
            there = destination.is_dir()
            module.exit_json(changed=not there, path=str(destination) if there else "")
        with only_one(destination):
            changed = not destination.is_dir()
            if changed:
                compile_model(module, source, destination, Progress(params["progress"]))
    except (ModelDirectoryError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, path=str(destination))


if __name__ == "__main__":
    main()
