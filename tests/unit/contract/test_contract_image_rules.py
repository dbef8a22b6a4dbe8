# SPDX-License-Identifier: GPL-3.0-or-later
"""What the contract says of an image, without an engine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "contract"))

from contract_image import (
    looks_secret,
    manifest_problems,
    platform_problems,
    secret_problems,
    size_problems,
)

AWS_KEY = "AKIA" + "Q" * 16


def inspected(**config: Any) -> dict[str, Any]:
    return {"Os": "linux", "Architecture": "amd64", "Size": 400_000_000, "Config": config}


def test_a_usual_image_has_no_problem() -> None:
    image = inspected(
        Env=["PATH=/usr/bin", "GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D", "TOKENIZERS_PARALLELISM=false"],
        Labels={"org.opencontainers.image.title": "serving"},
    )
    history = ["RUN |1 EXTRA_INDEX_URL= /bin/sh -c pip install --hash=sha256:0 x", 'ENV TOKEN=${TOKEN} CMD ["serve"]']
    assert platform_problems(image, "linux/amd64") == []
    assert size_problems(image) == []
    assert secret_problems(image, history) == []
    assert manifest_problems(["application/vnd.docker.distribution.manifest.v2+json"]) == []


def test_an_image_for_another_processor_is_named() -> None:
    image = {**inspected(), "Architecture": "arm64"}
    assert "linux/arm64" in platform_problems(image, "linux/amd64")[0]


def test_an_image_of_more_than_10_gib_is_named() -> None:
    assert "11.0 GiB" in size_problems({**inspected(), "Size": 11 * 2**30})[0]


@pytest.mark.parametrize(
    "kind", ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"]
)
def test_an_index_is_named_with_what_makes_none(kind: str) -> None:
    assert "--provenance=false" in manifest_problems([kind])[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HF_TOKEN", "x"),
        ("DB_PASSWORD", "x"),
        ("OPENAI_API_KEY", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("INDEX", "https://me:word@index.example/simple"),
        ("NOTE", AWS_KEY),
        ("NOTE", "hf_" + "a" * 34),
    ],
)
def test_a_secret_is_found_wherever_it_stands_and_is_not_told(name: str, value: str) -> None:
    for image, history in (
        (inspected(Env=[f"{name}={value}"]), []),
        (inspected(Labels={name: value}), []),
        (inspected(), [f"RUN /bin/sh -c {name}={value} make"]),
    ):
        (problem,) = secret_problems(image, history)
        assert "secret" in problem
        assert value not in problem or value == "x"


@pytest.mark.parametrize(("name", "value"), [("HF_TOKEN", ""), ("TOKENIZERS", "fast"), ("KEYBOARD", "de")])
def test_a_name_that_only_sounds_like_a_secret_is_none(name: str, value: str) -> None:
    assert not looks_secret(name, value)
