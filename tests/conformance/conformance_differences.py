# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the local cloud and moto 5.2.5 differ, by the test that shows it. An entry that is not true fails its test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """moto: what moto does instead of what the test says; right: who does what AWS documents.

    only: parts of the parameters of the cases that differ, where some do not.
    """

    moto: str
    right: str = "the local cloud"
    only: tuple[str, ...] = ()


_TAKES_ALL = Difference("takes it: it does not check lengths, ranges, enums or patterns")
_SINGLE_QUOTES = Difference("puts the ARN in single quotes")
_NO_WEIGHT = Difference("has no weight for a variant that named none")
_NO_FILTER = Difference("ignores it for Models", only=("models",))
_ASCENDING = Difference("answers the oldest first, and Models unfiltered")

DIFFERENCES: dict[str, Difference] = {
    # Models
    "test_an_arn_has_the_name_in_lower_case": Difference("keeps the name's capitals in the ARN"),
    "test_a_model_says_that_it_holds_a_single_model": Difference("leaves Mode out"),
    "test_a_duplicate_model_is_refused": Difference("replaces the Model"),
    "test_names_differ_by_more_than_case": Difference("tells names that differ by case from each other"),
    "test_a_model_that_is_not_there_could_not_be_found": _SINGLE_QUOTES,
    "test_a_models_name_is_63_letters_digits_and_hyphens": _TAKES_ALL,
    "test_an_execution_role_that_is_not_there_is_refused": Difference("does not look for the role"),
    "test_an_execution_role_is_an_iam_role": _TAKES_ALL,
    "test_an_artifact_that_is_not_there_is_refused": Difference("does not look for the artifact"),
    "test_an_image_that_is_not_there_is_refused": Difference("does not look for the image"),
    "test_an_image_of_another_registry_is_refused": Difference("does not look at the image's registry"),
    "test_an_environment_has_100_entries_of_1024_characters": _TAKES_ALL,
    "test_the_environments_of_a_model_are_32_kb_in_all": Difference("takes environments of any size"),
    "test_a_pipeline_has_15_containers_at_most": _TAKES_ALL,
    "test_a_container_has_an_image_or_a_model_package": Difference("takes a container without either"),
    "test_a_vpc_config_has_subnets_and_security_groups": Difference("forgets EnableNetworkIsolation"),
    # Endpoint configurations
    "test_a_variants_weight_defaults_to_one": Difference("leaves InitialVariantWeight out"),
    "test_a_config_that_is_not_there_could_not_be_found": _SINGLE_QUOTES,
    "test_a_duplicate_config_is_refused": Difference("replaces the configuration"),
    "test_a_variants_model_has_to_be_there": _SINGLE_QUOTES,
    "test_the_names_of_variants_are_unique": Difference("takes two variants of one name"),
    "test_a_config_has_one_to_ten_variants": _TAKES_ALL,
    "test_an_instance_type_is_one_of_those_for_hosting": Difference("refuses it by an older list, in other words"),
    "test_a_variants_members_have_limits": _TAKES_ALL,
    "test_a_variant_has_instances_or_a_serverless_config": Difference(
        "takes one without a count, and one that is both"
    ),
    "test_serverless_concurrency_has_limits": Difference("does not check the concurrency"),
    "test_data_capture_is_kept_with_its_limits": _TAKES_ALL,
    "test_a_kms_key_is_kept": _TAKES_ALL,
    # Endpoints
    "test_an_endpoint_that_is_not_there_could_not_be_found": _SINGLE_QUOTES,
    "test_an_endpoints_config_has_to_be_there": _SINGLE_QUOTES,
    "test_a_duplicate_endpoint_is_refused": Difference("replaces the endpoint"),
    "test_an_endpoints_times_move": Difference("has no UpdateEndpoint: it answers 500"),
    "test_an_endpoint_is_created_and_then_in_service": _NO_WEIGHT,
    "test_weights_and_capacities_are_changed": _NO_WEIGHT,
    # Lists
    "test_a_list_has_what_the_name_contains_and_the_newest_first": _ASCENDING,
    "test_a_list_is_sorted_by_name": _NO_FILTER,
    "test_a_list_goes_down_unless_told_otherwise": _ASCENDING,
    "test_a_list_is_sorted_by_creation_time": _NO_FILTER,
    "test_pages_make_up_the_list": _ASCENDING,
    "test_a_page_has_ten_unless_told_otherwise": Difference("answers all Models on one page"),
    "test_a_lists_parameters_have_limits": _TAKES_ALL,
    "test_a_token_of_no_list_is_refused": Difference("ignores it for Models, and answers InvalidToken elsewhere"),
    "test_a_list_is_limited_by_creation_time": _ASCENDING,
    "test_endpoints_are_limited_by_status": Difference("takes any status"),
    # Tags
    "test_a_key_is_given_once": Difference("keeps both"),
    "test_a_resource_has_50_tags_at_most": _TAKES_ALL,
    "test_keys_of_awss_own_are_refused": Difference("takes them"),
    "test_a_tags_key_and_value_have_limits": _TAKES_ALL,
    "test_a_page_of_tags_has_50_or_more": _TAKES_ALL,
    "test_what_is_not_there_has_no_tags": Difference("answers 500"),
    "test_an_arn_is_one_of_sagemakers": Difference("answers 500"),
    # The protocol
    "test_an_operation_that_does_not_exist_is_unknown": Difference("answers 500 or 404"),
    "test_a_body_that_is_no_json_object_is_refused_without_words": Difference(
        "reads it as no parameters, or answers 500"
    ),
    "test_a_value_of_the_wrong_type_is_told_in_the_frameworks_words": Difference("takes it as text, or answers 500"),
    "test_a_member_that_is_missing_or_null_must_not_be": Difference('reads it as "None"'),
}


def difference_of(item: str) -> Difference | None:
    """The entry of a case that runs on moto. item: the test's name with its parameters, such as "test_x[moto-y]"."""
    name, _, parameters = item.partition("[moto")
    difference = DIFFERENCES.get(name)
    if difference is None or (difference.only and not any(part in parameters for part in difference.only)):
        return None
    return difference
