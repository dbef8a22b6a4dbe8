# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be refused before AWS is asked.

Each check takes a plain value and where it was written, and returns sentences: what is wrong, and what would be right.
An empty list means that nothing is wrong. Only the standard library is used, so that a stage file can be checked by
plain Python with the very rules of the module. Limits are those of SageMaker's API model and quota pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeGuard

MEMORY_SIZES_MB = (1024, 2048, 3072, 4096, 5120, 6144)
MAX_SERVERLESS_CONCURRENCY = 200
MAX_ENVIRONMENT_ENTRIES = 100
MAX_ENVIRONMENT_TEXT = 1024
MAX_ENVIRONMENT_BYTES = 32 * 1024
MAX_IMAGE_LENGTH = 255
MAX_TAGS = 50
MAX_VARIANTS = 10
#: Tags that the module keeps on what it makes (outcome.RESERVED_TAGS); they count among the 50.
OWN_TAGS = 5

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_ENVIRONMENT_KEY = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
_INSTANCE_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")
_ECR_HOST = re.compile(r"(?P<account>\d{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}")
_S3_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/\S+")
_TAG_TEXT = re.compile(r"[\w\s.:/=+\-@]*")
_RESERVED_TAG = re.compile(r"(aws:.*|modelhost:(endpoint|outcome|reason|retention|rolled-back))", re.IGNORECASE)

