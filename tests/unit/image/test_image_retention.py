# SPDX-License-Identifier: GPL-3.0-or-later
"""An image stays as long as a retained Model refers to it, and not longer."""

from __future__ import annotations

from ansible_collections.modelhost.sagemaker.plugins.module_utils._image.retention import (
    EcrImage,
    plan_retention,
    protecting_tag,
    sbom_tag,
)
from hypothesis import given
from hypothesis import strategies as st

LIVE, OLD, FOREIGN, SBOM = ("sha256:" + letter * 64 for letter in "abcd")

digests = st.sampled_from(["sha256:" + letter * 64 for letter in "0123456789"])
tags = st.lists(st.sampled_from(["latest", "context-1", "context-2", "v1"]), unique=True)
images = st.lists(st.builds(EcrImage, digests, tags.map(tuple)), unique_by=lambda image: image.digest)


def test_an_image_in_use_gets_a_tag_that_never_moves() -> None:
    plan = plan_retention([EcrImage(LIVE, ("context-1", "latest"))], {LIVE})
    assert plan.protect == ((LIVE, protecting_tag(LIVE)),)
    assert plan.delete == ()


def test_an_image_that_nothing_refers_to_is_deleted() -> None:
    assert plan_retention([EcrImage(OLD, ("context-0",))], {LIVE}).delete == (OLD,)


def test_an_image_of_somebody_else_is_left_alone() -> None:
    assert plan_retention([EcrImage(FOREIGN, ("v1",)), EcrImage(OLD, ())], {LIVE}).delete == ()


def test_the_sbom_of_a_kept_image_is_kept() -> None:
    there = [EcrImage(LIVE, ("context-1",)), EcrImage(SBOM, (sbom_tag(LIVE),))]
    assert plan_retention(there, {LIVE}).delete_sboms == ()


def test_the_sbom_of_a_deleted_image_is_deleted_with_it() -> None:
    there = [EcrImage(OLD, ("context-0",)), EcrImage(SBOM, (sbom_tag(OLD),))]
    plan = plan_retention(there, {LIVE})
    assert (plan.delete, plan.delete_sboms) == ((OLD,), (SBOM,))
    assert plan.sentences()[0].startswith("delete SBOM")


def test_the_sbom_that_an_interrupted_run_left_behind_is_deleted() -> None:
    assert plan_retention([EcrImage(SBOM, (sbom_tag(OLD),))], {LIVE}).delete_sboms == (SBOM,)


def test_the_sbom_of_somebody_elses_image_is_left_alone() -> None:
    there = [EcrImage(FOREIGN, ("v1",)), EcrImage(SBOM, (sbom_tag(FOREIGN),))]
    assert plan_retention(there, set()).sentences() == []


@given(images, st.sets(digests))
def test_nothing_in_use_is_ever_deleted(there: list[EcrImage], keep: set[str]) -> None:
    assert not set(plan_retention(there, keep).delete) & keep


@given(images, st.sets(digests))
def test_a_second_run_has_nothing_to_do(there: list[EcrImage], keep: set[str]) -> None:
    plan = plan_retention(there, keep)
    more = dict(plan.protect)
    after = [
        EcrImage(image.digest, (*image.tags, *([more[image.digest]] if image.digest in more else [])))
        for image in there
        if image.digest not in plan.delete
    ]
    assert plan_retention(after, keep).sentences() == []
