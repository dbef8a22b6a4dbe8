# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why something is new: the differences between what is live and what is wanted, as short phrases."""

from __future__ import annotations

from .spec import ModelSpec, Variant, normalised_image
from .state import EndpointConfig, Model


def model_changes(live: Model | None, wanted: ModelSpec) -> list[str]:
    """Return phrases such as "image sha256:1a2b… → sha256:3c4d…"; values of the environment are never shown."""
    if live is None or live.spec is None:
        return []
    was, phrases = live.spec, []
    if not wanted.image_known:
        phrases.append("image changes (digest known after the build)")
    elif normalised_image(was.image) != normalised_image(wanted.image):
        phrases.append(f"image {_short(was.image)} → {_short(wanted.image)}")
    if was.execution_role_arn != wanted.execution_role_arn:
        phrases.append(f"execution role {_last(was.execution_role_arn)} → {_last(wanted.execution_role_arn)}")
    if was.model_data_url != wanted.model_data_url:
        phrases.append(f"model data {was.model_data_url or 'none'} → {wanted.model_data_url or 'none'}")
    phrases += _environment_changes(dict(was.environment), dict(wanted.environment))
    if not phrases and wanted.model_data_url:
        phrases.append(f"the content of {wanted.model_data_url} changed")
    return phrases


def _environment_changes(was: dict[str, str], wanted: dict[str, str]) -> list[str]:
    kinds = (
        ("added", sorted(wanted.keys() - was.keys())),
        ("removed", sorted(was.keys() - wanted.keys())),
        ("changed", sorted(key for key in was.keys() & wanted.keys() if was[key] != wanted[key])),
    )
    told = [f"{', '.join(keys)} {kind}" for kind, keys in kinds if keys]
    return [f"environment: {'; '.join(told)}"] if told else []


def variant_changes(live: EndpointConfig | None, wanted: tuple[Variant, ...]) -> list[str]:
    """Return phrases such as "memory 2048 → 4096 MB" for the sizes of the variants."""
    if live is None:
        return []
    was = {variant.variant_name: variant for variant in live.variants}
    phrases: list[str] = []
    for variant in wanted:
        before = was.pop(variant.variant_name, None)
        phrases += _sizes_changed(before, variant) if before else [f"variant {variant.variant_name} added"]
    return phrases + [f"variant {name} removed" for name in was]


def _sizes_changed(was: Variant, wanted: Variant) -> list[str]:
    if was.kind != wanted.kind:
        return [f"{was.kind} → {wanted.kind}"]
    phrases = []
    if was.serverless and wanted.serverless:
        phrases += _changed("memory", was.serverless.memory_size_mb, wanted.serverless.memory_size_mb, " MB")
        phrases += _changed("max concurrency", was.serverless.max_concurrency, wanted.serverless.max_concurrency)
        phrases += _changed(
            "provisioned concurrency",
            was.serverless.provisioned_concurrency or 0,
            wanted.serverless.provisioned_concurrency or 0,
        )
    if was.instance and wanted.instance:
        phrases += _changed("instance type", was.instance.instance_type, wanted.instance.instance_type)
        phrases += _changed(
            "instance count", was.instance.initial_instance_count, wanted.instance.initial_instance_count
        )
    return phrases


def _changed(what: str, was: object, wanted: object, unit: str = "") -> list[str]:
    return [] if was == wanted else [f"{what} {was} → {wanted}{unit}"]


def _short(image: str) -> str:
    repository, _, digest = image.rpartition("@sha256:")
    return f"sha256:{digest[:12]}" if repository else image


def _last(arn: str) -> str:
    return arn.rpartition("/")[2] or "none"
