# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a generation's tags remember.

SageMaker keeps no history: once an update has rolled back, nothing says that it was ever tried. So each EndpointConfig
carries its own outcome in a tag. The memory survives an interrupted run and the endpoint itself, and goes with the
generation.

- ``modelhost:endpoint`` on everything: the endpoint it was made for; without it nothing is ours to change or delete.
- ``modelhost:outcome`` on an EndpointConfig: "proven <when>", "failed <when>" or "pending <when> from <config> seen
  <when>".
- ``modelhost:reason`` on an EndpointConfig that failed: what SageMaker said, as far as a tag can hold it.
- ``modelhost:rolled-back`` on an EndpointConfig that a rollback left: when. Going forward to it again is told as such.
- ``modelhost:retention`` on an endpoint: the live generation and the number for which old ones were last collected.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

OWNER_TAG = "modelhost:endpoint"
OUTCOME_TAG = "modelhost:outcome"
REASON_TAG = "modelhost:reason"
RETENTION_TAG = "modelhost:retention"
ROLLED_BACK_TAG = "modelhost:rolled-back"
RESERVED_TAGS = frozenset({OWNER_TAG, OUTCOME_TAG, REASON_TAG, RETENTION_TAG, ROLLED_BACK_TAG})

#: A tag's value: letters, digits, separators and these signs, 256 characters (pattern of TagValue in SageMaker's API).
_NOT_IN_A_TAG = re.compile(r"[^\w\s.:/=+\-@]")
_MAX_TAG_VALUE = 256

OutcomeState = Literal["unknown", "pending", "proven", "failed"]


@dataclass(frozen=True)
class Outcome:
    """How the last attempt to make a generation live ended.

    C(previous) is the EndpointConfig that was live when a pending generation was submitted, C(seen) the endpoint's
    LastModifiedTime of that moment: a read that still shows it is older than the update.
    """

    state: OutcomeState = "unknown"
    at: str = ""
    previous: str = ""
    seen: str = ""
    reason: str = ""

    def to_tags(self) -> dict[str, str]:
        words = [self.state, self.at]
        if self.state == "pending":
            words += ["from", self.previous or "-", "seen", self.seen or "-"]
        return {OUTCOME_TAG: " ".join(words), REASON_TAG: tag_value(self.reason)}


def outcome_from_tags(tags: Mapping[str, str]) -> Outcome:
    """Read an outcome back; a tag that nobody of ours wrote counts as unknown."""
    words = tags.get(OUTCOME_TAG, "").split()
    reason = tags.get(REASON_TAG, "")
    if len(words) == 2 and words[0] in ("proven", "failed"):
        return Outcome(state="proven" if words[0] == "proven" else "failed", at=words[1], reason=reason)
    if len(words) == 6 and words[0] == "pending":
        previous, seen = (word if word != "-" else "" for word in (words[3], words[5]))
        return Outcome(state="pending", at=words[1], previous=previous, seen=seen)
    return Outcome()


def retention_mark(config_name: str, keep_generations: int) -> str:
    return f"{config_name} keep-{keep_generations}"


def timestamp(moment: datetime | None) -> str:
    """Return a moment in UTC with milliseconds, sortable as text and allowed in a tag; an unknown one is empty."""
    if moment is None:
        return ""
    utc = moment.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}Z"


def tag_value(text: str) -> str:
    """Return text cut and cleaned to what a tag's value may hold."""
    return " ".join(_NOT_IN_A_TAG.sub(" ", text).split())[:_MAX_TAG_VALUE].strip()
