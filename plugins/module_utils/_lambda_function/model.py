# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a published Lambda function is: as it is wanted, and as it is found. Frozen, without AWS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._lambda_function.package import code_sha256

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ALIAS = re.compile(r"(?!\d+$)[A-Za-z0-9_-]{1,128}")
# From the quotas of Lambda; seconds and MB.
TIMEOUT = range(1, 901)
MEMORY_SIZE = range(128, 10_241)


class InvalidFunction(ValueError):
    """The function asked for cannot be made; the text says which option is wrong and what would be right."""


@dataclass(frozen=True)
class Configuration:
    """What a version of the function fixes when it is published."""

    role_arn: str
    runtime: str
    handler: str
    description: str
    timeout: int
    memory_size: int
    environment_variables: Mapping[str, str]
    code_sha256: str


@dataclass(frozen=True)
class WantedFunction:
    """What the module's options ask for. ``package`` is the zip whose digest the configuration names."""

    name: str
    alias: str
    configuration: Configuration
    package: bytes = field(repr=False)
    reserved_concurrent_executions: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FoundAlias:
    """An alias, the version it points at, and whether it also sends a share of the calls to another version."""

    alias_arn: str
    version: str
    weighted: bool = False


@dataclass(frozen=True)
class FoundFunction:
    """A function on AWS: ``latest`` is ``$LATEST``; ``published`` the version behind the alias, None without one."""

    function_arn: str
    latest: Configuration
    alias: FoundAlias | None = None
    published: Configuration | None = None
    reserved_concurrent_executions: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def wanted_function(params: Mapping[str, Any], package: bytes) -> WantedFunction:
    """Read the module's parameters; raise `InvalidFunction` with a sentence for the first mistake."""
    if not _NAME.fullmatch(params["name"]):
        raise InvalidFunction(
            f"name is {params['name']!r}; it must be 1 to 64 letters, digits, hyphens and underscores."
        )
    if not _ALIAS.fullmatch(params["alias"]):
        raise InvalidFunction(
            f"alias is {params['alias']!r}; it must be letters, digits, hyphens and underscores, and not only digits."
        )
    for option, allowed in (("timeout", TIMEOUT), ("memory_size", MEMORY_SIZE)):
        if params[option] not in allowed:
            raise InvalidFunction(
                f"{option} is {params[option]}; it must be from {allowed.start} to {allowed.stop - 1}."
            )
    reserved = params["reserved_concurrent_executions"]
    if reserved is not None and reserved < 0:
        raise InvalidFunction(f"reserved_concurrent_executions is {reserved}; it must be 0 or more.")
    return WantedFunction(
        name=params["name"],
        alias=params["alias"],
        configuration=Configuration(
            role_arn=params["role_arn"],
            runtime=params["runtime"],
            handler=params["handler"],
            description=params["description"],
            timeout=params["timeout"],
            memory_size=params["memory_size"],
            environment_variables=_text_values(params["environment_variables"]),
            code_sha256=code_sha256(package),
        ),
        package=package,
        reserved_concurrent_executions=reserved,
        tags=_text_values(params["tags"]),
    )


def _text_values(values: Mapping[str, Any] | None) -> dict[str, str]:
    return {str(key): str(value) for key, value in (values or {}).items()}
