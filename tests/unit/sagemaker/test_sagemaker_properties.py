# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every specification, every history and every interruption."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.naming import (
    MAX_NAME_LENGTH,
    Kind,
    name_prefix,
    resource_name,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.outcome import (
    Outcome,
    outcome_from_tags,
    tag_value,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.spec import Wanted, wanted_from_options
from hypothesis import given, settings
from hypothesis import strategies as st
from sagemaker_simulator import NAME, Interrupted, Rollback, SimulatedSageMaker, check, deploy
from sagemaker_wanted import instance, options, serverless

# The simulation is quick, but the machine the tests run on may be busy with something else.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

endpoint_names = st.from_regex(re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", re.ASCII), fullmatch=True).filter(
    lambda name: len(name) <= MAX_NAME_LENGTH
)
kinds = st.sampled_from(["MODEL", "CONFIG"])
documents = st.dictionaries(st.text(max_size=8), st.one_of(st.text(max_size=8), st.integers()), max_size=4)

environments = st.dictionaries(
    st.sampled_from(["HF_TASK", "hf_task", "HfTask", "SERVING_MAX_TOKENS", "A"]), st.text(max_size=5), max_size=3
)
serverless_wanted = st.builds(
    serverless,
    memory_size_mb=st.sampled_from([1024, 4096]),
    max_concurrency=st.integers(1, 3),
    image_digest=st.sampled_from("abc"),
    environment=environments,
    keep_generations=st.integers(0, 3),
    replace=st.just(True),
    retry_failed=st.booleans(),
    tags=st.dictionaries(st.sampled_from(["team", "Team"]), st.sampled_from(["x", "y"]), max_size=1),
)
instance_wanted = st.builds(
    instance,
    initial_instance_count=st.integers(1, 2),
    image_digest=st.sampled_from("abc"),
    keep_generations=st.integers(0, 3),
    replace=st.just(True),
)


def several(count: int, weight: float, instance_type: str, scaled: bool, image_digest: str) -> Wanted:
    """One or two instance based variants, the first of them scaled or not."""
    bounds = {"min_capacity": 1, "max_capacity": 4, "target_value": 70.0}
    variants = [
        {
            "variant_name": name,
            "instance": {"instance_type": instance_type},
            "initial_variant_weight": weight,
            **({"autoscaling": bounds} if scaled and name == "AllTraffic" else {}),
        }
        for name in ("AllTraffic", "other")[:count]
    ]
    return wanted_from_options(options(image_digest, production_variants=variants, replace=True))


scaled_wanted = st.builds(
    several,
    count=st.integers(1, 2),
    weight=st.sampled_from([1.0, 2.0]),
    instance_type=st.sampled_from(["ml.m5.large", "ml.c5.large"]),
    scaled=st.booleans(),
    image_digest=st.sampled_from("ab"),
)
wishes = st.one_of(serverless_wanted, instance_wanted, scaled_wanted)


def registered(sagemaker: SimulatedSageMaker) -> set[str]:
    """The variants that an autoscaler owns."""
    return {target.rpartition("/")[2] for target in sagemaker.targets}


def to_be_registered(wanted: Wanted) -> set[str]:
    return {variant.variant_name for variant in wanted.config.variants if variant.autoscaling}


@given(endpoint_names, kinds, documents)
def test_a_name_is_one_that_sagemaker_takes(endpoint_name: str, kind: Kind, document: dict[str, Any]) -> None:
    name = resource_name(endpoint_name, kind, document)
    assert len(name) <= MAX_NAME_LENGTH
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)
    assert name.startswith(name_prefix(endpoint_name, kind))


@given(endpoint_names, endpoint_names, kinds, documents)
def test_two_endpoints_never_share_a_name(one: str, other: str, kind: Kind, document: dict[str, Any]) -> None:
    same = resource_name(one, kind, document) == resource_name(other, kind, document)
    assert same == (one == other)


@given(endpoint_names, kinds, documents)
def test_the_order_of_keys_does_not_matter(endpoint_name: str, kind: Kind, document: dict[str, Any]) -> None:
    turned = dict(reversed(list(document.items())))
    assert resource_name(endpoint_name, kind, document) == resource_name(endpoint_name, kind, turned)


@given(environments, environments)
def test_an_environment_counts_byte_for_byte(one: dict[str, str], other: dict[str, str]) -> None:
    same = serverless(environment=one).model_names[0] == serverless(environment=other).model_names[0]
    assert same == (one == other)


@given(st.text())
def test_any_reason_fits_a_tag(reason: str) -> None:
    value = tag_value(reason)
    assert len(value) <= 256
    assert re.fullmatch(r"[\w\s.:/=+\-@]*", value)


@given(
    st.sampled_from(["proven", "failed", "pending"]),
    st.just("2026-11-23T10:00:00.000Z"),
    st.sampled_from(["", "a-CONFIG-1"]),
    st.sampled_from(["", "2026-11-23T09:00:00.000Z"]),
)
def test_an_outcome_is_read_back_as_it_was_written(state: Any, at: str, previous: str, seen: str) -> None:
    outcome = Outcome(state, at, previous, seen) if state == "pending" else Outcome(state, at)
    assert outcome_from_tags(outcome.to_tags()) == outcome


