# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the function, read from the environment variables that the role `demo_api` gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class SettingsError(ValueError):
    """An environment variable of the function is missing or unusable; the text says which and why."""


@dataclass(frozen=True)
class Settings:
    """`read_timeout` is in seconds and lies below the function's own timeout, so that a slow model is answered for."""

    endpoint_name: str
    max_inputs: int
    max_input_characters: int
    read_timeout: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings; raise `SettingsError` where one is missing or not a positive whole number."""
        endpoint_name = environment.get("ENDPOINT_NAME", "")
        if not endpoint_name:
            raise SettingsError("ENDPOINT_NAME is not set: it names the SageMaker endpoint to ask.")
        return cls(
            endpoint_name=endpoint_name,
            max_inputs=_positive(environment, "MAX_INPUTS"),
            max_input_characters=_positive(environment, "MAX_INPUT_CHARACTERS"),
            read_timeout=_positive(environment, "READ_TIMEOUT_SECONDS"),
        )


def _positive(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "")
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise SettingsError(f"{name} is {text!r}: it must be a whole number above 0.")
    return int(text)
