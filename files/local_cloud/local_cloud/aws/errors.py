# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception a service raises to refuse a call."""

from __future__ import annotations

from typing import Any


class AwsError(Exception):
    """A refusal, in AWS's words.

    code: AWS's error code, for example "ValidationException".
    status: the HTTP status.
    fields: more members of the error's shape (ModelError's OriginalStatusCode and so on).
    """

    def __init__(self, code: str, message: str, status: int = 400, **fields: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields


def validation(message: str) -> AwsError:
    """SageMaker's refusal of a well-formed call: not found, already there, wrong state, broken rule."""
    return AwsError("ValidationException", message)
