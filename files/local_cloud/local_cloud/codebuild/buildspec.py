# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a buildspec. Pure.

Source: CodeBuild's user guide, "Build specification reference for CodeBuild".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

# The phases that a buildspec may have commands for, in their order.
COMMAND_PHASES = ("install", "pre_build", "build", "post_build")
DEFAULT_FILE = "buildspec.yml"

_VERSIONS = ("0.2", "0.1")
_SHELLS = ("sh", "bash")
# What is not served here, and so is refused instead of left out in silence.
_NOT_SERVED = ("batch", "cache", "reports", "secondary-artifacts")


class BuildspecError(Exception):
    """The buildspec cannot be run; the message says why."""


@dataclass(frozen=True)
class Phase:
    """commands: run in order until one fails; finally_commands: run in any case.

    goes_on: whether the build goes on with the next phase after a failure (C(on-failure: CONTINUE)).
    """

    commands: tuple[str, ...] = ()
    finally_commands: tuple[str, ...] = ()
    goes_on: bool = False


@dataclass(frozen=True)
class Buildspec:
    """shell: "sh" or "bash". variables: from C(env/variables). phases: by name; all of COMMAND_PHASES."""

    shell: str = "sh"
    variables: Mapping[str, str] = field(default_factory=dict)
    phases: Mapping[str, Phase] = field(default_factory=dict)


def is_inline(buildspec: str) -> bool:
    """Whether a source's C(buildspec) member is the buildspec itself and not the path of a file."""
    stripped = buildspec.strip()
    return "\n" in stripped or stripped.startswith(("{", "version"))


def parse(text: str) -> Buildspec:
    """Read a buildspec. Raises BuildspecError for what is none, and for what this cloud does not run."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BuildspecError(f"The buildspec is not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise BuildspecError("The buildspec is not a map of version and phases.")
    if str(document.get("version")) not in _VERSIONS:
        raise BuildspecError(f"invalid buildspec version {document.get('version')!r}; supported is 0.2")
    refused = [key for key in _NOT_SERVED if document.get(key)]
    if refused:
        raise BuildspecError(f"The local cloud does not serve {', '.join(refused)} of a buildspec.")
    phases = document.get("phases")
    if not isinstance(phases, dict) or not phases:
        raise BuildspecError("The buildspec has no phases.")
    unknown = sorted(set(phases) - set(COMMAND_PHASES))
    if unknown:
        raise BuildspecError(f"unknown phase {unknown[0]}; a buildspec knows {', '.join(COMMAND_PHASES)}")
    environment = document.get("env") or {}
    return Buildspec(
        shell=_shell(environment),
        variables=_variables(environment),
        phases={name: _phase(name, phases.get(name) or {}) for name in COMMAND_PHASES},
    )


def _shell(environment: Mapping[str, Any]) -> str:
    shell = str(environment.get("shell") or "sh")
    if shell not in _SHELLS:
        raise BuildspecError(f"The local cloud has no shell {shell!r} for a buildspec, only {' and '.join(_SHELLS)}.")
    return shell


def _variables(environment: Mapping[str, Any]) -> dict[str, str]:
    for key in ("parameter-store", "secrets-manager"):
        if environment.get(key):
            raise BuildspecError(f"The local cloud does not serve env/{key} of a buildspec.")
    return {str(name): str(value) for name, value in (environment.get("variables") or {}).items()}


def _phase(name: str, phase: Any) -> Phase:
    if not isinstance(phase, dict):
        raise BuildspecError(f"phases/{name} is not a map with commands.")
    return Phase(
        commands=_commands(name, "commands", phase),
        finally_commands=_commands(name, "finally", phase),
        goes_on=phase.get("on-failure") == "CONTINUE",
    )


def _commands(name: str, key: str, phase: Mapping[str, Any]) -> tuple[str, ...]:
    commands = phase.get(key) or []
    if not isinstance(commands, list) or not all(isinstance(command, str) for command in commands):
        raise BuildspecError(f"phases/{name}/{key} is not a list of commands, each a string.")
    return tuple(commands)
