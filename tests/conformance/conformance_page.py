# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/conformance.md from the tests.

.venv/bin/python tests/conformance/conformance_page.py
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parents[2] / "files" / "local_cloud"))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration" / "local_cloud"))
sys.path.insert(0, str(Path(__file__).parent))

from conformance_differences import DIFFERENCES
from conformance_source import GUIDE, REFERENCE
from conformance_words import refusals, source_of

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "conformance.md"
# Fixtures of which a test that asks for one runs against moto as well.
ON_BOTH = {"aws", "made"}
TITLES = {
    "models": "Models",
    "endpoint_configs": "Endpoint configurations",
    "endpoints": "Endpoints",
    "updates": "Updates of endpoints",
    "lists": "Lists",
    "tags": "Tags",
    "protocol": "The protocol",
    "clients": "boto3 and the AWS command line",
    "sagemaker_sdk": "The SageMaker Python SDK",
    "fuzz": "Rubbish",
    "scale": "Size",
}

INTRODUCTION = """\
# Conformance of the local cloud

What the local cloud's SageMaker keeps of AWS's rules. Each line is a test of `tests/conformance/`, with the public
place that says so. The page is written by `tests/conformance/conformance_page.py`; a test fails when it is out of date.

| command | what it runs |
|---|---|
| `make test` | the rules against the local cloud, and ten inputs of the fuzzer for each operation |
| `make test-conformance` | the same, moto, the AWS command line and the SageMaker Python SDK |
| `LOCAL_CLOUD_FUZZ_EXAMPLES=500 make test-conformance ARGS="-k rubbish"` | as many new inputs of the fuzzer |
| `.venv/bin/python tests/conformance/measure_scale.py` | times of a describe and of a page, few objects and many |
"""

DEPARTURES = """\
## Where the local cloud departs from AWS on purpose

- It runs no inference components, model packages, inference pipelines, multi-model containers, uncompressed artifacts
  or images of private registries. Models and configurations that ask for them are taken where that can be; the endpoint
  is refused, with the reason.
- An error about a map names its keys and not its values: an environment may hold what belongs in no error message. AWS
  repeats both.
- An operation that AWS has and the local cloud has not is an UnknownOperationException with a sentence; AWS's own has
  none.
- Several validation errors come in the order of the service model's members. AWS's order is not documented.
- NameContains ignores case, as names do. AWS does not say.
- ARNs have names in lower case, as AWS's lists show them; there are reports of endpoints whose ARN keeps its capitals
  (prometheus-community/yet-another-cloudwatch-exporter #1793).
- Of an account's quotas there is one, and by endpoint: 100 instances of a type.
"""


def modules() -> dict[str, ModuleType]:
    return {part: importlib.import_module(f"test_conformance_{part}") for part in TITLES}


def rules_of(module: ModuleType) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Each test's name, its sources, and whether it runs against moto as well."""
    for name, function in vars(module).items():
        if not name.startswith("test_") or not callable(function):
            continue
        # hypothesis wraps a test and keeps its marks.
        marks = [mark for mark in getattr(function, "pytestmark", ()) if mark.name == "source"]
        wanted = set(inspect.signature(function).parameters)
        yield name, tuple(place for mark in marks for place in mark.args), bool(wanted & ON_BOTH)


def sentence(test: str) -> str:
    words = test.removeprefix("test_").replace("_", " ").replace("awss", "AWS's")
    return words[0].upper() + words[1:]


def place(text: str) -> str:
    return text.replace(f"{REFERENCE}: ", "reference: ").replace(f"{GUIDE}: ", "guide: ").replace("|", "\\|")


def page() -> str:
    lines = [INTRODUCTION]
    known: set[str] = set()
    for part, module in modules().items():
        lines += [f"## {TITLES[part]}\n", "| rule | source | on moto |", "|---|---|---|"]
        for name, places, both in rules_of(module):
            known.add(name)
            agrees = "" if not both else "differs" if name in DIFFERENCES else "the same"
            lines.append(f"| {sentence(name)} | {'; '.join(map(place, places))} | {agrees} |")
        lines.append("")
    lines += [
        "## Where moto 5.2.5 differs\n",
        "| rule | what moto does | right by AWS's documentation |",
        "|---|---|---|",
    ]
    for name, difference in DIFFERENCES.items():
        if name not in known:
            raise LookupError(f"there is no test {name}")
        lines.append(f"| {sentence(name)} | {difference.moto} | {difference.right} |")
    lines += ["", "## Refusals in AWS's words\n", "| refusal | quoted in |", "|---|---|"]
    ours = []
    for refusal in refusals():
        if quoted := source_of(refusal):
            lines.append(f"| {refusal} | {quoted} |")
        else:
            ours.append(f"- {refusal}")
    lines += ["", "## AWS's words not known\n", "AWS refuses these too, or would; no public source quotes its words.\n"]
    return "\n".join([*lines, *ours, "", DEPARTURES])


def main() -> None:
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())


if __name__ == "__main__":
    main()
