# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors this package raises on purpose. Each carries a sentence that a person can act on."""

from __future__ import annotations


class SettingsError(Exception):
    """The environment holds a value that cannot be used. `problems` has one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class ModelLoadError(Exception):
    """The model cannot be served: a file is missing, a task is not supported, a package is not there."""


class RequestError(Exception):
    """A request that is answered with an error. `code` is for programs, `message` is a sentence for people."""

    def __init__(
        self, status: int, code: str, message: str, headers: tuple[tuple[str, str], ...] = (), close: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
        # True where the connection cannot be used again, because the rest of the request was not read.
        self.close = close


class InputError(RequestError):
    """The caller's `inputs` or `parameters` do not fit the model: HTTP 400. This is the one a handler raises."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "InvalidInput", message)
