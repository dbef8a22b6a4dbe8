# SPDX-License-Identifier: GPL-3.0-or-later
"""An SBOM says what is in an image, is valid CycloneDX, and is kept beside the image and not in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.sbom import (
    INVENTORY,
    SBOM_TYPE,
    Package,
    Subject,
    artifact,
    cyclonedx,
    locked_packages,
    merged,
    reported_packages,
)
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

REPOSITORY = Path(__file__).resolve().parents[3]
DIGEST = "sha256:" + "a" * 64
SUBJECT = Subject(
    "modelhost-prod", DIGEST, "application/vnd.docker.distribution.manifest.v2+json", 1234, {"modelhost:base": "python"}
)
LIBC = Package("deb", "libc6", "2.36-9")
LOCK = f"""# Made by `make lock`
anyio==4.16.0 ; sys_platform != 'emscripten' \\
    --hash=sha256:{"1" * 64} \\
    --hash=sha256:{"2" * 64}
    # via httpx2
PyYAML==6.0.3 \\
    --hash=sha256:{"3" * 64}
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:{"4" * 64}
arm-only==1 ; platform_machine == 'aarch64' \\
    --hash=sha256:{"5" * 64}
new-python==1 ; python_full_version >= '3.12' \\
    --hash=sha256:{"6" * 64}
"""


def names(packages: list[Package]) -> set[str]:
    return {package.name for package in packages}


def test_a_lock_file_is_read_for_the_platform_and_the_python_of_the_image() -> None:
    assert names(locked_packages(LOCK, "linux/amd64", "3.11")) == {"anyio", "pyyaml"}
    assert names(locked_packages(LOCK, "linux/arm64", "3.13")) == {"anyio", "pyyaml", "arm-only", "new-python"}


def test_every_hash_of_the_lock_file_is_taken_over() -> None:
    anyio = next(package for package in locked_packages(LOCK, "linux/amd64", "3.11") if package.name == "anyio")
    assert anyio.hashes == ("1" * 64, "2" * 64)


def test_what_the_image_says_goes_before_what_was_locked_and_keeps_the_hashes() -> None:
    found = [
        Package("pypi", "PyYAML", "6.0.3"),
        Package("pypi", "torch", "2.13.0+cpu"),
        LIBC,
    ]
    packages = merged(locked_packages(LOCK, "linux/amd64", "3.11"), found)
    assert packages == [
        LIBC,
        Package("pypi", "pyyaml", "6.0.3", ("3" * 64,)),
        Package("pypi", "torch", "2.13.0+cpu"),
    ]


def test_where_no_engine_has_the_image_the_lock_file_stands() -> None:
    locked = locked_packages(LOCK, "linux/amd64", "3.11")
    assert names(merged(locked, [])) == {"anyio", "pyyaml"}


@pytest.mark.parametrize("name", ["requirements-compiled.txt", "requirements-toolkit.txt"])
def test_the_sbom_of_a_shipped_lock_file_is_valid_cyclonedx(name: str) -> None:
    text = (REPOSITORY / "files" / "docker" / name).read_text(encoding="utf-8")
    packages = locked_packages(text, "linux/amd64", "3.11")
    assert len(packages) > 15
    assert all(package.hashes for package in packages)
    document = cyclonedx(SUBJECT, packages)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document.decode()) is None
    content = json.loads(document)
    assert content["metadata"]["component"]["version"] == DIGEST
    assert {component["purl"] for component in content["components"]} == {
        f"pkg:pypi/{package.name}@{package.version}" for package in packages
    }


def test_the_same_image_gives_the_same_bytes() -> None:
    packages = locked_packages(LOCK, "linux/amd64", "3.11")
    assert cyclonedx(SUBJECT, packages) == cyclonedx(SUBJECT, reversed(packages))


def test_the_artifact_refers_to_the_image_and_is_no_index() -> None:
    made = artifact(SUBJECT, b"{}\n")
    manifest = json.loads(made.manifest)
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["artifactType"] == SBOM_TYPE
    assert manifest["subject"] == {
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "digest": DIGEST,
        "size": 1234,
    }
    assert "manifests" not in manifest


def test_the_inventory_lists_the_packages_of_the_python_that_runs_it() -> None:
    done = subprocess.run([sys.executable, "-c", INVENTORY], capture_output=True, text=True, check=True)
    found = reported_packages(done.stdout)
    assert "pytest" in names(found)
    assert {package.kind for package in found} <= {"pypi", "deb"}
