# SPDX-License-Identifier: GPL-3.0-or-later
"""SageMaker's names and ARNs."""

from __future__ import annotations

import re

from ..aws.caller import Caller
from ..aws.errors import AwsError, validation

# Kind of a document in the store -> (the ARN's resource type, the noun in AWS's messages).
RESOURCES = {
    "model": ("model", "model"),
    "endpoint-config": ("endpoint-config", "endpoint configuration"),
    "endpoint": ("endpoint", "endpoint"),
}
_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:([a-z-]+)/(.+)")


def key_of(name: str) -> str:
    """How a name is stored: SageMaker keeps a name's case and ignores it when it compares."""
    return name.lower()


def arn_of(kind: str, caller: Caller, name: str) -> str:
    """The ARN of a resource. Its name is in lower case, whatever case the name was given in."""
    return caller.arn("sagemaker", f"{RESOURCES[kind][0]}/{name.lower()}")


def parse_arn(arn: str) -> tuple[str, str] | None:
    """The kind and key that an ARN means, or None where it is no resource we hold."""
    match = _ARN.fullmatch(arn)
    if not match:
        return None
    for kind, (resource_type, _) in RESOURCES.items():
        if resource_type == match[1]:
            return kind, key_of(match[2])
    return None


def not_found(kind: str, caller: Caller, name: str) -> AwsError:
    """SageMaker has no error of its own for a missing resource: it is a ValidationException with these words."""
    return validation(f'Could not find {RESOURCES[kind][1]} "{arn_of(kind, caller, name)}".')


def already_exists(kind: str, caller: Caller, name: str) -> AwsError:
    """What a Create call answers for a name that is taken."""
    return validation(f'Cannot create already existing {RESOURCES[kind][1]} "{arn_of(kind, caller, name)}".')
