# SPDX-License-Identifier: GPL-3.0-or-later
"""The nine states of an endpoint, and what may happen in each. Pure.

Source: the EndpointStatus entry of DescribeEndpoint's reference page.
"""

from __future__ import annotations

from ..aws.errors import AwsError, validation

CREATING = "Creating"
IN_SERVICE = "InService"
UPDATING = "Updating"
SYSTEM_UPDATING = "SystemUpdating"
ROLLING_BACK = "RollingBack"
DELETING = "Deleting"
FAILED = "Failed"
OUT_OF_SERVICE = "OutOfService"
UPDATE_ROLLBACK_FAILED = "UpdateRollbackFailed"

TRANSITIONS: dict[str, frozenset[str]] = {
    CREATING: frozenset({IN_SERVICE, FAILED}),
    IN_SERVICE: frozenset({UPDATING, SYSTEM_UPDATING, OUT_OF_SERVICE, DELETING}),
    UPDATING: frozenset({IN_SERVICE, ROLLING_BACK, UPDATE_ROLLBACK_FAILED}),
    SYSTEM_UPDATING: frozenset({IN_SERVICE, FAILED}),
    ROLLING_BACK: frozenset({IN_SERVICE, UPDATE_ROLLBACK_FAILED}),
    OUT_OF_SERVICE: frozenset({IN_SERVICE, DELETING}),
    UPDATE_ROLLBACK_FAILED: frozenset({UPDATING, DELETING}),
    FAILED: frozenset({DELETING}),
    DELETING: frozenset(),
}
IN_PROGRESS = frozenset({CREATING, UPDATING, SYSTEM_UPDATING, ROLLING_BACK, DELETING})

# In these the endpoint has containers that answer InvokeEndpoint.
ANSWERING = frozenset({IN_SERVICE, UPDATING, SYSTEM_UPDATING, ROLLING_BACK, UPDATE_ROLLBACK_FAILED})


def check_transition(before: str, after: str) -> None:
    """Raise ValueError for a step that no endpoint takes: a fault of ours, not of a caller."""
    if after not in TRANSITIONS[before]:
        raise ValueError(f"an endpoint does not go from {before} to {after}")


def refuse_update(status: str, arn: str) -> AwsError | None:
    """Why UpdateEndpoint and UpdateEndpointWeightsAndCapacities are refused in `status`, or None."""
    if status in IN_PROGRESS:
        return validation(f'Cannot update in-progress endpoint "{arn}".')
    if UPDATING not in TRANSITIONS[status]:
        return validation(f'Cannot update endpoint "{arn}" in status {status}. The endpoint must be InService.')
    return None


def refuse_delete(status: str, arn: str) -> AwsError | None:
    """Why DeleteEndpoint is refused in `status`, or None."""
    if status in IN_PROGRESS:
        return validation(f'Cannot update in-progress endpoint "{arn}".')
    return None
