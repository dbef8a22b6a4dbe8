# SPDX-License-Identifier: GPL-3.0-or-later
"""One request on its way: what becomes known of it, for its metrics and for the status page."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from ...aws.caller import Caller
from ..deployment import Variant
from .latest import Request


@dataclass
class Exchange:
    """A request and how it went.

    arrived: when it came, seconds since 1970. model_status: the container's status, 0 where it gave none.
    model_ms, overhead_ms, setup_ms: in the container, before it, and what of that starting a container took.
    concurrent: the variant's requests at the time, this one included. instances: its healthy containers.
    """

    caller: Caller
    endpoint_name: str
    kind: str
    bytes_in: int
    arrived: float = field(default_factory=time.time)
    started: float = field(default_factory=time.perf_counter)
    variant: Variant | None = None
    container_id: str | None = None
    model_status: int = 0
    model_ms: float | None = None
    overhead_ms: float = 0.0
    setup_ms: float = 0.0
    first_chunk_ms: float | None = None
    first_chunk_model_ms: float | None = None
    broke_mid_stream: bool = False
    concurrent: int = 1
    instances: int = 1
    bytes_out: int = 0

    def elapsed_ms(self) -> float:
        return (time.perf_counter() - self.started) * 1000

    def summary(self, status: int, error: str | None) -> Request:
        """What the status page shows of it. status, error: what the caller got."""
        return Request(
            time=self.arrived,
            account=self.caller.account,
            region=self.caller.region,
            endpoint_name=self.endpoint_name,
            variant=self.variant.name if self.variant else None,
            container_id=self.container_id,
            kind=self.kind,
            status=status,
            error=error,
            ms=round(self.elapsed_ms(), 1),
            model_ms=None if self.model_ms is None else round(self.model_ms, 1),
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
        )
