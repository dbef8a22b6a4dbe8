# SPDX-License-Identifier: GPL-3.0-or-later
"""What an endpoint's state means for the person who waits for it, and what they can do. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .page_data import EndpointFacts
from .wording import duration, plural


@dataclass(frozen=True)
class Advice:
    """tone: "bad", "warn", "busy" or "off". quoted: the failure reason, in full. command: what to type, if anything."""

    tone: str
    title: str
    sentence: str = ""
    quoted: str | None = None
    command: str | None = None


def advise(endpoint: EndpointFacts, now: float) -> Advice | None:
    """What to say about an endpoint, or None where it serves and all is well."""
    name, reason = endpoint.name, endpoint.failure_reason
    match endpoint.status:
        case "Failed":
            return Advice(
                "bad",
                "Failure reason",
                "A Failed endpoint can only be deleted; what its containers wrote is in their logs. Then deploy again.",
                reason or "None was given.",
                f"aws sagemaker delete-endpoint --endpoint-name {name}",
            )
        case "UpdateRollbackFailed":
            return Advice(
                "bad",
                "The update failed, and so did going back",
                "Old and new containers may both be serving. Update it again to a config that works, or delete it.",
                reason,
            )
        case "Creating":
            return Advice("busy", f"Creating for {duration(now - endpoint.created)}", _starting(endpoint))
        case "Updating":
            return Advice("busy", _updating(endpoint, now), _doing(endpoint, now) + _starting_green(endpoint))
        case "RollingBack":
            return Advice(
                "warn",
                "Rolling back",
                _doing(endpoint, now) + "The old fleet has served all along and goes on.",
                reason,
            )
        case "SystemUpdating":
            return Advice("busy", "SageMaker is maintaining it", "It serves, and can be neither updated nor deleted.")
        case "Deleting":
            return Advice("warn", "Deleting", "Its containers finish the requests they have and are stopped.")
        case "OutOfService":
            return Advice("off", "Out of service", "It answers no requests and cannot be updated.", reason)
        case "InService" if reason:
            return Advice(
                "warn",
                "The last change was rolled back",
                f"What serves is {endpoint.config}, as before. Mend what the reason names, then deploy again.",
                reason,
            )
        case "InService":
            return _serving(endpoint)
    return None


def _starting(endpoint: EndpointFacts) -> str:
    limit = f" Each has {duration(endpoint.startup_seconds)} for that." if endpoint.startup_seconds else ""
    if not endpoint.containers:
        return "No container has started yet: its image and its model artifact are being prepared."
    waiting = [container for container in endpoint.containers if container.state != "healthy"]
    known = "; ".join(sorted({container.waiting_for for container in waiting if container.waiting_for}))
    heard = f" So far: {known}." if known else ""
    return (
        f"Waiting for {plural(len(waiting), 'container')} to answer GET /ping with 200.{heard}{limit} "
        "What it is doing is in its log."
    )


def _starting_green(endpoint: EndpointFacts) -> str:
    waiting = [container for container in endpoint.containers if container.state == "starting"]
    heard = "; ".join(sorted({container.waiting_for for container in waiting if container.waiting_for}))
    new = f"Of the new fleet, {plural(len(waiting), 'container')} not healthy yet ({heard or 'starting'}). "
    return (new if waiting else "") + "The old fleet serves until the new one has taken its place."


def _updating(endpoint: EndpointFacts, now: float) -> str:
    to = f" to {endpoint.update.config}" if endpoint.update else ""
    return f"Updating{to} for {duration(now - endpoint.modified)}"


def _doing(endpoint: EndpointFacts, now: float) -> str:
    if not endpoint.doing:
        return ""
    since = f" ({duration(now - endpoint.doing_since)} so far)" if endpoint.doing_since else ""
    return f"{endpoint.doing.rstrip('.')}{since}. "


def _serving(endpoint: EndpointFacts) -> Advice | None:
    healthy = {container.variant for container in endpoint.containers if container.state == "healthy"}
    missing = [variant.name for variant in endpoint.variants if variant.desired and variant.name not in healthy]
    if missing and any(container.state == "starting" for container in endpoint.containers):
        return Advice(
            "busy",
            f"The containers of {', '.join(missing)} are starting",
            f"Requests wait for one up to 30 seconds. {_starting(endpoint)}",
        )
    if missing:
        return Advice(
            "bad",
            f"No container of {', '.join(missing)} is healthy",
            "One that ended is started again; requests wait for it up to 30 seconds. Why it ended is in its log.",
        )
    return None
