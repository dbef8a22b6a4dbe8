# SPDX-License-Identifier: GPL-3.0-or-later
"""Which faults strike a call. Counts the call with every fault it is in the scope of; touches nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..aws.errors import AwsError
from ..call_identity import Call
from ..sagemaker.rules import check_trust
from .book import Armed
from .fault import Subject

# Operations that hand a role to a service -> the parameter with its ARN. CreateEndpoint's is its models' own.
ROLE_PARAMETERS: dict[tuple[str, str], str] = {
    ("sagemaker", "CreateModel"): "ExecutionRoleArn",
    ("sagemaker", "CreateEndpointConfig"): "ExecutionRoleArn",
    ("sagemaker", "CreateEndpoint"): "",
    ("lambda", "CreateFunction"): "Role",
    ("lambda", "UpdateFunctionConfiguration"): "Role",
}


@dataclass
class Plan:
    """What happens to a call.

    delays: each one waits, before or after the work as it says. end: the fault that the call ends with, if any.
    """

    delays: list[Armed]
    end: Armed | None = None

    @property
    def touches_answer(self) -> bool:
        """Whether the answer has to be kept back until something else has happened."""
        faults = [armed.fault for armed in (*self.delays, *([self.end] if self.end else []))]
        return any(fault.after_work or fault.kind == "cut_answer" for fault in faults)


def subject_of(call: Call) -> Subject:
    """A call, as a fault's scope looks at it."""
    return Subject(
        account=call.account,
        region=call.region,
        service=call.name.service,
        operation=call.name.operation,
        access=call.name.access,
        access_key=call.access_key,
        resources=tuple(resource.name for resource in call.resources),
        digest=call.digest,
    )


def plan(call: Call, covering: Iterable[Armed], now: float) -> Plan:
    """What the faults that cover a call make of it. The first that ends it wins; delays add up.

    now: seconds of a clock that does not go backwards.
    """
    subject, made = subject_of(call), Plan([])
    for armed in covering:
        kind = armed.fault.kind
        if kind == "stale_reads":  # they strike by what was written before: see stale_reads.py
            continue
        if kind == "role_not_assumable":
            if _refuses_role(armed, call, now) and armed.meet(subject, may_strike=made.end is None):
                armed.since.setdefault(role_of(call) or "", now)
                made.end = armed
        elif kind == "delay":
            if armed.meet(subject):
                made.delays.append(armed)
        elif armed.meet(subject, may_strike=made.end is None):
            made.end = armed
    return made


def role_of(call: Call) -> str | None:
    """The role that a call hands to a service; "" where it does so without naming it; None where it does not."""
    parameter = ROLE_PARAMETERS.get((call.name.service, call.name.operation))
    if not parameter:
        return parameter
    role = call.parameters.get(parameter)
    return role if isinstance(role, str) else None


def role_refusal(call: Call, role: str) -> AwsError:
    """What AWS answers for a role that it cannot assume yet."""
    if call.name.service == "lambda":
        message = "The role defined for the function cannot be assumed by Lambda."
        return AwsError("InvalidParameterValueException", message)
    try:
        check_trust(None, role)
    except AwsError as error:
        return error
    raise AssertionError("a role without a trust policy is assumed by nobody")


def _refuses_role(armed: Armed, call: Call, now: float) -> bool:
    role = role_of(call)
    if role is None:
        return False
    first = armed.since.get(role)
    return first is None or armed.fault.seconds is None or now < first + armed.fault.seconds
