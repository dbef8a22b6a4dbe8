#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a virtual environment that holds what a requirements file names."""

from __future__ import annotations

DOCUMENTATION = r"""
module: requirements_venv
version_added: 0.1.0
short_description: Keep a virtual environment that holds what requirements files name
description:
  - Makes a virtual environment and installs requirements files into it, completely or not at all.
  - Two runs that want the same environment at the same time do not disturb each other; the second one waits for the
    first. M(ansible.builtin.pip) leaves a half-made environment behind when it is interrupted.
author:
  - modelhost contributors (@modelhost)
options:
  path:
    description:
      - The directory of the environment. Give it a name that changes with the requirements, since an environment that is
        complete is never touched again.
    type: path
    required: true
  requirements:
    description:
      - The requirements files, installed one after the other. Of one with hashes exactly what it names is installed, and what
        comes as source is built with what is there already.
    type: list
    elements: path
    required: true
  python:
    description:
      - The Python that the environment is made with.
    type: path
    required: true
  progress:
    description:
      - A file for lines about the progress. The action plugin of the same name sets it and shows the lines.
    type: path
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Shows no diff.
    support: none
  idempotent:
    description: An environment that is complete is left alone.
    support: full
"""

EXAMPLES = r"""
- name: Install what the serving image needs
  modelhost.sagemaker.requirements_venv:
    path: .local_cloud/venvs/0a1b2c3d4e5f6071
    requirements: files/docker/requirements-compiled.txt
    python: "{{ ansible_playbook_python }}"
"""

RETURN = r"""
path:
  description: The directory of the environment.
  returned: success
  type: str
  sample: .local_cloud/venvs/0a1b2c3d4e5f6071
"""

import fcntl
import subprocess
import threading
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils._progress import LINE_EVERY, Progress


def is_complete(path: Path) -> bool:
    """Whether everything is installed, and the Python it was made with is still there."""
    return (path / ".complete").exists() and (path / "bin" / "python").exists()


def run(command: list[str], progress: Progress) -> tuple[int, str]:
    """Runs a command and tells what it is at every few seconds; returns its status and what it complained about."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    errors: list[str] = []
    listener = threading.Thread(target=lambda: errors.extend(process.stderr or ()))
    listener.start()
    told = time.monotonic()
    with progress.alive("installing"):
        for line in process.stdout or ():
            # pip says where it is in lines like "Collecting numpy==2.4.6 (from …)", many of them at once.
            if line.startswith("Collecting") and time.monotonic() - told >= LINE_EVERY:
                told = time.monotonic()
                progress.say(line.partition(" (")[0])
        code = process.wait()
    listener.join()
    return code, "".join(errors)


def install(path: Path, requirements: str) -> list[str]:
    """The command that installs a requirements file into an environment."""
    locked = "--hash=" in Path(requirements).read_text(encoding="utf-8")
    return [
        *(str(path / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check"),
        *(["--require-hashes", "--no-deps", "--no-build-isolation"] if locked else []),
        *("-r", requirements),
    ]


def make(module: AnsibleModule, path: Path, requirements: list[str], python: str) -> None:
    """Makes the environment from nothing; fails the module with pip's words where that does not succeed."""
    for command in (
        [python, "-m", "venv", "--clear", str(path)],
        *(install(path, file) for file in requirements),
    ):
        code, errors = run(command, Progress(module.params["progress"]))
        if code != 0:
            last_words = "\n".join(errors.strip().splitlines()[-10:])
            module.fail_json(msg=f"Cannot install {command[-1]} into {path}:\n{last_words}", rc=code)
    (path / ".complete").write_text("".join(f"{file}\n" for file in requirements))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "requirements": {"type": "list", "elements": "path", "required": True},
            "python": {"type": "path", "required": True},
            "progress": {"type": "path"},
        },
        supports_check_mode=True,
    )
    path = Path(module.params["path"])
    if is_complete(path) or module.check_mode:
        module.exit_json(changed=not is_complete(path), path=str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        changed = not is_complete(path)
        if changed:
            make(module, path, module.params["requirements"], module.params["python"])
    module.exit_json(changed=changed, path=str(path))


if __name__ == "__main__":
    main()
