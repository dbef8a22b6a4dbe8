# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations of variants that an autoscaler owns."""

from __future__ import annotations

from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.scaling import scaling_by_variant
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker.spec import Wanted, wanted_from_options
from sagemaker_simulator import NAME, Rollback, SimulatedSageMaker, deploy
from sagemaker_wanted import options

BOUNDS = {"min_capacity": 1, "max_capacity": 4, "target_value": 70.0}
VARIANT = {"instance": {"instance_type": "ml.m5.large"}, "autoscaling": BOUNDS}
TARGET = f"endpoint/{NAME}/variant/AllTraffic"


def scaled(image_digest: str = "a", instance_type: str = "ml.m5.large", **bounds: Any) -> Wanted:
    variant = {"instance": {"instance_type": instance_type}, "autoscaling": {**BOUNDS, **bounds}}
    return wanted_from_options(options(image_digest, variant=variant))


def fixed(image_digest: str = "a", instance_type: str = "ml.m5.large") -> Wanted:
    return wanted_from_options(options(image_digest, variant={"instance": {"instance_type": instance_type}}))


def register_by_hand(sagemaker: SimulatedSageMaker) -> None:
    dimension = "sagemaker:variant:DesiredInstanceCount"
    facts = {"ResourceId": TARGET, "ScalableDimension": dimension, "MinCapacity": 1, "MaxCapacity": 9}
    sagemaker.targets[TARGET] = facts


def test_a_variant_is_registered_once_it_serves(sagemaker: SimulatedSageMaker) -> None:
    result = deploy(sagemaker, scaled())
    assert sagemaker.targets[TARGET]["MaxCapacity"] == 4
    assert sagemaker.policies[0]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 70.0
    calls = sagemaker.writing_calls
    assert calls.index("create_endpoint") < calls.index("register_scalable_target") < calls.index("put_scaling_policy")
    assert result["plan"][-3:-1] == [
        f"scale variant AllTraffic of Endpoint {NAME} from 1 to 4 instances",
        "scale variant AllTraffic so that SageMakerVariantInvocationsPerInstance stays near 70",
    ]


def test_an_unchanged_run_makes_six_reading_calls_and_no_other(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, scaled())
    sagemaker.calls.clear()
    assert deploy(sagemaker, scaled())["plan"] == []
    assert sagemaker.calls == [
        "describe_endpoint",
        "list_tags",
        "describe_endpoint_config",
        "describe_model",
        "describe_scalable_targets",
        "describe_scaling_policies",
    ]


def test_a_rotation_keeps_the_count_that_the_autoscaler_set(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, scaled("a"))
    sagemaker.calls.clear()
    deploy(sagemaker, scaled("b"))
    assert sagemaker.updates[-1]["RetainAllVariantProperties"] is True
    kinds = [each["VariantPropertyType"] for each in sagemaker.updates[-1]["ExcludeRetainedVariantProperties"]]
    assert kinds == ["DesiredWeight", "DataCaptureConfig"]
    assert "deregister_scalable_target" not in sagemaker.calls
    assert "register_scalable_target" not in sagemaker.calls


def test_another_instance_type_goes_through(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, scaled())
    result = deploy(sagemaker, scaled(instance_type="ml.c5.large"))
    assert not result.get("failed")
    assert sagemaker.targets[TARGET]["MaxCapacity"] == 4
    assert len(sagemaker.policies) == 1
    assert sagemaker.updates[-1]["RetainAllVariantProperties"] is True


def test_other_bounds_or_another_target_rotate_nothing(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, scaled())
    sagemaker.calls.clear()
    deploy(sagemaker, scaled(max_capacity=8, target_value=90.0))
    assert sagemaker.writing_calls == ["register_scalable_target", "put_scaling_policy"]
    assert sagemaker.targets[TARGET]["MaxCapacity"] == 8
    assert sagemaker.policies[0]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 90.0


def test_a_variant_that_is_to_have_a_fixed_size_is_deregistered(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, scaled())
    sagemaker.calls.clear()
    deploy(sagemaker, fixed())
    assert sagemaker.writing_calls == ["deregister_scalable_target"]
    assert sagemaker.targets == {}


def test_what_somebody_else_registered_keeps_its_count_and_stays(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, fixed("a"))
    register_by_hand(sagemaker)
    assert not deploy(sagemaker, fixed("b")).get("failed")
    assert sagemaker.updates[-1]["RetainAllVariantProperties"] is True
    assert TARGET in sagemaker.targets


def test_an_instance_type_that_somebody_elses_registration_forbids_is_said_so(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, fixed())
    register_by_hand(sagemaker)
    writing = len(sagemaker.writing_calls)
    result = deploy(sagemaker, fixed(instance_type="ml.c5.large"))
    assert result["failed"]
    assert "registered with Application Auto Scaling by somebody else" in result["msg"]
    assert len(sagemaker.writing_calls) == writing


def test_a_removal_deregisters_first(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, scaled())
    sagemaker.calls.clear()
    deploy(sagemaker, NAME)
    assert sagemaker.writing_calls[:2] == ["deregister_scalable_target", "delete_endpoint"]
    assert sagemaker.targets == {}


def test_what_an_earlier_endpoint_left_registered_does_not_scale_the_new_one(sagemaker: SimulatedSageMaker) -> None:
    register_by_hand(sagemaker)
    result = deploy(sagemaker, fixed())
    assert sagemaker.targets == {}
    assert (
        f"stop scaling variant AllTraffic of Endpoint {NAME}: an earlier endpoint of that name left it"
        in result["plan"]
    )


def test_variants_of_a_fixed_size_beside_a_scaled_one_get_theirs(sagemaker: SimulatedSageMaker) -> None:
    def of(count: int) -> Wanted:
        sizes = {"instance_type": "ml.m5.large", "initial_instance_count": count}
        variants = [
            {"variant_name": "AllTraffic", "instance": {"instance_type": "ml.m5.large"}, "autoscaling": BOUNDS},
            {"variant_name": "fixed", "instance": sizes},
        ]
        return wanted_from_options(options(production_variants=variants))

    deploy(sagemaker, of(1))
    sagemaker.endpoints[NAME]["ProductionVariants"] = [
        {"VariantName": "AllTraffic", "DesiredInstanceCount": 3},
        {"VariantName": "fixed", "DesiredInstanceCount": 1},
    ]
    result = deploy(sagemaker, of(2))
    assert not result.get("failed")
    counts = {
        each["VariantName"]: each["DesiredInstanceCount"] for each in sagemaker.endpoints[NAME]["ProductionVariants"]
    }
    assert counts["fixed"] == 2
    assert deploy(sagemaker, of(2))["plan"] == []


def test_a_rollback_to_another_instance_type_scales_again_as_before(sagemaker: SimulatedSageMaker) -> None:
    deploy(sagemaker, scaled())
    deploy(sagemaker, scaled(instance_type="ml.c5.large"))
    result = deploy(sagemaker, Rollback(scaling=scaling_by_variant(options(variant=VARIANT)["production_variants"])))
    assert not result.get("failed"), result["msg"]
    assert sagemaker.live(NAME) == scaled().config_name
    assert sagemaker.targets[TARGET]["MaxCapacity"] == 4
    assert len(sagemaker.policies) == 1
