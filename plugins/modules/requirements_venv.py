#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a virtual environment that holds what a requirements file names."""

from __future__ import annotations

DOCUMENTATION = r"""
module: requirements_venv
version_added: 0.1.0
short_description: Keep a virtual environment that holds what a requirements file names
description:
  - Makes a virtual environment and installs a requirements file into it, completely or not at all.
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
      - The requirements file.
    type: path
    required: true
  python:
    description:
      - The Python that the environment is made with.
    type: path
    required: true
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
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


def is_complete(path: Path) -> bool:
    """Whether everything is installed, and the Python it was made with is still there."""
    return (path / ".complete").exists() and (path / "bin" / "python").exists()


def make(module: AnsibleModule, path: Path, requirements: str, python: str) -> None:
    """Makes the environment from nothing; fails the module with pip's words where that does not succeed."""
    for command in (
        [python, "-m", "venv", "--clear", str(path)],
        [str(path / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "-r", requirements],
    ):
        code, _output, errors = module.run_command(command)
        if code != 0:
            last_words = "\n".join(errors.strip().splitlines()[-10:])
            module.fail_json(msg=f"Cannot install {requirements} into {path}:\n{last_words}", rc=code)
    (path / ".complete").write_text(f"{requirements}\n")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "requirements": {"type": "path", "required": True},
            "python": {"type": "path", "required": True},
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
