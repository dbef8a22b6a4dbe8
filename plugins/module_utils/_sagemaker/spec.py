# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wanted: the module's options as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .naming import normalised_image, resource_name

Pairs = tuple[tuple[str, str], ...]


def pairs(mapping: Mapping[str, Any] | None) -> Pairs:
    """Return a mapping as sorted pairs of text. Keys and text values pass byte for byte; whole numbers become text."""
    return tuple(sorted((str(key), str(value)) for key, value in (mapping or {}).items()))


@dataclass(frozen=True)
class ServerlessConfig:
    """Sizes of a serverless variant; memory in MB."""

    memory_size_mb: int
    max_concurrency: int
    provisioned_concurrency: int | None = None


@dataclass(frozen=True)
class InstanceConfig:
    """Sizes of an instance based variant."""

    instance_type: str
    initial_instance_count: int = 1


@dataclass(frozen=True)
class Variant:
    """One production variant; exactly one of C(serverless) and C(instance) is set."""

    variant_name: str
    model_name: str = ""
    serverless: ServerlessConfig | None = None
    instance: InstanceConfig | None = None

    @property
    def kind(self) -> str:
        return "serverless" if self.serverless else "instance based"

    def document(self) -> dict[str, Any]:
        """The variant as plain data without unset values, for names, results and diffs."""
        sizes: dict[str, Any] = {}
        if self.serverless:
            sizes["serverless"] = {k: v for k, v in vars(self.serverless).items() if v is not None}
        if self.instance:
            sizes["instance"] = dict(vars(self.instance))
        return {"variant_name": self.variant_name, "model_name": self.model_name, **sizes}


@dataclass(frozen=True)
class ModelSpec:
    """What a SageMaker Model holds.

    C(model_data_etag) identifies the content behind C(model_data_url), which may be replaced under the same URL.
    """

    image: str
    execution_role_arn: str
    environment: Pairs = ()
    model_data_url: str | None = None
    model_data_etag: str | None = None

    @property
    def image_known(self) -> bool:
        """False for a reference by tag: the image, and with it every name, is known only after the build."""
        return "@sha256:" in self.image

    def document(self) -> dict[str, Any]:
        data = {"url": self.model_data_url, "etag": self.model_data_etag} if self.model_data_url else None
        return {
            "image": normalised_image(self.image),
            "execution_role_arn": self.execution_role_arn,
            "environment": dict(self.environment),
            "model_data": data,
        }


@dataclass(frozen=True)
class Wanted:
    """One endpoint as the task wants it."""

    name: str
    model: ModelSpec
    variants: tuple[Variant, ...]
    tags: Pairs = ()
    keep_generations: int = 2
    replace: bool = False
    retry_failed: bool = False

    @property
    def known(self) -> bool:
        """Whether names can be told already; false only in check mode, before the image is built."""
        return self.model.image_known

    @property
    def model_name(self) -> str:
        return resource_name(self.name, "MODEL", {"model": self.model.document()})

    @property
    def config_name(self) -> str:
        return resource_name(self.name, "CONFIG", {"variants": [v.document() for v in self.named_variants]})

    @property
    def named_variants(self) -> tuple[Variant, ...]:
        """The variants, each with the name of the Model it is to serve."""
        return tuple(replace(variant, model_name=self.model_name) for variant in self.variants)


def wanted_from_options(options: Mapping[str, Any], model_data_etag: str | None = None) -> Wanted:
    """Return the module's (validated) options as a C(Wanted)."""
    model = options["model"]
    return Wanted(
        name=options["name"],
        model=ModelSpec(
            image=model["image"],
            execution_role_arn=model["execution_role_arn"],
            environment=pairs(model.get("environment")),
            model_data_url=model.get("model_data_url") or None,
            model_data_etag=model_data_etag,
        ),
        variants=_variants(options["production_variants"]),
        tags=pairs(options.get("tags")),
        keep_generations=options.get("keep_generations", 2),
        replace=options.get("replace", False),
        retry_failed=options.get("retry_failed", False),
    )


def _variants(options: Sequence[Mapping[str, Any]]) -> tuple[Variant, ...]:
    return tuple(
        Variant(
            variant_name=option["variant_name"],
            serverless=ServerlessConfig(**option["serverless"]) if option.get("serverless") else None,
            instance=InstanceConfig(**option["instance"]) if option.get("instance") else None,
        )
        for option in options
    )
