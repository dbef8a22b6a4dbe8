# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decides what has to be done to a Lambda function. Pure: (what is wanted, what is there) -> steps with sentences."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._lambda_function.model import (
    Configuration,
    FoundFunction,
    WantedFunction,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._steps import Later, Step, tag_changes

_GONE = ("ResourceNotFoundException",)
_SERVICE = "lambda"

_PARAMETERS = {
    "role_arn": "Role",
    "runtime": "Runtime",
    "handler": "Handler",
    "description": "Description",
    "timeout": "Timeout",
    "memory_size": "MemorySize",
}


def plan_present(wanted: WantedFunction, found: FoundFunction | None) -> list[Step]:
    """Return the steps that lead from what is found to what is wanted; an empty list where nothing has to change.

    Nobody calls ``$LATEST``, so it may be changed in two steps. The alias moves last, to a version that is complete:
    calls in flight finish on the version before.
    """
    if found is None:
        return [*_create(wanted), *_concurrency(wanted, None), _create_alias(wanted, Later("version"))]
    steps = [*_update_latest(wanted, found), *_concurrency(wanted, found), *_tags(wanted, found)]
    if found.alias and found.published == wanted.configuration:
        if found.alias.weighted:
            sentence = f"Send all calls of the alias {wanted.alias} to version {found.alias.version}"
            steps.append(_move_alias(wanted, sentence, found.alias.version))
        return steps
    publish = Step(
        f"Publish a version of {wanted.name}",
        _SERVICE,
        "publish_version",
        # The digest guards against a change of $LATEST by someone else in between.
        {"FunctionName": wanted.name, "CodeSha256": wanted.configuration.code_sha256},
        saves={"Version": "version"},
    )
    if found.alias:
        alias = _move_alias(wanted, f"Move the alias {wanted.alias} to that version", Later("version"))
    else:
        alias = _create_alias(wanted, Later("version"))
    return [*steps, publish, alias]


def plan_absent(name: str, found: FoundFunction | None) -> list[Step]:
    """Return the step that removes the function; its versions, aliases and their policies go with it."""
    if found is None:
        return []
    sentence = f"Delete the function {name} with all its versions and aliases"
    return [Step(sentence, _SERVICE, "delete_function", {"FunctionName": name}, gone_codes=_GONE)]


def describe_found(found: FoundFunction | None) -> dict[str, Any]:
    """Return the side of a diff for what is there: what the alias serves, or ``$LATEST`` without one."""
    if found is None:
        return {}
    return {
        **_configuration(found.published or found.latest),
        "published": found.published is not None,
        "reserved_concurrent_executions": found.reserved_concurrent_executions,
        "tags": dict(found.tags),
    }


def describe_wanted(wanted: WantedFunction) -> dict[str, Any]:
    """Return the side of a diff for what is wanted, in the shape of `describe_found`."""
    return {
        **_configuration(wanted.configuration),
        "published": True,
        "reserved_concurrent_executions": wanted.reserved_concurrent_executions,
        "tags": dict(wanted.tags),
    }


def _configuration(configuration: Configuration) -> dict[str, Any]:
    return {**asdict(configuration), "environment_variables": dict(configuration.environment_variables)}


def _create(wanted: WantedFunction) -> list[Step]:
    parameters = {
        "FunctionName": wanted.name,
        **_configuration_parameters(wanted.configuration),
        "Code": {"ZipFile": wanted.package},
        "Publish": True,
        "Tags": dict(wanted.tags),
    }
    sentence = f"Create the function {wanted.name} and publish its first version"
    return [Step(sentence, _SERVICE, "create_function", parameters, saves={"Version": "version"})]


def _update_latest(wanted: WantedFunction, found: FoundFunction) -> list[Step]:
    steps = []
    if found.latest.code_sha256 != wanted.configuration.code_sha256:
        parameters = {"FunctionName": wanted.name, "ZipFile": wanted.package, "Publish": False}
        steps.append(Step(f"Upload the source of {wanted.name}", _SERVICE, "update_function_code", parameters))
    before, after = asdict(found.latest), asdict(wanted.configuration)
    changed = [key for key in after if key != "code_sha256" and before[key] != after[key]]
    if changed:
        sentence = f"Change the {', '.join(key.replace('_', ' ') for key in changed)} of {wanted.name}"
        parameters = {"FunctionName": wanted.name, **_configuration_parameters(wanted.configuration)}
        steps.append(Step(sentence, _SERVICE, "update_function_configuration", parameters))
    return steps


def _configuration_parameters(configuration: Configuration) -> dict[str, Any]:
    parameters: dict[str, Any] = {name: getattr(configuration, key) for key, name in _PARAMETERS.items()}
    parameters["Environment"] = {"Variables": dict(configuration.environment_variables)}
    return parameters


def _concurrency(wanted: WantedFunction, found: FoundFunction | None) -> list[Step]:
    before = found.reserved_concurrent_executions if found else None
    after = wanted.reserved_concurrent_executions
    if before == after:
        return []
    parameters: dict[str, Any] = {"FunctionName": wanted.name}
    if after is None:
        sentence = f"Remove the reserved concurrency of {wanted.name}"
        return [Step(sentence, _SERVICE, "delete_function_concurrency", parameters, gone_codes=_GONE)]
    parameters["ReservedConcurrentExecutions"] = after
    return [
        Step(
            f"Reserve {after} concurrent executions for {wanted.name}", _SERVICE, "put_function_concurrency", parameters
        )
    ]


def _tags(wanted: WantedFunction, found: FoundFunction) -> list[Step]:
    steps = []
    to_set, to_remove = tag_changes(found.tags, wanted.tags)
    if to_set:
        sentence = f"Set the tags {', '.join(sorted(to_set))} of {wanted.name}"
        steps.append(Step(sentence, _SERVICE, "tag_resource", {"Resource": found.function_arn, "Tags": to_set}))
    if to_remove:
        sentence = f"Remove the tags {', '.join(to_remove)} from {wanted.name}"
        steps.append(Step(sentence, _SERVICE, "untag_resource", {"Resource": found.function_arn, "TagKeys": to_remove}))
    return steps


def _create_alias(wanted: WantedFunction, version: Later) -> Step:
    parameters = {"FunctionName": wanted.name, "Name": wanted.alias, "FunctionVersion": version}
    return Step(f"Create the alias {wanted.alias} for that version", _SERVICE, "create_alias", parameters)


def _move_alias(wanted: WantedFunction, sentence: str, version: str | Later) -> Step:
    parameters: dict[str, Any] = {
        "FunctionName": wanted.name,
        "Name": wanted.alias,
        "FunctionVersion": version,
        # Without this a share of the calls that someone sends elsewhere would stay there.
        "RoutingConfig": {"AdditionalVersionWeights": {}},
    }
    return Step(sentence, _SERVICE, "update_alias", parameters)
