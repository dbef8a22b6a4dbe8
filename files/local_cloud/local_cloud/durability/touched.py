# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services a call may have changed, and whether its answer has to wait until they are on disk. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from ..operation_names import Operation

# Operations with a reading name that hand out something to be remembered.
WRITES_BY_OTHER_NAMES = frozenset({("sts", "GetSessionToken"), ("sts", "GetFederationToken")})

# Services whose calls change other services' things.
ACT_ON_OTHERS = frozenset({"cloudformation", "cloudcontrol", "tagging"})


class When(enum.Enum):
    """When the state has to be on disk."""

    NEVER = "nothing changed"
    SOON = "within a second or so"
    BEFORE_THE_ANSWER = "before the answer"


def when_to_write(operation: Operation) -> When:
    """When what a successful call may have changed has to be on disk.

    What a function or an API leaves behind when it is invoked, such as its log, nobody was promised.
    """
    name = (operation.service, operation.operation)
    if name in WRITES_BY_OTHER_NAMES:
        return When.BEFORE_THE_ANSWER
    if operation.access == "read":
        return When.NEVER
    if operation.access == "data" or operation.operation.startswith("Invoke"):
        return When.SOON
    return When.BEFORE_THE_ANSWER


def services_changed(service: str, registry: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...] | None:
    """The state keys of what a call to a service may have changed; None for: it may be anything.

    service: the signing name. registry: ministack's, by name: {"module", "state_key"?, "sub_modules"?, "aliases"?}.
    """
    if service in ACT_ON_OTHERS:
        return None
    for name, entry in registry.items():
        if service == name or service in entry.get("aliases", ()):
            return (entry.get("state_key", entry["module"]), *entry.get("sub_modules", ()))
    return None
