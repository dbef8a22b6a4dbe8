# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person is told where a run cannot succeed: the reason, what is live now, and what to do next. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .outcome import OWNER_TAG, Outcome
from .spec import Wanted
from .state import Endpoint

CONSENT = (
    "every request fails from the delete until the new endpoint is InService, usually some minutes. Run again with "
    "replace: true (a stage with -e model_serving_replace=true) to agree."
)
LIST = "sagemaker_endpoint_info (or the status playbook) lists the generations that are kept."

_NEXT = (
    "Change the specification, or run again with retry_failed: true (a stage with -e model_serving_retry_failed=true)."
)
_ANEW = "to delete it and create it anew; requests fail from the delete until the new endpoint is InService."


@dataclass(frozen=True)
class Failure:
    """Why the run ends without success. C(shows_log): the container's last lines may say more."""

    message: str
    shows_log: bool = False


def not_ours(endpoint: Endpoint) -> Failure:
    return Failure(
        f"Endpoint {endpoint.name} exists and was not made by this module: it has no tag {OWNER_TAG}={endpoint.name}. "
        "Choose another name, or run again with adopt: true (a stage with -e model_serving_adopt=true) to take it "
        "over. Taking over interrupts nothing: it goes on serving while SageMaker moves it to what is wanted, and what "
        "it was made of stays."
    )


def other_image(wanted: Wanted, deployed: set[str], digests: set[str]) -> Failure:
    return Failure(
        f"Endpoint {wanted.name} is InService on {wanted.config_name}, but SageMaker deployed the image "
        f"{', '.join(sorted(deployed))} instead of {', '.join(sorted(digests))}. Somebody replaced a Model "
        "under its name; delete the EndpointConfig and its Model and run again."
    )


def update_rolled_back(wanted: Wanted, endpoint: Endpoint) -> Failure:
    return Failure(
        f"The update of Endpoint {wanted.name} to {wanted.config_name} did not hold: {reason(endpoint)}. Live and "
        f"InService is still {endpoint.config_name}. {_NEXT}",
        shows_log=True,
    )


def rollback_rolled_back(endpoint: Endpoint, tried: str) -> Failure:
    return Failure(
        f"The rollback of Endpoint {endpoint.name} to {tried} did not hold: {reason(endpoint)}. Live and InService is "
        f"still {endpoint.config_name}. Run again with generation: {tried} and retry_failed: true to try it once more, "
        f"or name another generation. {LIST}",
        shows_log=True,
    )


def create_failed(wanted: Wanted, endpoint: Endpoint) -> Failure:
    return Failure(
        f"Endpoint {wanted.name} is Failed with {wanted.config_name}: {reason(endpoint)}. Nothing is live. {_NEXT}",
        shows_log=True,
    )


def degraded(endpoint: Endpoint, *, tried_before: bool) -> Failure:
    """OutOfService, and any state that SageMaker adds later."""
    options = "replace: true and retry_failed: true" if tried_before else "replace: true"
    return Failure(
        f"{_state(endpoint)} It takes no update in that state.{_says(endpoint)} Run again with {options} {_ANEW}",
        shows_log=True,
    )


def mixed(endpoint: Endpoint) -> Failure:
    return Failure(
        f"{_state(endpoint)}{_says(endpoint)} An update brings it in order and interrupts nothing: change the "
        f"specification, run again with retry_failed: true, or roll back to {endpoint.config_name}.",
        shows_log=True,
    )


def no_rollback_from(endpoint: Endpoint) -> Failure:
    """A state that takes no update, and so no rollback either."""
    return Failure(
        f"{_state(endpoint)} It takes no update in that state, and a rollback is one.{_says(endpoint)} Deploy what is "
        f"to be live with replace: true and retry_failed: true {_ANEW}",
        shows_log=True,
    )


def overtaken(endpoint: Endpoint, ours: str) -> Failure:
    """Two runs that want different things could otherwise go on moving the endpoint from one to the other."""
    return Failure(
        f"After this run moved Endpoint {endpoint.name} to {ours}, somebody else moved it on. Live and InService is "
        f"{endpoint.config_name}. Find out who did; run again to move it to {ours} all the same."
    )


def deleted_meanwhile(name: str) -> Failure:
    return Failure(
        f"While this run brought Endpoint {name} to what is wanted, somebody else deleted it. Nothing will be "
        "live once it is gone. Find out who did; run again to make it anew."
    )


def remembered(wanted: Wanted, outcome: Outcome, endpoint: Endpoint | None) -> Failure:
    told = f": {_sentence(outcome.reason)}" if outcome.reason else ""
    in_service = endpoint is not None and endpoint.status == "InService"
    stays = f" Live is still {endpoint.config_name}." if endpoint and in_service else ""
    return Failure(
        f"{wanted.config_name} failed at {outcome.at}{told}. The same specification is not submitted again.{stays} "
        f"{_NEXT}",
        shows_log=True,
    )


def reason(endpoint: Endpoint) -> str:
    return _sentence(endpoint.failure_reason) or "SageMaker gave no reason"


def _sentence(text: str) -> str:
    return text.rstrip(". ")


def _says(endpoint: Endpoint) -> str:
    return f" SageMaker says: {_sentence(endpoint.failure_reason)}." if endpoint.failure_reason else ""


def _state(endpoint: Endpoint) -> str:
    says = {
        "UpdateRollbackFailed": "a mix of the old and the new generation answers requests",
        "OutOfService": "it answers no requests",
        "Failed": "it was never in service, and nothing is live",
    }.get(endpoint.status, "this module does not know that state")
    return f"Endpoint {endpoint.name} is {endpoint.status}: {says}."
