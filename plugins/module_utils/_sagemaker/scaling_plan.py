# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide when a variant is registered with Application Auto Scaling, and when not. Pure.

SageMaker refuses an update that changes the instance type of a registered variant, and a delete leaves the registration
behind. So it goes before such an update or a delete and comes after the update is proven.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from .scaling import Autoscaling, ScalableTarget, dimension
from .spec import ConfigSpec, Variant, Wanted
from .state import There
from .steps import DeregisterScalableTarget, PutScalingPolicy, RegisterScalableTarget, Step

_TYPE = "SageMaker changes no instance type of a registered variant; it is scaled again after"


def scaled(wanted: Wanted, there: There) -> frozenset[str]:
    """Return the variants whose capacity an autoscaler owns, ours or somebody else's."""
    ours = {variant.variant_name for variant in wanted.config.variants if variant.autoscaling}
    return frozenset(ours | {target.variant_name for target in there.scaling if target.foreign})


def counts_are_scaled(wanted: Wanted, there: There) -> bool:
    """Whether an update has to keep instance counts instead of those in the EndpointConfig."""
    names = scaled(wanted, there)
    counted = {name for name, variant in there.live_variants.items() if variant.instance}
    return any(variant.instance and variant.variant_name in names & counted for variant in wanted.config.variants)


def obstacle(wanted: Wanted, there: There) -> str:
    """Return why a registration that is not ours stands in the way of an update, or nothing."""
    for target, was, variant in _pairs(wanted, there):
        if target.foreign and not variant.autoscaling and _type_changes(was, variant):
            return (
                f"Variant {target.variant_name} of Endpoint {wanted.name} was registered with Application Auto Scaling "
                "by somebody else, and SageMaker refuses to change the instance type of a registered variant. "
                "Deregister it, or let this task scale it with production_variants[].autoscaling."
            )
    return ""


def before_update(wanted: Wanted, there: There) -> Iterator[Step]:
    """Yield what has to go before an UpdateEndpoint."""
    variants = {variant.variant_name: variant for variant in wanted.config.variants}
    for target, was, variant in _pairs(wanted, there):
        if target.foreign and not variant.autoscaling:
            continue
        if variant.autoscaling is None or target.dimension != dimension(bool(variant.serverless)):
            yield _stop(wanted.name, target, "it is to have a fixed size")
        elif _type_changes(was, variant):
            yield _stop(wanted.name, target, _TYPE)
    for target in there.scaling:
        if target.variant_name not in variants:
            yield _stop(wanted.name, target, "the variant goes")


def after_update(wanted: Wanted, there: There) -> Iterator[Step]:
    """Yield what is registered once the update is proven, seen from before it."""
    gone = {step.variant_name for step in before_update(wanted, there) if isinstance(step, DeregisterScalableTarget)}
    staying = tuple(target for target in there.scaling if target.variant_name not in gone)
    yield from _registrations(wanted.name, wanted.config.variants, staying)


def settled(wanted: Wanted, there: There) -> Iterator[Step]:
    """Yield what the registrations of an endpoint lack that is on what is wanted."""
    yield from before_update(wanted, there)
    yield from after_update(wanted, there)


def stops(endpoint_name: str, targets: Iterable[ScalableTarget], why: str) -> Iterator[Step]:
    """Yield the end of each registration. One of an endpoint that goes would scale the next one by old bounds."""
    for target in targets:
        yield _stop(endpoint_name, target, why)


def before_rollback(endpoint_name: str, there: There, target: ConfigSpec) -> Iterator[Step]:
    """Yield what has to go before an update back to C(target)."""
    yield from stops(endpoint_name, _in_the_way(there, target), _TYPE)


def after_rollback(
    endpoint_name: str, there: There, target: ConfigSpec, wanted: Mapping[str, Autoscaling]
) -> Iterator[Step]:
    """Yield what scales the variants of C(target) as is wanted by their names."""
    gone = {registered.variant_name for registered in _in_the_way(there, target)}
    variants = tuple(replace(each, autoscaling=wanted.get(each.variant_name)) for each in target.variants)
    targets = tuple(registered for registered in there.scaling if registered.variant_name not in gone)
    yield from _registrations(endpoint_name, variants, targets)


def _in_the_way(there: There, target: ConfigSpec) -> list[ScalableTarget]:
    live = there.live_variants
    wanted = {variant.variant_name: variant for variant in target.variants}
    return [
        each
        for each in there.scaling
        if each.variant_name not in wanted or _type_changes(live.get(each.variant_name), wanted[each.variant_name])
    ]


def _registrations(
    endpoint_name: str, variants: tuple[Variant, ...], targets: tuple[ScalableTarget, ...]
) -> Iterator[Step]:
    known = {target.variant_name: target for target in targets}
    for variant in variants:
        wish = variant.autoscaling
        if wish is None:
            continue
        target, serverless = known.get(variant.variant_name), bool(variant.serverless)
        if target is None or not target.fits(wish, serverless):
            yield RegisterScalableTarget(endpoint_name, variant.variant_name, serverless, wish)
        if target is None or not target.tracks(wish, serverless):
            yield PutScalingPolicy(endpoint_name, variant.variant_name, serverless, wish)


def _pairs(wanted: Wanted, there: There) -> Iterator[tuple[ScalableTarget, Variant | None, Variant]]:
    """Yield each registered variant that stays, as it is and as it is wanted."""
    live = there.live_variants
    variants = {variant.variant_name: variant for variant in wanted.config.variants}
    for target in there.scaling:
        if target.variant_name in variants:
            yield target, live.get(target.variant_name), variants[target.variant_name]


def _type_changes(was: Variant | None, wanted: Variant) -> bool:
    return bool(
        was and was.instance and wanted.instance and was.instance.instance_type != wanted.instance.instance_type
    )


def _stop(endpoint_name: str, target: ScalableTarget, why: str) -> DeregisterScalableTarget:
    return DeregisterScalableTarget(endpoint_name, target.variant_name, target.dimension, why)
