# SPDX-License-Identifier: GPL-3.0-or-later
"""What Application Auto Scaling remembers: scalable targets, scaling policies and scheduled actions.

Members that begin with an underscore are ours and never leave: no shape of AWS's has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..aws.caller import Caller
from ..aws.errors import AwsError
from ..store import Document, Store
from .resources import Scalable, scalable_of

TARGETS, POLICIES, SCHEDULED = "scalable-target", "scaling-policy", "scheduled-action"
_NAME_OF = {POLICIES: "PolicyName", SCHEDULED: "ScheduledActionName"}
_DEFAULT_PAGE = 50
_MAX_TOKEN_DIGITS = 6


class Records:
    """The documents of every account and region."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def target(self, caller: Caller, scalable: Scalable) -> Document | None:
        return self._store.get(TARGETS, caller, scalable.key)

    def existing_target(self, caller: Caller, scalable: Scalable, what: str) -> Document:
        """The target. Raises ObjectNotFoundException that begins with `what`."""
        target = self.target(caller, scalable)
        if target is None:
            raise scalable.not_found(what)
        return target

    def target_by_arn(self, caller: Caller, arn: str) -> Document:
        """The target of that ARN. Raises ResourceNotFoundException."""
        for target in self.targets(caller):
            if target["ScalableTargetARN"] == arn:
                return target
        raise AwsError("ResourceNotFoundException", f"No scalable target found for ARN: {arn}", ResourceName=arn)

    def targets(self, caller: Caller) -> list[Document]:
        return self._store.list(TARGETS, caller)

    def put_target(self, caller: Caller, target: Document) -> None:
        self._store.put(TARGETS, caller, scalable_of(target).key, target)

    def delete_target(self, caller: Caller, scalable: Scalable) -> None:
        self._store.delete(TARGETS, caller, scalable.key)

    def find(self, kind: str, caller: Caller, scalable: Scalable, name: str) -> Document | None:
        """The policy or scheduled action of that name."""
        return self._store.get(kind, caller, f"{scalable.key}|{name}")

    def put(self, kind: str, caller: Caller, document: Document) -> None:
        """Keep a policy or a scheduled action."""
        self._store.put(kind, caller, f"{scalable_of(document).key}|{document[_NAME_OF[kind]]}", document)

    def delete(self, kind: str, caller: Caller, document: Document) -> None:
        self._store.delete(kind, caller, f"{scalable_of(document).key}|{document[_NAME_OF[kind]]}")

    def all(self, kind: str, caller: Caller) -> list[Document]:
        return self._store.list(kind, caller)

    def of(self, kind: str, caller: Caller, scalable: Scalable) -> list[Document]:
        """A target's policies or scheduled actions."""
        return [document for document in self._store.list(kind, caller) if scalable_of(document) == scalable]

    def everywhere(self, kind: str) -> Iterator[tuple[Caller, Document]]:
        return self._store.everywhere(kind)


def matching(
    documents: list[Document],
    parameters: dict[str, Any],
    name_member: str | None = None,
    names: list[str] | None = None,
) -> list[Document]:
    """The documents that a Describe call's ResourceId, ScalableDimension and names leave."""
    return [
        document
        for document in documents
        if parameters.get("ResourceId") in (None, document["ResourceId"])
        and parameters.get("ScalableDimension") in (None, document["ScalableDimension"])
        and (not names or name_member is None or document[name_member] in names)
    ]


def page(found: list[Document], parameters: dict[str, Any], largest: int = _DEFAULT_PAGE) -> tuple[list[Document], Any]:
    """One page and the next one's token, or None. Raises InvalidNextTokenException for a token that is none of ours."""
    token, limit = parameters.get("NextToken", "0"), parameters.get("MaxResults")
    if not (token.isascii() and token.isdigit() and len(token) <= _MAX_TOKEN_DIGITS):
        raise AwsError("InvalidNextTokenException", "The next token supplied was invalid.")
    if limit is not None and limit < 0:
        raise AwsError("ValidationException", "MaxResults cannot be less than 0")
    end = int(token) + (min(limit, largest) if limit else largest)
    return found[int(token) : end], str(end) if end < len(found) else None
