# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as data: AWS calls in order, each with a sentence for people.

Check mode and diff mode print the sentences, a real run makes the calls; neither decides anything of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Later:
    """A value that only an earlier step of the plan can tell, such as the id of what it makes.

    ``template`` is a format string with one ``{}`` for the value.
    """

    name: str
    template: str = "{}"


@dataclass(frozen=True)
class Step:
    """One writing call to AWS.

    ``service`` and ``operation`` are boto3's names (``"apigatewayv2"``, ``"create_route"``). ``parameters`` may hold
    `Later` values at any depth. ``saves`` maps a key of the response to the name that later steps know it by.
    ``gone_codes`` are the error codes that mean that there is nothing left to delete.
    """

    sentence: str
    service: str
    operation: str
    parameters: Mapping[str, Any]
    saves: Mapping[str, str] = field(default_factory=dict)
    gone_codes: tuple[str, ...] = ()


class StepFailed(Exception):
    """A step of a plan failed. ``error`` is what AWS answered; ``done`` are the steps made before it."""

    def __init__(self, step: Step, error: Exception, done: tuple[Step, ...]) -> None:
        super().__init__(f"This step failed: {step.sentence}")
        self.step = step
        self.error = error
        self.done = done


Call = Callable[[Step, dict[str, Any]], Mapping[str, Any]]


def run(steps: Iterable[Step], call: Call, errors: tuple[type[Exception], ...]) -> dict[str, Any]:
    """Make the calls in order and return what the steps saved, by name.

    ``call`` takes a step and its parameters with every `Later` filled in. Of its exceptions, ``errors`` become a
    `StepFailed`.
    """
    known: dict[str, Any] = {}
    done: list[Step] = []
    for step in steps:
        try:
            response = call(step, resolve(step.parameters, known))
        except errors as error:
            raise StepFailed(step, error, tuple(done)) from error
        known.update({name: response[key] for key, name in step.saves.items()})
        done.append(step)
    return known


def make(client: Any, step: Step, parameters: dict[str, Any], **options: Any) -> Mapping[str, Any]:
    """Make one step's call with a boto3 client; what is already gone counts as deleted.

    ``options`` go to the call beside its parameters, such as ``aws_retry=True`` for a client that takes it.
    """
    try:
        response: Mapping[str, Any] = getattr(client, step.operation)(**parameters, **options)
    except Exception as error:
        # botocore's ClientError, which this file does not import: plans are also made where boto3 is missing.
        code = getattr(error, "response", {}).get("Error", {}).get("Code")
        if code in step.gone_codes:
            return {}
        raise
    return response


def resolve(value: Any, known: Mapping[str, Any]) -> Any:
    """Return ``value`` with every `Later` in it replaced by what is known; `KeyError` where a name is not."""
    if isinstance(value, Later):
        found = known[value.name]
        return found if value.template == "{}" else value.template.format(found)
    if isinstance(value, Mapping):
        return {key: resolve(item, known) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [resolve(item, known) for item in value]
    return value


def tag_changes(found: Mapping[str, str], wanted: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return (the tags to set, the keys to remove). AWS's own tags (``aws:...``) are nobody's to remove."""
    to_set = {key: value for key, value in wanted.items() if found.get(key) != value}
    to_remove = sorted(key for key in found if key not in wanted and not key.startswith("aws:"))
    return to_set, to_remove
