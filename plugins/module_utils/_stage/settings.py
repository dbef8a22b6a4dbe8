# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares a stage's settings with the roles' argument specs and with the limits of AWS, without asking AWS."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage.finding import Finding
from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage.rules import HINTS, RULES

# What belongs to the documentation of an option and means nothing to the validator.
_DOCUMENTATION_KEYS = frozenset({"description", "version_added", "short_description"})


@dataclass(frozen=True)
class Source:
    """Where a key is written: a file as the person would name it, and its line (0 where there is none)."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


_ROLES = Path(__file__).resolve().parents[3] / "roles"


def all_options() -> dict[str, dict[str, Any]]:
    """Every setting a stage file may hold, with ``stage_name``, which is the directory's name: key -> spec."""
    specs = (yaml.safe_load(path.read_text()) for path in sorted(_ROLES.glob("*/meta/argument_specs.yml")))
    return {**options_of(specs), "stage_name": {"type": "str"}}


def options_of(argument_specs: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every option of every entry point of the given roles: key -> its spec.

    Takes the parsed ``meta/argument_specs.yml`` of each role.
    """
    options: dict[str, dict[str, Any]] = {}
    for document in argument_specs:
        for entry_point in document.get("argument_specs", {}).values():
            options.update(entry_point.get("options") or {})
    return options


def unknown_keys(written: Iterable[str], known: Iterable[str]) -> list[Finding]:
    """The keys that carry a prefix of ours and that no role knows, each with the nearest one that exists.

    A prefix is a known key's role name, so a user's own variables are left alone.
    """
    known = sorted(known)
    prefixes = tuple(sorted({_prefix(key) for key in known}))
    findings = []
    for key in written:
        if key in known or not key.startswith(prefixes):
            continue
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]}?" if near else "The roles' meta/argument_specs.yml list every setting."
        findings.append(Finding(key, None, f"no role has a setting of this name. {hint}"))
    return findings


def check(settings: Mapping[str, Any], options: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Everything that is wrong with the given settings."""
    return check_typed(settings, options)[1]


def check_typed(
    settings: Mapping[str, Any], options: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Any], list[Finding]]:
    """The settings as the types their options name, and everything that is wrong with them.

    Types come first: the rules see only well-typed values.
    """
    findings: list[Finding] = []
    typed: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in options:
            continue
        problem, converted = _check_type(key, value, options[key])
        if problem:
            findings.append(Finding(key, value, problem))
        else:
            typed[key] = converted
    for rule in RULES:
        findings.extend(rule(typed))
    return typed, findings


def hints(settings: Mapping[str, Any], options: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """What works with the given settings, which nothing is wrong with, and will hurt."""
    typed, _findings = check_typed(settings, options)
    return [hint for rule in HINTS for hint in rule(typed)]


def explain(finding: Finding, source: Source | None) -> str:
    """One line for a person: where, key, value, what is wrong and what would be right."""
    place = f"{source}: " if source else ""
    value = "" if finding.value is None else f" = {finding.value!r}"
    return f"{place}{finding.key}{finding.within}{value}: {finding.problem}"


def _prefix(key: str) -> str:
    for role in ("local_cloud_", "model_serving_", "demo_api_"):
        if key.startswith(role):
            return role
    return key.split("_", 1)[0] + "_"


def _check_type(key: str, value: Any, option: Mapping[str, Any]) -> tuple[str, Any]:
    """('', converted value) or (what is wrong, None)."""
    if value is None:
        return "it is empty. Give it a value, or remove the line to get the default.", None
    if value == {}:
        # Nothing is chosen: the parts that a choice would need are not missing.
        return "", {}
    choices = option.get("choices")
    spec = {name: part for name, part in option.items() if name not in ("default", "required")}
    if isinstance(value, bool) and option.get("type") in ("int", "float"):
        return f"it must be of type {option['type']}.", None
    result = ArgumentSpecValidator({key: _without_documentation(spec)}).validate({key: value})
    if not result.error_messages:
        return "", result.validated_parameters[key]
    if choices:
        return f"allowed: {', '.join(str(choice) for choice in choices)}.", None
    kind = option.get("type", "str")
    if kind == "bool":
        return "allowed: true or false.", None
    if kind in ("dict", "list"):
        return f"{'; '.join(result.error_messages)}.", None
    return f"it must be of type {kind}.", None


def _without_documentation(spec: Mapping[str, Any]) -> dict[str, Any]:
    clean = {name: part for name, part in spec.items() if name not in _DOCUMENTATION_KEYS}
    if "options" in clean:
        clean["options"] = {name: _without_documentation(option) for name, option in clean["options"].items()}
    return clean
