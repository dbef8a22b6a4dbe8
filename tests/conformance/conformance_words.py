# SPDX-License-Identifier: GPL-3.0-or-later
"""Which refusals are in AWS's words, and where they are quoted; the others are in our own."""

from __future__ import annotations

import ast
from pathlib import Path

SAGEMAKER = Path(__file__).parents[2] / "files" / "local_cloud" / "local_cloud" / "sagemaker"
FILES = (
    "arns",
    "endpoint_configs",
    "endpoints",
    "lifecycle",
    "listing",
    "models",
    "../aws/json_service",
    "rules",
    "tags",
    "update_rules",
    "variant_rules",
)

# How a refusal begins, with … for what varies -> where AWS is quoted.
AWS_WORDS = {
    'Could not find … "…".': "aws/amazon-sagemaker-operator-for-k8s, clientwrapper",
    'Cannot create already existing … "…".': "astronomer/astronomer-providers #1055, aws/sagemaker-python-sdk #101",
    'Cannot update in-progress endpoint "…".': "aws/amazon-sagemaker-operator-for-k8s, clientwrapper",
    'The execution role ARN "…" is invalid.': "bentoml/BentoML #892",
    "Could not access model data at …": "philschmid/llm-sagemaker-sample #2",
    "Requested image … not found.": "aws-samples/easy-amazon-sagemaker-deployments #4",
    'Using non-ECR image "…"': "aws/sagemaker-python-sdk #4700",
    "Unsupported manifest media type …": "aws/amazon-sagemaker-feedback #180, mlflow/mlflow #13834",
    "Specify one of either Image and Model Data URL": "a public script that deploys a model package",
    "The account-level service limit '… for endpoint usage' is …": "many public issues about quotas of GPU types",
    "ManagedInstanceScaling is only supported": "hashicorp/terraform-provider-aws #45926",
    "Network isolation is not supported for Serverless Inference": "quoted by users of the console",
}


def refusals() -> list[str]:
    """Every sentence with which the control plane refuses a call, with … for what varies."""
    found = []
    for name in FILES:
        tree = ast.parse((SAGEMAKER / f"{name}.py").read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                if node.func.id == "validation":
                    found.append(_text(node.args[0]))
                elif node.func.id == "AwsError" and len(node.args) > 1:
                    found.append(_text(node.args[1]))
    return sorted({text for text in found if text.strip("…")})


def source_of(refusal: str) -> str | None:
    """Where AWS is quoted with these words, or None where they are ours."""
    return next((place for words, place in AWS_WORDS.items() if refusal.startswith(words)), None)


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return "…"
