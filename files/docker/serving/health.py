# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the model answers, and if not, why: what /ping says."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from serving import log


@dataclass(frozen=True)
class Health:
    """Whether the model answers; if not, a code for programs and a sentence for people."""

    healthy: bool
    code: str = ""
    reason: str = ""


LOADING = Health(False, "ModelNotReady", "The model is loading; it has not answered its first request yet.")
NOT_LOADED = Health(False, "ModelNotReady", "The model could not be loaded; the log has the reason.")
HEALTHY = Health(True)


class HealthMonitor:
    """Keeps what the inference threads report. Times are those of time.monotonic()."""

    def __init__(self, longest_run: float) -> None:
        """Make a monitor of a model that is loading. `longest_run`: seconds after which a batch counts as stuck."""
        self._longest_run = longest_run
        self._answers = LOADING
        self._running: dict[int, float] = {}

    def run_started(self, now: float) -> None:
        """The calling thread starts a batch."""
        self._running[threading.get_ident()] = now

    def run_ended(self) -> None:
        """The calling thread has ended its batch."""
        self._running.pop(threading.get_ident(), None)

    @property
    def running(self) -> int:
        """How many batches run."""
        return len(self._running)

    def answered(self) -> None:
        """The model has answered its example."""
        self._turn(HEALTHY)

    def failed(self, error: BaseException) -> None:
        """The model, once loaded, did not answer its example."""
        kind = type(error).__name__
        self._turn(Health(False, "ModelFailed", f"The model no longer answers its example request ({kind})."))

    def not_loaded(self) -> None:
        """The model could not be loaded; the process is about to end."""
        self._answers = NOT_LOADED

    @property
    def has_failed(self) -> bool:
        """True where the model was loaded and did not answer its example when last asked."""
        return self._answers.code == "ModelFailed"

    def health(self, now: float) -> Health:
        """What is true now."""
        # A copy at once: the threads change it meanwhile.
        started = min(list(self._running.values()), default=now)
        if self._answers.healthy and now - started > self._longest_run:
            return Health(
                False, "ModelNotResponding", f"The model has been at one batch for over {self._longest_run:g} seconds."
            )
        return self._answers

    def _turn(self, health: Health) -> None:
        before, self._answers = self._answers, health
        if before is not LOADING and before.healthy != health.healthy:
            log.warning("health_changed", healthy=health.healthy, reason=health.reason)
