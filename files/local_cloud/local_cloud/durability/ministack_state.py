# SPDX-License-Identifier: GPL-3.0-or-later
"""What ministack's services remember, as ministack itself would write it down.

Here and in growing.py is what there is to know of how ministack keeps state: `get_state` of a service's module, the
JSON file that `load_state` reads at the next start, and the services that need more than that.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .growing import LogEvents, MetricData

T = TypeVar("T")

_READ_ATTEMPTS = 20


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Source:
    """One service's state. `append` writes what grows; `written` is called when what `read` gave is on disk."""

    read: Callable[[], Any]
    append: Callable[[], None] = _nothing
    written: Callable[[], None] = _nothing


class MinistackState:
    """The state of every service that has been used since the start. Make it before ministack starts."""

    def __init__(self, directory: Path) -> None:
        from ministack import app
        from ministack.core import persistence

        self._app = app
        self._persistence = persistence
        _remember_sessions()
        self._growing = {service.name: service for service in (LogEvents(directory), MetricData(directory))}

    @property
    def registry(self) -> dict[str, dict[str, Any]]:
        """ministack's services by name."""
        registry: dict[str, dict[str, Any]] = self._app.SERVICE_REGISTRY
        return registry

    def sources(self) -> dict[str, Source]:
        """The state of each service in use, by the name of its file."""
        found = {key: Source(read) for key, read in self._app._build_persistence_save_dict().items()}
        if "lambda" in found:
            found["lambda"] = _lambda_source()
        for name, service in self._growing.items():
            found[name] = Source(service.state, service.append)
        return found

    def append(self, source: Source) -> None:
        """Write what has grown. Raises OSError where that cannot be."""
        _while_it_changes(source.append)

    def encode(self, service: str, source: Source) -> bytes | None:
        """The content of a service's file; None where it has nothing to keep.

        Raises TypeError for state that cannot be JSON, RuntimeError where other threads kept changing it.
        """
        return _while_it_changes(lambda: self._encode(service, source.read()))

    def _encode(self, service: str, state: Any) -> bytes | None:
        if state is None:
            return None
        wrapped = {"__ministack_format__": self._persistence._state_format_version(service), "payload": state}
        return json.dumps(wrapped, default=self._persistence._json_default).encode()


def _while_it_changes(read: Callable[[], T]) -> T:
    for _ in range(_READ_ATTEMPTS):
        try:
            return read()
        except RuntimeError:  # a dictionary changed its size while it was walked: by one of ministack's threads
            time.sleep(0.001)
    return read()


def _remember_sessions() -> None:
    """Let the sessions of assumed roles survive: ministack's sts forgets them, and with them their account."""
    from ministack.services import sts

    def restore(data: dict[str, Any]) -> None:
        now = time.time()
        sessions = data.get("sessions", {})
        sts._sessions.update({key: s for key, s in sessions.items() if s.get("Expiration", now + 1) > now})

    sts.get_state = lambda: {"sessions": dict(sts._sessions)}
    sts.load_persisted_state = restore


def _lambda_source() -> Source:
    """Lambda's state. The code of functions is in files beside it.

    ministack removes those files that the new state does not name before that state is written. A cloud killed in
    between would come back with functions that have no code, so they are removed afterwards.
    """
    from ministack.services import lambda_svc

    original = lambda_svc._prune_orphan_code_blobs
    prune = getattr(original, "prune", original)
    named: list[set[str]] = []

    def remember(referenced: set[str]) -> None:
        named[:] = [referenced]

    remember.prune = prune  # type: ignore[attr-defined]

    def read() -> Any:
        lambda_svc._prune_orphan_code_blobs = remember
        return lambda_svc.get_state()

    def written() -> None:
        if named:
            prune(named[0])

    return Source(read, written=written)
