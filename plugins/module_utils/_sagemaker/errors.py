# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SageMaker's errors, told apart.

Almost everything it refuses is one code, ValidationException; only the message says what is meant. The patterns are
kept here so that no other file reads messages.
"""

from __future__ import annotations

import re
from contextlib import suppress

from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

# Without botocore AnsibleAWSModule fails with a sentence before anything here is used.
with suppress(ImportError):
    from botocore.exceptions import ClientError


class SageMakerError(AnsibleAWSError):
    """A call that did not succeed. C(message) says what was tried and what SageMaker answered."""


class NotFound(SageMakerError):
    """What the call names is not there, or not visible yet."""


class AlreadyExists(SageMakerError):
    """The name is taken; with content-addressed names that is our own, from a run or a try before."""


class Busy(SageMakerError):
    """The endpoint moves, or what is to be deleted is in use; the same call may be taken later."""


class NotPropagated(SageMakerError):
    """A role or its rights were made moments ago and SageMaker does not see them yet."""


_ROLE_PATTERNS = re.compile(
    r"could not assume role|does not have \w+ permission|could not access model data|please ensure that the role"
    r"|role .{0,200}is invalid or cannot be assumed",
    re.IGNORECASE,
)


def translated(error: Exception, doing: str) -> SageMakerError:
    """Return a botocore error as one of ours; C(doing) completes the sentence "Could not …"."""
    if not isinstance(error, ClientError):
        return SageMakerError(message=f"Could not {doing}: {error}", exception=None)
    code = error.response.get("Error", {}).get("Code", "")
    said = error.response.get("Error", {}).get("Message", "")
    return _kind(code, said)(message=f"Could not {doing}: {_advice(code)}{said} ({code})", exception=None)


def _kind(code: str, said: str) -> type[SageMakerError]:
    text = said.lower()
    if code in ("ResourceNotFound", "ResourceNotFoundException", "ObjectNotFoundException"):
        return NotFound
    if code in ("ResourceInUse", "ResourceInUseException", "ConflictException"):
        return Busy
    if code != "ValidationException":
        return SageMakerError
    if "could not find" in text or "does not exist" in text:
        return NotFound
    if "already exist" in text:
        return AlreadyExists
    if "in-progress" in text or "in progress" in text or "in use" in text:
        return Busy
    if _ROLE_PATTERNS.search(said):
        return NotPropagated
    return SageMakerError


def _advice(code: str) -> str:
    if code == "ResourceLimitExceeded":
        return "a quota of this account is used up; raise it in Service Quotas or choose a smaller size. AWS says: "
    if code in ("AccessDenied", "AccessDeniedException"):
        return "the credentials in use may not. AWS says: "
    return ""