_SECRET_WORDS = frozenset({"SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "CREDENTIALS"})
_SECRET_PAIRS = (("API", "KEY"), ("ACCESS", "KEY"), ("PRIVATE", "KEY"), ("AUTH", "TOKEN"), ("API", "TOKEN"))
_SECRET_NAMES = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"})
_SECRET_VALUE = re.compile(
    r"hf_[A-Za-z0-9]{20,}|(AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{30,}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_REFERENCE_ENDINGS = frozenset({"ARN", "NAME", "ID", "PATH", "FILE", "URL"})


def model(
    value: Mapping[str, Any], where: str, *, region: str | None = None, digest_required: bool = True
) -> list[str]:
    """Check what a SageMaker Model is to hold."""
    return [
        *image(value.get("image"), f"{where}.image", region=region, digest_required=digest_required),
        *execution_role_arn(value.get("execution_role_arn"), f"{where}.execution_role_arn"),
        *model_data_url(value.get("model_data_url"), f"{where}.model_data_url"),
        *environment(value.get("environment"), f"{where}.environment"),
    ]


def endpoint_name(value: Any, where: str) -> list[str]:
    """Check a name that SageMaker gives a pattern: endpoint, variant, Model, EndpointConfig."""
    if not isinstance(value, str) or not value:
        return [f"{where}: a name is needed."]
    if len(value) > 63:
        return [f"{where}: '{value}' has {len(value)} characters; SageMaker takes 63 at most."]
    if not _NAME.fullmatch(value):
        return [
            f"{where}: '{value}' is not a name SageMaker takes. Use letters, digits and hyphens, no underscore, "
            "and neither start nor end with a hyphen."
        ]
    return []


def production_variants(value: Any, where: str) -> list[str]:
    """Check the sizes of a list of variants."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return [f"{where}: one production variant is needed, either serverless or instance based."]
    if len(value) > MAX_VARIANTS:
        return [f"{where}: {len(value)} variants are given; SageMaker takes {MAX_VARIANTS} at most."]
    problems: list[str] = []
    for index, variant in enumerate(value):
        at = f"{where}[{index}]"
        problems += endpoint_name(variant.get("variant_name"), f"{at}.variant_name")
        sizes, instances = variant.get("serverless"), variant.get("instance")
        if bool(sizes) == bool(instances):
            problems.append(f"{at}: give either 'serverless' or 'instance', and not both.")
        elif sizes:
            problems += serverless(sizes, f"{at}.serverless")
        else:
            problems += instance(instances, f"{at}.instance")
    return problems


def serverless(value: Mapping[str, Any], where: str) -> list[str]:
    """Check the sizes of a serverless variant: memory in MB, concurrency in requests."""
    problems: list[str] = []
    memory = value.get("memory_size_mb")
    if memory not in MEMORY_SIZES_MB:
        sizes = ", ".join(str(size) for size in MEMORY_SIZES_MB[:-1])
        problems.append(f"{where}.memory_size_mb: {memory} is not offered; use {sizes} or {MEMORY_SIZES_MB[-1]}.")
    most = value.get("max_concurrency")
    if not is_whole(most) or not 1 <= most <= MAX_SERVERLESS_CONCURRENCY:
        problems.append(f"{where}.max_concurrency: {most} is out of range; use 1 to {MAX_SERVERLESS_CONCURRENCY}.")
        return problems
    provisioned = value.get("provisioned_concurrency")
    if provisioned is not None and (not is_whole(provisioned) or not 1 <= provisioned <= most):
        problems.append(
            f"{where}.provisioned_concurrency: {provisioned} is out of range; use 1 to {most} (max_concurrency), "
            "or leave it out to keep nothing warm."
        )
    return problems


def instance(value: Mapping[str, Any], where: str) -> list[str]:
    """Check the sizes of an instance based variant."""
    problems: list[str] = []
    kind = value.get("instance_type")
    if not isinstance(kind, str) or not _INSTANCE_TYPE.fullmatch(kind):
        problems.append(f"{where}.instance_type: '{kind}' is not a SageMaker instance type such as ml.m5.large.")
    count = value.get("initial_instance_count")
    if count is not None and (not is_whole(count) or count < 1):
        problems.append(f"{where}.initial_instance_count: {count} is out of range; use 1 or more.")
    return problems


def image(value: Any, where: str, *, region: str | None = None, digest_required: bool = True) -> list[str]:
    """Check an image reference. A tag can move without any name changing, so only a digest is deployed."""
    if not isinstance(value, str) or not value:
        return [f"{where}: an image is needed, such as <account>.dkr.ecr.<region>.amazonaws.com/<repository>@sha256:…"]
    if re.search(r"\s", value):
        return [f"{where}: '{value}' contains white space."]
    if len(value) > MAX_IMAGE_LENGTH:
        return [f"{where}: the reference has {len(value)} characters; SageMaker takes {MAX_IMAGE_LENGTH} at most."]
    problems: list[str] = []
    if "@" in value and not re.search(_DIGEST.pattern + "$", value):
        problems.append(f"{where}: '{value}' does not end in a digest, '@sha256:' and 64 hexadecimal characters.")
    elif digest_required and "@" not in value:
        problems.append(
            f"{where}: '{value}' names an image by tag. A tag can move and the change would not be noticed; "
            "name it by digest, <repository>@sha256:…"
        )
    host = _ECR_HOST.match(value)
    if host and region and host["region"] != region:
        problems.append(
            f"{where}: the image is in {host['region']} and the endpoint is to be in {region}; SageMaker pulls only "
            "from its own region."
        )
    return problems


def execution_role_arn(value: Any, where: str) -> list[str]:
    """Check the ARN of the role that SageMaker takes to pull the image and write logs."""
    if not isinstance(value, str) or not _ROLE_ARN.fullmatch(value):
        return [f"{where}: '{value}' is not the ARN of a role, such as arn:aws:iam::123456789012:role/name."]
    return []


def model_data_url(value: Any, where: str) -> list[str]:
    """Check where the model artifact lies: one S3 object, a gzipped tar."""
    if not value:
        return []
    if not isinstance(value, str) or not _S3_URL.fullmatch(value) or value.endswith("/"):
        return [f"{where}: '{value}' is not an S3 object, such as s3://bucket/path/model.tar.gz."]
    return []


def environment(value: Mapping[str, Any] | None, where: str) -> list[str]:
    """Check the container's environment: counts, lengths, and that no secret is written into it."""
    problems: list[str] = []
    entries = value or {}
    if len(entries) > MAX_ENVIRONMENT_ENTRIES:
        problems.append(f"{where}: {len(entries)} entries; SageMaker takes {MAX_ENVIRONMENT_ENTRIES} at most.")
    total = 0
    for key, item in entries.items():
        if not isinstance(item, str) and not is_whole(item):
            problems.append(f"{where}.{key}: {item!r} is not text; put it in quotes, as the container is to see it.")
            continue
        text = str(item)
        total += len(str(key).encode()) + len(text.encode())
        problems += _environment_entry(str(key), text, where)
    if total > MAX_ENVIRONMENT_BYTES:
        problems.append(f"{where}: {total} bytes in all; SageMaker takes {MAX_ENVIRONMENT_BYTES} at most.")
    return problems


def _environment_entry(key: str, text: str, where: str) -> list[str]:
    if not _ENVIRONMENT_KEY.fullmatch(key) or len(key) > MAX_ENVIRONMENT_TEXT:
        return [f"{where}: '{key[:80]}' is not a variable's name; use letters, digits and underscores."]
    if len(text) > MAX_ENVIRONMENT_TEXT:
        return [f"{where}.{key}: {len(text)} characters; SageMaker takes {MAX_ENVIRONMENT_TEXT} at most."]
    if is_secret(key, text):
        return [
            f"{where}.{key}: this looks like a secret, and everyone who may describe the Model can read its "
            "environment. Keep it in Secrets Manager, give the execution role the right to read it, and name the "
            f"secret's ARN in {key}_ARN."
        ]
    return []


def is_secret(key: str, text: str) -> bool:
    """Whether a variable must not be written into an environment: by its name, unless it only refers, or its value."""
    if _SECRET_VALUE.search(text):
        return True
    return not text.startswith("arn:aws") and has_secret_name(key)


def has_secret_name(key: str) -> bool:
    """Whether a variable's name says that its value is a secret, as in DB_PASSWORD; DB_PASSWORD_ARN only refers to one.

    Whole words count, so MAX_TOKENS, PAD_TOKEN and TOKENIZERS_PARALLELISM are harmless.
    """
    words = key.upper().split("_")
    if words[-1] in _REFERENCE_ENDINGS and key.upper() != "AWS_ACCESS_KEY_ID":
        return False
    neighbours = set(pairwise(words))
    return (
        key.upper() in _SECRET_NAMES
        or not _SECRET_WORDS.isdisjoint(words)
        or any(pair in neighbours for pair in _SECRET_PAIRS)
    )


def keep_generations(value: Any, where: str) -> list[str]:
    """Check how many earlier generations are kept."""
    if value is not None and (not is_whole(value) or not 0 <= value <= 20):
        return [f"{where}: {value} is out of range; use 0 (keep only the live one) to 20."]
    return []


def tags(value: Mapping[str, Any] | None, where: str) -> list[str]:
    """Check tags: SageMaker takes 50, and the module needs some of them for itself."""
    entries = value or {}
    problems: list[str] = []
    if len(entries) > MAX_TAGS - OWN_TAGS:
        problems.append(f"{where}: {len(entries)} tags; {MAX_TAGS - OWN_TAGS} is the most next to the module's own.")
    for key, item in entries.items():
        if not isinstance(item, str) and not is_whole(item):
            problems.append(f"{where}.{key}: {item!r} is not text; put it in quotes.")
        elif _RESERVED_TAG.fullmatch(str(key)):
            problems.append(f"{where}: the key '{key}' is reserved; choose another.")
        elif not 1 <= len(str(key)) <= 128 or not _TAG_TEXT.fullmatch(str(key)):
            problems.append(f"{where}: '{str(key)[:80]}' is not a tag's key; use letters, digits, space and _.:/=+-@.")
        elif len(str(item)) > 256 or not _TAG_TEXT.fullmatch(str(item)):
            problems.append(f"{where}.{key}: not a tag's value; use at most 256 letters, digits, space and _.:/=+-@.")
    return problems


def is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
