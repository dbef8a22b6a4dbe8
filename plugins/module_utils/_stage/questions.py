# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions that make a stage, in their order. Pure: which one comes next depends on the answers so far alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.modelhost.sagemaker.plugins.module_utils._stage.finding import Finding

Answers = Mapping[str, Any]


@dataclass(frozen=True)
class Question:
    """One question. ``key`` is the setting it answers; ``applies`` says whether the answers so far leave it open."""

    key: str
    text: str
    default: str = ""
    applies: Callable[[Answers], bool] = lambda answers: True


def _local(answers: Answers) -> bool:
    return bool(answers.get("local_cloud_enabled"))


def _serverless(answers: Answers) -> bool:
    return answers.get("model_serving_endpoint_type") == "serverless"


QUESTIONS = (
    Question("stage_name", "Name of the new stage (it becomes a directory in inventories)"),
    Question("local_cloud_enabled", "On an AWS emulated on this machine (yes), or on AWS itself (no)", "no"),
    Question("stage_region", "AWS region", "us-east-1", lambda a: not _local(a)),
    Question(
        "stage_account_id",
        "AWS account the stage belongs to, 12 digits, or nothing for any",
        "",
        lambda a: not _local(a),
    ),
    Question("model_serving_model_s3_path", "Model artifact in S3 (s3://…/model.tar.gz), or nothing"),
    Question(
        "model_serving_model_id",
        "Model on the Hugging Face hub, or nothing for the demonstration model",
        "",
        lambda a: not a.get("model_serving_model_s3_path"),
    ),
    Question(
        "model_serving_model_revision",
        "Commit of that model (a branch is resolved anew by each deploy)",
        "main",
        lambda a: bool(a.get("model_serving_model_id")),
    ),
    Question("model_serving_task", "What the model does, in transformers' terms", "text-classification"),
    Question(
        "model_serving_model_delivery",
        "How the model comes to the endpoint: s3, image (wakes up soonest) or hub (fetched at each start)",
        "s3",
        lambda a: not a.get("model_serving_model_s3_path"),
    ),
    Question(
        "model_serving_hub_token_secret_id",
        "Secret in AWS Secrets Manager with a token for a private or gated model, or nothing",
        "",
        lambda a: bool(a.get("model_serving_model_id")) and a.get("model_serving_model_delivery") != "hub",
    ),
    Question("model_serving_endpoint_type", "Kind of endpoint: serverless or instance", "serverless"),
    Question(
        "model_serving_serverless_memory_size_mb", "Memory in MB, 1024 to 6144 in steps of 1024", "4096", _serverless
    ),
    Question("model_serving_serverless_max_concurrency", "Requests it works on at once, 1 to 200", "2", _serverless),
    Question("model_serving_instance_type", "Instance type", "ml.m5.large", lambda a: not _serverless(a)),
    Question("model_serving_instance_count", "Number of instances", "1", lambda a: not _serverless(a)),
)


def problems_so_far(findings: Iterable[Finding], answers: Answers) -> list[Finding]:
    """The findings about what is answered already. What a later question asks for may be missing until then."""
    return [finding for finding in findings if finding.key in answers]


def next_question(answers: Answers) -> Question | None:
    """The first question that is open and applies; None where the stage is complete."""
    return next((question for question in QUESTIONS if question.key not in answers and question.applies(answers)), None)
