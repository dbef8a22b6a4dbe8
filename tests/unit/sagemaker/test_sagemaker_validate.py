# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before AWS is asked, and in which words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._sagemaker import validate, validate_endpoint
from sagemaker_wanted import NAME, options

DIGEST = "@sha256:" + "a" * 64
ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/x"


def said(sentences: list[str]) -> str:
    assert len(sentences) == 1, sentences
    return sentences[0]


def test_good_options_are_taken() -> None:
    assert validate_endpoint.endpoint(options(), region="eu-central-1") == []


def test_every_sentence_names_where_the_value_stands() -> None:
    bad = options(name="under_score", variant={"serverless": {"memory_size_mb": 1000, "max_concurrency": 0}})
    assert [sentence.split(":")[0] for sentence in validate_endpoint.endpoint(bad)] == [
        "name",
        "production_variants[0].serverless.memory_size_mb",
        "production_variants[0].serverless.max_concurrency",
    ]


def test_nothing_at_all_is_refused_in_sentences() -> None:
    assert len(validate_endpoint.endpoint({})) == 4


@pytest.mark.parametrize("name", ["a", "A-1", "a--b", "n" * 63])
def test_a_name_sagemaker_takes_is_taken(name: str) -> None:
    assert validate.endpoint_name(name, "name") == []


@pytest.mark.parametrize("name", ["", None, 5, "-a", "a-", "a_b", "a b", "ä", "n" * 64, "a\n"])
def test_a_name_sagemaker_refuses_is_refused(name: Any) -> None:
    assert said(validate.endpoint_name(name, "name")).startswith("name: ")


@pytest.mark.parametrize("memory", [1024, 2048, 3072, 4096, 5120, 6144])
def test_each_memory_size_that_aws_offers_is_taken(memory: int) -> None:
    assert validate.serverless({"memory_size_mb": memory, "max_concurrency": 1}, "sizes") == []


@pytest.mark.parametrize("memory", [0, 512, 1000, 7168, None, "2048", True])
def test_another_memory_size_is_refused_with_those_there_are(memory: Any) -> None:
    sentence = said(validate.serverless({"memory_size_mb": memory, "max_concurrency": 1}, "sizes"))
    assert "use 1024, 2048, 3072, 4096, 5120 or 6144" in sentence


@pytest.mark.parametrize(("concurrency", "fits"), [(1, True), (200, True), (0, False), (201, False), (True, False)])
def test_concurrency_is_between_1_and_200(concurrency: Any, fits: bool) -> None:
    sentences = validate.serverless({"memory_size_mb": 1024, "max_concurrency": concurrency}, "sizes")
    assert (sentences == []) == fits


@pytest.mark.parametrize(("provisioned", "fits"), [(None, True), (1, True), (5, True), (6, False), (0, False)])
def test_provisioned_concurrency_is_at_most_the_whole(provisioned: int | None, fits: bool) -> None:
    sizes = {"memory_size_mb": 1024, "max_concurrency": 5, "provisioned_concurrency": provisioned}
    assert (validate.serverless(sizes, "sizes") == []) == fits


@pytest.mark.parametrize(
    "variants",
    [
        None,
        [],
        "AllTraffic",
        [{"variant_name": "a"}],
        [{"variant_name": "a", "serverless": {"memory_size_mb": 1024, "max_concurrency": 1}, "instance": {"x": 1}}],
        [{"variant_name": "a", "instance": {"instance_type": "m5.large"}}],
        [{"variant_name": "a", "instance": {"instance_type": "ml.m5.large", "initial_instance_count": 0}}],
    ],
)
def test_production_variants_that_cannot_be_are_refused(variants: Any) -> None:
    assert said(validate.production_variants(variants, "production_variants")).startswith("production_variants")


@pytest.mark.parametrize(
    "image", [ECR + DIGEST, f"{ECR}:tag{DIGEST}", f"127.0.0.1:4566/x{DIGEST}", f"{ECR}/deep/er{DIGEST}"]
)
def test_an_image_by_digest_is_taken(image: str) -> None:
    assert validate.image(image, "image", region="eu-central-1") == []


def test_an_image_by_tag_is_refused_but_in_check_mode() -> None:
    assert "by tag" in said(validate.image(f"{ECR}:latest", "image"))
    assert (
        validate_endpoint.endpoint(options() | {"model": options()["model"] | {"image": f"{ECR}:x"}}, check_mode=True)
        == []
    )


@pytest.mark.parametrize("image", [None, "", "a b", f"{ECR}@sha256:abc", "x" * 200 + DIGEST])
def test_an_image_that_is_none_is_refused(image: Any) -> None:
    assert said(validate.image(image, "image")).startswith("image: ")


def test_an_image_of_another_region_is_refused() -> None:
    assert "only from its own region" in said(validate.image(ECR + DIGEST, "image", region="us-east-1"))


@pytest.mark.parametrize("arn", [None, "", "role", "arn:aws:iam::1:role/x", "arn:aws:iam::123456789012:user/x"])
def test_what_is_no_role_is_refused(arn: Any) -> None:
    assert "arn:aws:iam::123456789012:role/name" in said(validate.execution_role_arn(arn, "role"))


