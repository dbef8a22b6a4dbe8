# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error that a request can end in. It carries what the caller is told, and nothing else."""

from __future__ import annotations


class DemoError(Exception):
    """A refusal: an HTTP status, a code for programs, a sentence for people, and perhaps when to try again.

    `detail` goes to the function's log and never to the caller. It must not hold anything from the request's body.
    """

    def __init__(
        self, status: int, code: str, sentence: str, *, retry_after: int | None = None, detail: str | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence
        self.retry_after = retry_after
        self.detail = detail
