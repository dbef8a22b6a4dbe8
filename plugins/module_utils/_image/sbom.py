# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The software bill of materials of an image: what it holds, as CycloneDX 1.6, and the artifact that ECR keeps. Pure.

Two sources: the locked requirements, which say what is installed and with which hashes, and, where an engine has the
image, what the image itself says is in it, the base's packages included.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.context import EPOCH
from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.oci import (
    MANIFEST_TYPE,
    Image,
    blob,
    descriptor,
    document,
)
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.markers import Marker

# IANA's media type of CycloneDX JSON; referrers are looked up by it.
SBOM_TYPE = "application/vnd.cyclonedx+json"
# OCI image specification 1.1, manifest.md, "Guidance for an empty descriptor".
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)\s*(?:;\s*(?P<marker>[^\\]+))?")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Package:
    """A package in the image. kind: ``pypi`` or ``deb``. hashes: SHA-256 of the files it may have come from."""

    kind: str
    name: str
    version: str
    hashes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """What the SBOM is about. digest, media_type, size: the image's manifest. properties: what else to say of it."""

    repository: str
    digest: str
    media_type: str
    size: int
    properties: Mapping[str, str] = field(default_factory=dict)


def locked_packages(requirements: str, platform: str, python: str) -> list[Package]:
    """The packages that a requirements file installs on a platform (``linux/amd64``) and a Python (``3.11``)."""
    environment = {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": {"linux/arm64": "aarch64"}.get(platform, "x86_64"),
        "python_version": python,
        "python_full_version": f"{python}.0",
    }
    packages = []
    # A pin and its hashes are one line that goes on after backslashes.
    for line in requirements.replace("\\\n", " ").splitlines():
        found = _PIN.match(line.split(" --hash")[0].split(" #")[0].strip())
        if found and (not found["marker"] or Marker(found["marker"].strip()).evaluate(environment)):
            packages.append(Package("pypi", _name(found["name"]), found["version"], tuple(sorted(_HASH.findall(line)))))
    return packages


def merged(locked: Iterable[Package], found: Iterable[Package]) -> list[Package]:
    """What was found in an image, with the hashes of what was locked; the locked where nothing was found."""
    locked, found = list(locked), list(found)
    hashes = {(package.name, package.version): package.hashes for package in locked}
    packages = [
        Package(
            package.kind, _name(package.name), package.version, hashes.get((_name(package.name), package.version), ())
        )
        if package.kind == "pypi"
        else package
        for package in found
    ] or locked
    return sorted(set(packages), key=lambda package: (package.kind, package.name, package.version))


def cyclonedx(subject: Subject, packages: Iterable[Package]) -> bytes:
    """The SBOM: the same bytes for the same image and packages, so that a second run has nothing to push."""
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{subject.repository}@{subject.digest}"))
    bom.metadata = BomMetaData(
        timestamp=datetime.fromtimestamp(EPOCH, UTC),
        component=Component(
            name=subject.repository,
            version=subject.digest,
            type=ComponentType.CONTAINER,
            bom_ref="image",
            purl=PackageURL("oci", None, subject.repository.rsplit("/", 1)[-1], subject.digest),
            properties=[
                Property(name=name, value=value) for name, value in sorted(subject.properties.items()) if value
            ],
        ),
    )
    for package in packages:
        purl = PackageURL(package.kind, "debian" if package.kind == "deb" else None, package.name, package.version)
        bom.components.add(
            Component(
                name=package.name,
                version=package.version,
                type=ComponentType.LIBRARY,
                bom_ref=purl.to_string(),
                purl=purl,
                # A wheel for each platform: which of them was installed, a lock file does not say.
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=package.hashes[0])]
                if len(package.hashes) == 1
                else [],
                properties=[
                    Property(name="modelhost:locked-sha256", value=each)
                    for each in package.hashes
                    if len(package.hashes) > 1
                ],
            )
        )
    bom.register_dependency(bom.metadata.component, bom.components)  # type: ignore[arg-type]
    text: str = JsonV1Dot6(bom).output_as_string(indent=1)
    return f"{text}\n".encode()


def artifact(subject: Subject, sbom: bytes) -> Image:
    """The SBOM as an OCI artifact that refers to its image by ``subject``: no index, and the image stays as it is.

    OCI image specification 1.1, manifest.md, "Guidelines for artifact usage".
    """
    empty, content = blob(b"{}"), blob(sbom)
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": SBOM_TYPE,
        "config": descriptor(EMPTY_TYPE, empty),
        "layers": [descriptor(SBOM_TYPE, content)],
        "subject": {"mediaType": subject.media_type, "digest": subject.digest, "size": subject.size},
    }
    return Image((empty, content), document(manifest))


def reported_packages(report: str) -> list[Package]:
    """The packages in what `INVENTORY` printed inside an image."""
    return [Package(kind, name, version) for kind, name, version in json.loads(report)]


#: A Python program that prints what an image holds: [kind, name, version] for each package, as JSON.
INVENTORY = r"""
import importlib.metadata, json, pathlib
found = [["pypi", d.metadata["Name"], d.version] for d in importlib.metadata.distributions() if d.metadata["Name"]]
status = pathlib.Path("/var/lib/dpkg/status")
for paragraph in (status.read_text(errors="replace") if status.is_file() else "").split("\n\n"):
    fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and not line.startswith(" "))
    if fields.get("Status", "").endswith(" installed"):
        found.append(["deb", fields["Package"], fields["Version"]])
print(json.dumps(sorted(found)))
"""


def _name(name: str) -> str:
    """A package's name as PyPI compares it (packaging specification, "Names and normalization")."""
    return re.sub(r"[-_.]+", "-", name).lower()
