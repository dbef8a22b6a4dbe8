# SPDX-License-Identifier: GPL-3.0-or-later
"""From an outcome to the response that API Gateway sends (payload format 2.0). Pure.

Every body has `msg`, a sentence. A success has `body` with the endpoint's answer; a refusal has `error` with a code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from demo_api.errors import DemoError


def success(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Shape the answer of the endpoint, `{"predictions": [...]}`, into a 200."""
    return _response(200, {"msg": "Request successful.", "body": dict(answer)})


def refusal(error: DemoError) -> dict[str, Any]:
    """Shape an error into a response with its status, and `Retry-After` in seconds where trying again makes sense."""
    headers = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    return _response(error.status, {"msg": error.sentence, "error": {"code": error.code}}, headers)


def _response(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "cache-control": "no-store", **(headers or {})},
        "body": json.dumps(body, ensure_ascii=False, allow_nan=False),
        "isBase64Encoded": False,
    }
