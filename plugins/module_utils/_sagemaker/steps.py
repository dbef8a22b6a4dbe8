# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps a plan is made of: plain values, each with the sentence a person reads.

A step says what to do and to what; C(apply) does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .outcome import Outcome
from .spec import ModelSpec, Pairs, Variant


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
    variants: tuple[Variant, ...]
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
    """C(retain_variant_properties): keep the count that autoscaling has set, not the one in the EndpointConfig."""

    endpoint_name: str
    config_name: str
    submitted: Outcome
    reused: bool = False
    retain_variant_properties: bool = False
    reasons: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        which = "retained " if self.reused else "new "
        kept = ", keeping the instance count that autoscaling set" if self.retain_variant_properties else ""
        config = f"{which}EndpointConfig{_named(self.config_name)}"
        return f"update Endpoint {self.endpoint_name} to the {config}{kept}{because(self.reasons)}"


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
class Tag:
    """Add or change tags of the endpoint, its live EndpointConfig and the Models it serves; none are removed."""

    endpoint_name: str
    config_name: str
    model_names: tuple[str, ...]
    tags: Pairs
    changed: tuple[str, ...]

    @property
    def sentence(self) -> str:
        return f"tag Endpoint {self.endpoint_name} and what it serves: {', '.join(self.changed)}"


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


Step = (
    CreateModel
    | CreateEndpointConfig
    | CreateEndpoint
    | UpdateEndpoint
    | DeleteEndpoint
    | Await
    | Remember
    | Tag
    | DeleteEndpointConfig
    | DeleteModel
    | RecordRetention
)


def writes(step: Step) -> bool:
    """Whether a step changes anything on AWS."""
    return not isinstance(step, Await)


def plan_text(sentences: Sequence[str]) -> str:
    """Return a plan as the lines that stand below a diff."""
    return "".join(f"plan: {sentence}\n" for sentence in sentences)


def _named(name: str) -> str:
    return f" {name}" if name else ""
