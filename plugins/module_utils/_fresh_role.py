# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries again while a role that was just made is not yet known to the service that is to assume it.

No service has an error code of its own for that: it is told by a general code and the words of the message.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.retries import AWSRetry
from ansible_collections.modelhost.sagemaker.plugins.module_utils._aws import Decorator

_ROLE_NOT_READY = "RoleNotReady"


def retrying(code: str, words: str, delay: float = 2) -> Decorator:
    """Return the decorator that calls again what AWS refuses with this code, and these words in its message.

    A role is known within ten seconds or so; with the default ``delay`` in seconds it is given about ninety.
    """

    class _Retry(AWSRetry):
        @staticmethod
        def status_code_from_exception(error: Any) -> Any:
            details = getattr(error, "response", {}).get("Error", {})
            if details.get("Code") == code and words in details.get("Message", ""):
                return _ROLE_NOT_READY
            return AWSRetry.status_code_from_exception(error)

        @staticmethod
        def found(response_code: Any, catch_extra_error_codes: Any = None) -> bool:
            # What AWS throttles, the client itself has tried again.
            return bool(response_code == _ROLE_NOT_READY)

    decorator: Decorator = _Retry.jittered_backoff(retries=10, delay=delay, max_delay=15)
    return decorator
