# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps a plan is made of: plain values, each with the sentence a person reads.

A step says what to do and to what; C(apply) does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .guardrails import Deployment
from .outcome import Outcome
from .scaling import Autoscaling
from .spec import ConfigSpec, ModelSpec, Pairs


def because(reasons: Sequence[str]) -> str:
    return f": {', '.join(reasons)}" if reasons else ""


@dataclass(frozen=True)
class CreateModel:
    name: str
    spec: ModelSpec
    tags: Pairs
    reasons: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        return f"new Model{_named(self.name)}{because(self.reasons)}"


@dataclass(frozen=True)
class CreateEndpointConfig:
    name: str
    spec: ConfigSpec
    tags: Pairs
    reasons: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        return f"new EndpointConfig{_named(self.name)}{because(self.reasons)}"


@dataclass(frozen=True)
class CreateEndpoint:
    """C(submitted) is remembered on the EndpointConfig once SageMaker has taken the call."""

    endpoint_name: str
    config_name: str
    tags: Pairs
    submitted: Outcome

    @property
    def sentence(self) -> str:
        return f"new Endpoint {self.endpoint_name}"


@dataclass(frozen=True)
class UpdateEndpoint:
    """C(retain_counts): keep the instance counts that autoscaling has set, not those in the EndpointConfig."""

    endpoint_name: str
    config_name: str
    submitted: Outcome
    reused: bool = False
    retain_counts: bool = False
    deployment: Deployment = Deployment()
    reasons: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        which = "retained " if self.reused else "new "
        kept = ", keeping the instance count that autoscaling set" if self.retain_counts else ""
        how = f", {self.deployment.sentence}" if self.deployment.sentence else ""
        config = f"{which}EndpointConfig{_named(self.config_name)}"
        return f"update Endpoint {self.endpoint_name} to the {config}{how}{kept}{because(self.reasons)}"


@dataclass(frozen=True)
class SetInstanceCounts:
    """Give variants that nobody scales their counts, which an update that keeps the scaled ones' keeps as well."""

    endpoint_name: str
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        told = ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))
        return f"set the instance counts of Endpoint {self.endpoint_name}: {told}"


@dataclass(frozen=True)
class RegisterScalableTarget:
    endpoint_name: str
    variant_name: str
    serverless: bool
    autoscaling: Autoscaling

    @property
    def sentence(self) -> str:
        bounds = f"{self.autoscaling.min_capacity} to {self.autoscaling.max_capacity}"
        what = "provisioned concurrency" if self.serverless else "instances"
        return f"scale variant {self.variant_name} of Endpoint {self.endpoint_name} from {bounds} {what}"


@dataclass(frozen=True)
class PutScalingPolicy:
    endpoint_name: str
    variant_name: str
    serverless: bool
    autoscaling: Autoscaling

    @property
    def sentence(self) -> str:
        metric = self.autoscaling.policy(self.serverless)["PredefinedMetricSpecification"]["PredefinedMetricType"]
        return f"scale variant {self.variant_name} so that {metric} stays near {self.autoscaling.target_value:g}"


@dataclass(frozen=True)
class DeregisterScalableTarget:
    endpoint_name: str
    variant_name: str
    dimension: str
    why: str

    @property
    def sentence(self) -> str:
        return f"stop scaling variant {self.variant_name} of Endpoint {self.endpoint_name}: {self.why}"


@dataclass(frozen=True)
class Adopt:
    """Write the owner's tag on an endpoint that somebody else made."""

    endpoint_name: str
    arn: str
    tags: Pairs

    @property
    def sentence(self) -> str:
        return f"take over Endpoint {self.endpoint_name}, which was made by somebody else"


@dataclass(frozen=True)
class DeleteEndpoint:
    endpoint_name: str
    why: str

    @property
    def sentence(self) -> str:
        return f"delete Endpoint {self.endpoint_name}: {self.why}"


@dataclass(frozen=True)
class Await:
    """Ends a pass: what comes after is decided by another look at AWS.

    A look that shows the endpoint not modified since C(seen) is older than our own update and proves nothing.
    """

    endpoint_name: str
    what: str
    seen: str = ""

    @property
    def sentence(self) -> str:
        return f"wait until {self.what}"


@dataclass(frozen=True)
class Remember:
    """Write a generation's outcome on its EndpointConfig."""

    config_name: str
    outcome: Outcome

    @property
    def sentence(self) -> str:
        return f"record on EndpointConfig{_named(self.config_name)} that it is {self.outcome.state}"


@dataclass(frozen=True)
class MarkRolledBack:
    """Write on the EndpointConfig that is live when a person went back from it."""

    config_name: str
    at: str

    @property
    def sentence(self) -> str:
        return f"record on EndpointConfig {self.config_name} that a rollback left it"


@dataclass(frozen=True)
class Tag:
    """Add, change and remove tags of the endpoint, its live EndpointConfig and the Models it serves."""

    endpoint_name: str
    config_name: str
    model_names: tuple[str, ...]
    tags: Pairs
    changed: tuple[str, ...]
    removed: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        told = [*self.changed, *(f"without {key}" for key in self.removed)]
        return f"tag Endpoint {self.endpoint_name} and what it serves: {', '.join(told)}"


@dataclass(frozen=True)
class DeleteEndpointConfig:
    name: str
    why: str

    @property
    def sentence(self) -> str:
        return f"delete EndpointConfig {self.name}: {self.why}"


@dataclass(frozen=True)
class DeleteModel:
    name: str
    why: str

    @property
    def sentence(self) -> str:
        return f"delete Model {self.name}: {self.why}"


@dataclass(frozen=True)
class RecordRetention:
    """Write on the endpoint that old generations are collected, so that the next run need not list them."""

    endpoint_name: str
    mark: str
    keep_generations: int

    @property
    def sentence(self) -> str:
        kept = f"the last {self.keep_generations} generations are" if self.keep_generations else "none is"
        return f"record on Endpoint {self.endpoint_name} that besides the live one {kept} kept"


@dataclass(frozen=True)
class ForgetRetention:
    """Take back that the endpoint was settled on a generation that it is to move to again.

    It left that generation without being settled on another, in a run that was interrupted or by a rollback. The old
    mark would make the next look believe that everything is proven.
    """

    endpoint_name: str

    @property
    def sentence(self) -> str:
        return f"record on Endpoint {self.endpoint_name} that it moves"


Step = (
    CreateModel
    | CreateEndpointConfig
    | CreateEndpoint
    | UpdateEndpoint
    | SetInstanceCounts
    | RegisterScalableTarget
    | PutScalingPolicy
    | DeregisterScalableTarget
    | Adopt
    | DeleteEndpoint
    | Await
    | Remember
    | MarkRolledBack
    | Tag
    | DeleteEndpointConfig
    | DeleteModel
    | RecordRetention
    | ForgetRetention
)


def writes(step: Step) -> bool:
    """Whether a step changes anything on AWS."""
    return not isinstance(step, Await)


def plan_text(sentences: Sequence[str]) -> str:
    """Return a plan as the lines that stand below a diff."""
    return "".join(f"plan: {sentence}\n" for sentence in sentences)


def _named(name: str) -> str:
    return f" {name}" if name else ""