@given(st.lists(wishes, min_size=1, max_size=6))
def test_any_history_ends_with_what_was_wanted_last(history: list[Wanted]) -> None:
    sagemaker = SimulatedSageMaker()
    for wanted in history:
        result = deploy(sagemaker, wanted)
        assert not result.get("failed"), result["msg"]
        assert sagemaker.status(NAME) == "InService"
        assert sagemaker.live(NAME) == wanted.config_name
        serving = sagemaker.configs[wanted.config_name]["ProductionVariants"][0]["ModelName"]
        assert sagemaker.models[serving]["PrimaryContainer"]["Environment"] == dict(wanted.models[0].environment)
        assert len(sagemaker.configs) <= wanted.keep_generations + 1
        assert registered(sagemaker) == to_be_registered(wanted)
        writing = len(sagemaker.writing_calls)
        assert deploy(sagemaker, wanted)["plan"] == []
        assert len(sagemaker.writing_calls) == writing


@given(st.lists(wishes, min_size=1, max_size=5))
def test_check_mode_foretells_the_run(history: list[Wanted]) -> None:
    sagemaker = SimulatedSageMaker()
    for wanted in history:
        writing = len(sagemaker.writing_calls)
        foretold = check(sagemaker, wanted)
        assert len(sagemaker.writing_calls) == writing
        result = deploy(sagemaker, wanted)
        assert (foretold["plan"], foretold["changed"]) == (result["plan"], result["changed"])


@given(st.lists(st.tuples(wishes, st.sampled_from(["good", "bad", "stuck"])), min_size=1, max_size=6), wishes)
def test_after_any_failures_a_good_specification_still_arrives(history: list[tuple[Wanted, str]], last: Wanted) -> None:
    sagemaker = SimulatedSageMaker()
    for wanted, fate in history:
        sagemaker.fate = [fate] if sagemaker.endpoints or fate != "stuck" else []
        deploy(sagemaker, wanted)
    sagemaker.fate = []
    result = deploy(sagemaker, last)
    if result.get("failed"):
        assert "retry_failed" in result["msg"]
    else:
        assert sagemaker.live(NAME) == last.config_name


@given(st.lists(wishes, max_size=3), wishes, st.integers(0, 60), st.sampled_from(["before", "after"]))
def test_a_run_killed_at_any_call_is_taken_up_by_the_next(
    history: list[Wanted], wanted: Wanted, call: int, when: str
) -> None:
    sagemaker = SimulatedSageMaker()
    for earlier in history:
        deploy(sagemaker, earlier)
    sagemaker.kill_at(call, when)
    with suppress(Interrupted):
        deploy(sagemaker, wanted)
    sagemaker.spare()
    result = deploy(sagemaker, wanted)
    assert not result.get("failed"), result["msg"]
    assert sagemaker.live(NAME) == wanted.config_name
    assert len(sagemaker.configs) <= wanted.keep_generations + 1
    assert registered(sagemaker) == to_be_registered(wanted)
    assert deploy(sagemaker, wanted)["plan"] == []


@given(st.lists(st.one_of(wishes, st.just(Rollback())), min_size=2, max_size=6), st.integers(0, 40))
def test_a_rollback_never_loses_what_serves_and_a_killed_one_is_finished(
    history: list[Wanted | Rollback], call: int
) -> None:
    sagemaker = SimulatedSageMaker()
    last: Wanted | None = None
    for wish in history:
        deploy(sagemaker, wish)
        last = wish if isinstance(wish, Wanted) else last
        if last is not None:
            assert sagemaker.status(NAME) == "InService"
            assert sagemaker.live(NAME) in sagemaker.configs
    before = set(sagemaker.configs)
    sagemaker.kill_at(call, "after")
    with suppress(Interrupted):
        deploy(sagemaker, Rollback())
    sagemaker.spare()
    sagemaker.settle()
    assert set(sagemaker.configs) == before
    if last is not None:
        assert sagemaker.live(NAME) in sagemaker.configs
        result = deploy(sagemaker, last)
        assert not result.get("failed"), result["msg"]
        assert sagemaker.live(NAME) == last.config_name
        assert deploy(sagemaker, last)["plan"] == []


@given(st.lists(wishes, min_size=1, max_size=3), st.integers(0, 60))
def test_a_removal_killed_at_any_call_is_taken_up_by_the_next(history: list[Wanted], call: int) -> None:
    sagemaker = SimulatedSageMaker()
    for earlier in history:
        deploy(sagemaker, earlier)
    sagemaker.kill_at(call, "after")
    with suppress(Interrupted):
        deploy(sagemaker, NAME)
    sagemaker.spare()
    deploy(sagemaker, NAME)
    assert (sagemaker.endpoints, sagemaker.configs, sagemaker.models) == ({}, {}, {})


@pytest.mark.parametrize("length", [1, 43, 44, 45, 62, 63])
def test_a_name_of_any_length_serves(length: int) -> None:
    sagemaker = SimulatedSageMaker()
    wanted = replace(serverless(), name="n" * length)
    assert not deploy(sagemaker, wanted).get("failed")
    assert deploy(sagemaker, wanted)["plan"] == []
