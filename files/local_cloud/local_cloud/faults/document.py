# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults as people write them: flat JSON objects, checked with sentences that say what would be right. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .fault import AFTER_WORK_KINDS, CALL_KINDS, ENDPOINT_KINDS, KINDS, Fault, When, Where

Document = dict[str, Any]

WHERE_KEYS = ("account", "region", "service", "operation", "access", "access_key", "resource")
WHEN_KEYS = ("nth", "every", "probability", "seed", "each_once", "skip", "times")
WHAT_KEYS = ("seconds", "code", "message", "status", "after_work")
KEYS = ("id", "kind", *WHERE_KEYS, *WHEN_KEYS, *WHAT_KEYS)
_CALLS_ONLY = ("service", "operation", "access", "access_key")

_NEED_SECONDS = frozenset({"delay", "stale_reads", "stuck"})
_TAKE_SECONDS = _NEED_SECONDS | {"role_not_assumable", "never_healthy"}
_TAKE_MESSAGE = frozenset(
    {"throttle", "error", "role_not_assumable", "capacity_shortage", "never_healthy", "update_rollback_failed"}
)
# What people call a service -> the name that its requests are signed with.
_SIGNING_NAMES = {"cloudwatch": "monitoring", "apigatewayv2": "apigateway", "sagemaker-runtime": "sagemaker"}
_CODE_STATUS = {
    "InternalFailure": 500,
    "InternalError": 500,
    "InternalServerError": 500,
    "ServiceException": 500,
    "ServiceFailure": 500,
    "ServiceUnavailable": 503,
    "ServiceUnavailableException": 503,
    "AccessDenied": 403,
    "ExpiredToken": 403,
}
_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


class FaultError(ValueError):
    """Why something is no fault, in a sentence that says what would be right."""


def parse_faults(content: Any) -> list[Fault]:
    """The faults of an API call or of a script file.

    One fault, a list of them, or {"faults": [...]} whose other keys (a stage's "resource", an "account") hold for
    each of them. Raises FaultError.
    """
    common: Document = {}
    if isinstance(content, dict) and "faults" in content:
        common = {key: value for key, value in content.items() if key != "faults"}
        content = content["faults"]
        if not isinstance(content, list):
            raise FaultError(f'"faults" is a list of faults, not {_shown(content)}.')
    documents = content if isinstance(content, list) else [content]
    if not documents:
        raise FaultError('There is no fault in it. One looks like {"kind": "throttle", "operation": "CreateModel"}.')
    faults = []
    for number, document in enumerate(documents, start=1):
        try:
            faults.append(parse_fault({**common, **document} if isinstance(document, dict) else document))
        except FaultError as error:
            raise FaultError(f"Fault {number}: {error}" if len(documents) > 1 else str(error)) from None
    return faults