@pytest.mark.parametrize("arn", ["arn:aws:iam::123456789012:role/a", "arn:aws-cn:iam::123456789012:role/path/a+b"])
def test_a_role_is_taken(arn: str) -> None:
    assert validate.execution_role_arn(arn, "role") == []


@pytest.mark.parametrize(("url", "fits"), [(None, True), ("s3://bucket/m.tar.gz", True), ("s3://b/x", False)])
def test_an_artifact_is_an_s3_object(url: str | None, fits: bool) -> None:
    assert (validate.model_data_url(url, "url") == []) == fits


@pytest.mark.parametrize("url", ["https://bucket/x", "s3://bucket", "s3://bucket/", "s3://bucket/dir/", 3])
def test_what_is_no_s3_object_is_refused(url: Any) -> None:
    assert "s3://bucket/path/model.tar.gz" in said(validate.model_data_url(url, "url"))


@pytest.mark.parametrize("value", [1.0, True, None, ["a"], {"a": "b"}])
def test_a_value_yaml_would_change_is_asked_for_in_quotes(value: Any) -> None:
    assert "in quotes" in said(validate.environment({"KEY": value}, "environment"))


@pytest.mark.parametrize("key", ["", "1A", "A-B", "A B", "ä", "A" * 1025])
def test_a_key_that_is_no_variable_is_refused(key: str) -> None:
    assert "not a variable's name" in said(validate.environment({key: "x"}, "environment"))


@pytest.mark.parametrize(("length", "fits"), [(1024, True), (1025, False)])
def test_a_value_has_at_most_1024_characters(length: int, fits: bool) -> None:
    assert (validate.environment({"KEY": "x" * length}, "environment") == []) == fits


@pytest.mark.parametrize(("count", "fits"), [(100, True), (101, False)])
def test_an_environment_has_at_most_100_entries(count: int, fits: bool) -> None:
    assert (validate.environment({f"K{n}": "x" for n in range(count)}, "environment") == []) == fits


def test_an_environment_has_at_most_32_kilobytes() -> None:
    entries = {f"K{n:02}": "x" * 1021 for n in range(32)}
    assert validate.environment(entries, "environment") == []
    assert "SageMaker takes 32768" in said(validate.environment(entries | {"ONE_MORE": "x"}, "environment"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("HF_TOKEN", "x"),
        ("HUGGING_FACE_HUB_TOKEN", "x"),
        ("HUGGINGFACEHUB_API_TOKEN", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SESSION_TOKEN", "x"),
        ("db_password", "x"),
        ("OPENAI_API_KEY", "x"),
        ("CLIENT_SECRET", "x"),
        ("HARMLESS", "hf_" + "a" * 34),
        ("HARMLESS", "AKIA" + "A" * 16),
        ("HARMLESS", "-----BEGIN RSA PRIVATE KEY-----"),
    ],
)
def test_a_secret_is_refused_and_never_repeated(key: str, value: str) -> None:
    sentence = said(validate.environment({key: value}, "environment"))
    assert "Secrets Manager" in sentence
    assert len(value) < 2 or value not in sentence


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SERVING_MAX_TOKENS", "512"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("PAD_TOKEN", "0"),
        ("KEY", "x"),
        ("DB_PASSWORD_ARN", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db"),
        ("HF_TOKEN", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:hf"),
        ("HF_MODEL_ID", "distilbert/distilbert-base-uncased"),
        ("KEYBOARD_LAYOUT", "de"),
    ],
)
def test_what_only_sounds_like_a_secret_is_taken(key: str, value: str) -> None:
    assert validate.environment({key: value}, "environment") == []


@pytest.mark.parametrize("tags", [{}, None, {"Cost-Center": "42"}, {"modelhost:stage": "prod"}, {"a": 1}])
def test_tags_are_taken(tags: Any) -> None:
    assert validate.tags(tags, "tags") == []


@pytest.mark.parametrize(
    "tags",
    [
        {"aws:x": "y"},
        {"modelhost:endpoint": NAME},
        {"a": "x" * 257},
        {"": "x"},
        {"a": "b;c"},
        {"a": None},
        {f"k{n}": "" for n in range(47)},
    ],
)
def test_tags_aws_or_the_module_cannot_keep_are_refused(tags: Any) -> None:
    assert said(validate.tags(tags, "tags")).startswith("tags")


@pytest.mark.parametrize(("keep", "fits"), [(None, True), (0, True), (20, True), (-1, False), (21, False)])
def test_generations_kept_are_0_to_20(keep: int | None, fits: bool) -> None:
    assert (validate.keep_generations(keep, "keep_generations") == []) == fits


def test_the_checks_need_neither_boto3_nor_ansible() -> None:
    program = (
        "import importlib.util, sys; before = set(sys.modules);"
        f"spec = importlib.util.spec_from_file_location('validate', {str(Path(validate.__file__))!r});"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module);"
        "print(any(name.split('.')[0] in ('boto3', 'botocore', 'ansible', 'ansible_collections')"
        " for name in set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
