# SPDX-License-Identifier: GPL-3.0-or-later
"""What the images install is pinned, hashed, and agrees with what people edit."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement

REPOSITORY = Path(__file__).resolve().parents[3]
CONTEXT = REPOSITORY / "files" / "docker"
SOURCES = sorted(CONTEXT.glob("requirements-*.in"))

sys.path.insert(0, str(CONTEXT))

from lock import header, is_left_out, pins_of  # noqa: E402

PLATFORMS = [("x86_64", python) for python in ("3.11", "3.12", "3.13")] + [("aarch64", "3.11")]


def pins(path: Path) -> list[str]:
    return pins_of(path.read_text(encoding="utf-8"))


def wanted(source: Path) -> list[Requirement]:
    lines = (line.strip() for line in source.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def test_there_is_something_to_lock() -> None:
    assert "requirements-compiled.in" in {source.name for source in SOURCES}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_a_locked_file_was_made_from_the_source_as_it_is_now(source: Path) -> None:
    first = source.with_suffix(".txt").read_text(encoding="utf-8").splitlines(keepends=True)[0]
    assert first == header(source), f"{source.name} was edited: run make lock."


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_what_people_ask_for_is_what_is_locked(source: Path) -> None:
    locked = {}
    for pin in pins(source.with_suffix(".txt")):
        requirement = Requirement(pin.split("\\")[0].split(" #")[0].strip())
        locked[name(requirement.name)] = str(requirement.specifier)
    for requirement in wanted(source):
        assert locked[name(requirement.name)] == str(requirement.specifier), requirement


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_every_locked_package_is_pinned_with_hashes_and_names_no_host(source: Path) -> None:
    text = source.with_suffix(".txt").read_text(encoding="utf-8")
    assert "://" not in text
    for pin in pins(source.with_suffix(".txt")):
        assert re.match(r"[a-z0-9][a-z0-9._-]*==[0-9]", pin), pin
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", pin), pin
        assert not is_left_out(pin)


@pytest.mark.parametrize(("machine", "python"), PLATFORMS)
def test_the_lock_holds_on_every_processor_and_python(machine: str, python: str) -> None:
    environment = {"sys_platform": "linux", "platform_machine": machine, "python_full_version": f"{python}.0"}
    environment |= {"python_version": python, "platform_system": "Linux", "implementation_name": "cpython"}
    for source in SOURCES:
        there = set()
        for pin in pins(source.with_suffix(".txt")):
            requirement = Requirement(pin.split("\\")[0].split(" #")[0].strip())
            if requirement.marker is None or Marker(str(requirement.marker)).evaluate(environment):
                assert name(requirement.name) not in there, f"{requirement.name} is locked twice for {machine} {python}"
                there.add(name(requirement.name))
        assert {name(requirement.name) for requirement in wanted(source)} <= there


def test_torch_is_pinned_by_its_version_alone() -> None:
    lines = (CONTEXT / "requirements-torch.txt").read_text(encoding="utf-8").splitlines()
    (torch,) = [line for line in lines if line and not line.startswith("#")]
    assert re.fullmatch(r"torch==[0-9.]+", torch)


def test_the_labels_of_the_image_are_those_of_the_collection() -> None:
    galaxy = yaml.safe_load((REPOSITORY / "galaxy.yml").read_text(encoding="utf-8"))
    dockerfile = (CONTEXT / "Dockerfile.serve").read_text(encoding="utf-8")
    assert f"org.opencontainers.image.version={galaxy['version']} " in dockerfile
    assert f"org.opencontainers.image.source={galaxy['repository']} " in dockerfile


def test_the_role_installs_what_the_dockerfile_installs() -> None:
    variables = yaml.safe_load((REPOSITORY / "roles" / "image" / "vars" / "main.yml").read_text(encoding="utf-8"))
    dockerfile = (CONTEXT / "Dockerfile.serve").read_text(encoding="utf-8")
    for file in variables["image_requirements_by_runtime"]["toolkit"]:
        assert f"/requirements/{file}" in dockerfile
        assert (CONTEXT / file).is_file()
    assert "/requirements/requirements-$RUNTIME.txt" in dockerfile
