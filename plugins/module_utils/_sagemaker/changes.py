# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why something is new: the differences between what is live and what is wanted, as short phrases."""

from __future__ import annotations

from .aws_names import differences
from .spec import ConfigSpec, ModelSpec, Variant, normalised_image
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
    phrases += _vpc_changes(was, wanted)
    if was.enable_network_isolation != wanted.enable_network_isolation:
        phrases.append(f"network isolation {'on' if wanted.enable_network_isolation else 'off'}")
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


def _vpc_changes(was: ModelSpec, wanted: ModelSpec) -> list[str]:
    if was.vpc and wanted.vpc:
        return differences(was.vpc, wanted.vpc)
    return [] if was.vpc == wanted.vpc else [f"VPC {'removed' if was.vpc else 'added'}"]


def config_changes(live: EndpointConfig | None, wanted: ConfigSpec) -> list[str]:
    """Return phrases such as "memory 2048 → 4096 MB" for what an EndpointConfig holds besides its Models."""
    if live is None:
        return []
    return [
        *_variant_changes(live.spec.variants, wanted.variants, "variant"),
        *_variant_changes(live.spec.shadow_variants, wanted.shadow_variants, "shadow variant"),
        *differences(live.spec, wanted),
    ]


def _variant_changes(live: tuple[Variant, ...], wanted: tuple[Variant, ...], noun: str) -> list[str]:
    was = {variant.variant_name: variant for variant in live}
    phrases: list[str] = []
    for variant in wanted:
        before = was.pop(variant.variant_name, None)
        if before is None:
            phrases.append(f"{noun} {variant.variant_name} added")
        else:
            # With several variants a phrase says whose memory it is.
            whose = f"{noun} {variant.variant_name}: " if len(wanted) > 1 else ""
            phrases += [whose + phrase for phrase in _sizes_changed(before, variant)]
    return phrases + [f"{noun} {name} removed" for name in was]


def _sizes_changed(was: Variant, wanted: Variant) -> list[str]:
    if was.kind != wanted.kind:
        return [f"{was.kind} → {wanted.kind}"]
    return differences(was, wanted)


def _short(image: str) -> str:
    repository, _, digest = image.rpartition("@sha256:")
    return f"sha256:{digest[:12]}" if repository else image


def _last(arn: str) -> str:
    return arn.rpartition("/")[2] or "none"
