# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fault is, and which calls and endpoints it is for. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

# Kinds that strike a call, with what they do, in the words of the command line's help.
CALL_KINDS: dict[str, str] = {
    "throttle": "the call is refused with the service's own throttling error",
    "error": "the call is refused with an error of your choice",
    "delay": "the call waits for some seconds",
    "drop": "the connection is closed without an answer",
    "hold": "the call gets no answer and the connection stays open, until the client or the fault is gone",
    "cut_answer": "the work is done, and the connection is closed in the middle of the answer",
    "stale_reads": "for some seconds after a write, reads answer what they answered before it",
    "role_not_assumable": "the role is refused, as AWS refuses one that has just been created",
}
# Kinds that strike an endpoint, whoever called.
ENDPOINT_KINDS: dict[str, str] = {
    "capacity_shortage": "a fleet cannot be provisioned: a create fails, an update rolls back",
    "never_healthy": "the containers of a new fleet never count as healthy",
    "silent_rollback": "an update rolls back to InService with the old config, and no FailureReason at all",
    "update_rollback_failed": "an update fails, and so does its rollback: old and new containers go on serving",
    "stuck": "the endpoint stays in the state it is in (Creating, Updating, RollingBack, Deleting) for some seconds",
}
KINDS: dict[str, str] = {**CALL_KINDS, **ENDPOINT_KINDS}
# Kinds of call faults that can also strike when the work has been done.
AFTER_WORK_KINDS = frozenset({"error", "delay", "drop", "hold"})


@dataclass(frozen=True)
class Subject:
    """What a fault may strike: a call, or an endpoint (which has no access key and no operation).

    service: the signing name. access: "read", "write" or "data". resources: the names of what the call is about.
    digest: tells one distinct call from another.
    """

    account: str
    region: str
    service: str = ""
    operation: str = ""
    access: str = ""
    access_key: str | None = None
    resources: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True)
class Where:
    """Which subjects a fault is for; None is any.

    operation: a name, or a pattern with * such as "Describe*".
    resource: how a resource's name begins, for example a stage's "modelhost-local". A part after a slash counts as a
    beginning, too: it covers the log group /aws/lambda/modelhost-local-demo.
    """

    account: str | None = None
    region: str | None = None
    service: str | None = None
    operation: str | None = None
    access: str | None = None
    access_key: str | None = None
    resource: str | None = None

    def covers(self, subject: Subject) -> bool:
        """Whether a subject is in this scope."""
        return (
            self.account in (None, subject.account)
            and self.region in (None, subject.region)
            and self.service in (None, subject.service)
            and self.access in (None, subject.access)
            and self.access_key in (None, subject.access_key)
            and (self.operation is None or fnmatchcase(subject.operation, self.operation))
            and (self.resource is None or any(_begins(name, self.resource) for name in subject.resources))
        )


@dataclass(frozen=True)
class When:
    """Which of the subjects in its scope a fault strikes. Without any of these, every one.

    nth: only this one, counted from 1. every: each one whose number this divides. probability: each one, with this
    chance, from a random generator that starts with `seed`. each_once: every distinct call the first time it comes.
    skip: so many go free before anything else is counted. times: after so many strikes there is no more.
    """

    nth: int | None = None
    every: int | None = None
    probability: float | None = None
    seed: int = 0
    each_once: bool = False
    skip: int = 0
    times: int | None = None


@dataclass(frozen=True)
class Fault:
    """Something that shall go wrong.

    seconds: how long a delay, staleness, a role's refusal or being stuck lasts.
    code, message, status: of the error that is answered, where the kind answers one.
    after_work: strike when the work has been done and before the answer, instead of before the work.
    """

    id: str
    kind: str
    where: Where = field(default_factory=Where)
    when: When = field(default_factory=When)
    seconds: float | None = None
    code: str | None = None
    message: str | None = None
    status: int | None = None
    after_work: bool = False


def _begins(name: str, prefix: str) -> bool:
    # SageMaker and IAM compare names without case.
    name, prefix = name.lower(), prefix.lower()
    return name.startswith(prefix) or f"/{prefix}" in name