def parse_fault(document: Any) -> Fault:
    """One fault. Raises FaultError."""
    if not isinstance(document, dict):
        raise FaultError(
            f'A fault is an object such as {{"kind": "throttle", "operation": "CreateModel"}}, not {_shown(document)}.'
        )
    for key in document:
        if key not in KEYS:
            raise FaultError(f"A fault has no {_shown(key)}.{_meant(key, KEYS)}")
    given = {key: value for key, value in document.items() if value is not None}
    kind = given.get("kind")
    if kind is None:
        raise FaultError(f'A fault needs a "kind": one of {", ".join(KINDS)}.')
    if not isinstance(kind, str) or kind not in KINDS:
        raise FaultError(f"There is no fault of kind {_shown(kind)}.{_meant(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    fault_id = _string(given, "id") or ""
    if fault_id and not _ID.fullmatch(fault_id):
        raise FaultError(f"id is 1 to 100 letters, digits, dots, dashes and underscores, not {_shown(fault_id)}.")
    return Fault(fault_id, kind, _where(kind, given), _when(kind, given), **_what(kind, given))


def to_document(fault: Fault) -> Document:
    """A fault as parse_fault reads it, without what is not set."""
    document: Document = {"id": fault.id, "kind": fault.kind}
    document |= {key: value for key, value in asdict(fault.where).items() if value is not None}
    when = fault.when
    document |= {key: value for key, value in asdict(when).items() if value not in (None, False) and key != "seed"}
    if not when.skip:
        document.pop("skip", None)
    if when.probability is not None:
        document["seed"] = when.seed
    for key in WHAT_KEYS:
        if value := getattr(fault, key):
            document[key] = value
    return document


def _where(kind: str, given: Mapping[str, Any]) -> Where:
    values = {key: _string(given, key) for key in WHERE_KEYS}
    if kind in ENDPOINT_KINDS:
        for key in _CALLS_ONLY:
            if values[key] is not None:
                raise FaultError(
                    f"{kind} strikes endpoints, whoever calls, so it takes no {key}; "
                    "resource is how the endpoint's name begins."
                )
    if values["account"] is not None and not re.fullmatch(r"\d{12}", values["account"]):
        raise FaultError(f"account is a number of 12 digits, not {_shown(values['account'])}.")
    if values["access"] not in (None, "read", "write", "data"):
        raise FaultError(f"access is read, write or data, not {_shown(values['access'])}.")
    if values["service"] == "sagemaker-runtime" and values["operation"] is None:
        values["operation"] = "InvokeEndpoint*"
    values["service"] = _SIGNING_NAMES.get(values["service"] or "", values["service"])
    return Where(**values)


def _when(kind: str, given: Mapping[str, Any]) -> When:
    nth, every = _count(given, "nth"), _count(given, "every")
    times, skip = _count(given, "times"), _count(given, "skip", least=0)
    seed = given.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise FaultError(f"seed is a whole number, not {_shown(seed)}.")
    probability = given.get("probability")
    if probability is not None and not (_is_number(probability) and 0 < probability <= 1):
        raise FaultError(f"probability is above 0 and up to 1 (0.3 is 30 %), not {_shown(probability)}.")
    if "seed" in given and probability is None:
        raise FaultError("seed goes with a probability; without one nothing is left to chance.")
    each_once = _flag(given, "each_once")
    chosen = [name for name, value in (("nth", nth), ("every", every), ("probability", probability)) if value]
    if len(chosen) > 1 or (each_once and chosen):
        both = " and ".join([*chosen, "each_once"] if each_once else chosen)
        raise FaultError(f"{both} contradict each other; choose one.")
    if nth is not None and times is not None:
        raise FaultError("nth strikes once, so it takes no times; skip: 2 with times: 3 strikes the 3rd to the 5th.")
    if kind in ENDPOINT_KINDS and each_once:
        raise FaultError(f"each_once tells calls apart, and {kind} strikes endpoints.")
    if kind in ENDPOINT_KINDS and not chosen and times is None:
        times = 1
    return When(nth, every, probability, seed, each_once, skip or 0, times)


def _what(kind: str, given: Mapping[str, Any]) -> Document:
    seconds = given.get("seconds")
    if seconds is None and kind in _NEED_SECONDS:
        raise FaultError(f"{kind} needs seconds: how long.")
    if seconds is not None:
        if kind not in _TAKE_SECONDS:
            raise FaultError(f"{kind} takes no seconds.")
        if not (_is_number(seconds) and 0 < seconds <= 86400):
            raise FaultError(f"seconds is a number above 0, and a day (86400) at most, not {_shown(seconds)}.")
    message = _string(given, "message")
    if message is not None and kind not in _TAKE_MESSAGE:
        raise FaultError(f"{kind} answers no message.")
    after_work = _flag(given, "after_work")
    if after_work and kind not in AFTER_WORK_KINDS:
        takers = ", ".join(kind for kind in CALL_KINDS if kind in AFTER_WORK_KINDS)
        raise FaultError(f"{kind} cannot strike after the work; {takers} can.")
    code, status = _error(kind, given)
    return {"seconds": seconds, "code": code, "message": message, "status": status, "after_work": after_work}


def _error(kind: str, given: Mapping[str, Any]) -> tuple[str | None, int | None]:
    code, status = _string(given, "code"), given.get("status")
    if kind not in ("error", "throttle"):
        for key, value in (("code", code), ("status", status)):
            if value is not None:
                raise FaultError(f"{kind} takes no {key}; error and throttle do.")
        return None, None
    if code is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9.]{0,127}", code):
        raise FaultError(f'code is one of AWS\'s error codes, such as "AccessDeniedException", not {_shown(code)}.')
    if status is not None and not (isinstance(status, int) and not isinstance(status, bool) and 400 <= status <= 599):
        raise FaultError(f"status is an HTTP status from 400 to 599, not {_shown(status)}.")
    if kind == "throttle":
        return code, status
    if code is None:
        if status is not None and status < 500:
            raise FaultError(f"An error with the status {status} needs a code, such as AccessDeniedException.")
        code = "ServiceUnavailable" if status == 503 else "InternalFailure"
    return code, status or _CODE_STATUS.get(code, 400)


def _string(given: Mapping[str, Any], key: str) -> str | None:
    value = given.get(key)
    if value is not None and not (isinstance(value, str) and value):
        raise FaultError(f"{key} is a text, not {_shown(value)}.")
    return value


def _count(given: Mapping[str, Any], key: str, least: int = 1) -> int | None:
    value = given.get(key)
    if value is not None and not (isinstance(value, int) and not isinstance(value, bool) and value >= least):
        raise FaultError(f"{key} is a whole number from {least}, not {_shown(value)}.")
    return value


def _flag(given: Mapping[str, Any], key: str) -> bool:
    value = given.get(key, False)
    if not isinstance(value, bool):
        raise FaultError(f"{key} is true or false, not {_shown(value)}.")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _meant(word: Any, known: Any) -> str:
    near = difflib.get_close_matches(str(word), list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else text[:77] + "…"
