# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudWatch's two services, whose state is small but for what grows: log events, and metric data.

ministack would write all of it down again and again. Here what grows goes to a journal, item by item, and the rest to
the service's file as ever.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .journal import Journal, Key


class LogEvents:
    """CloudWatch Logs. The lists are the events of each stream. name: of the service's file."""

    name = "cloudwatch_logs"

    def __init__(self, directory: Path) -> None:
        from ministack.services import cloudwatch_logs

        self._module = cloudwatch_logs
        self._journal = Journal(directory / f"{self.name}.jsonl")
        restore = cloudwatch_logs.load_persisted_state

        def load(data: dict[str, Any]) -> None:
            restore(data)
            self._fill_streams()

        cloudwatch_logs.load_persisted_state = load
        cloudwatch_logs.get_state = self.state

    def state(self) -> dict[str, Any]:
        """The service's state, less what grows. It shares its values with the service: encode it at once."""
        module = self._module
        groups = module.AccountRegionScopedDict()
        for place, group in module._log_groups.all_items():
            streams = {name: {**stream, "events": []} for name, stream in list(group["streams"].items())}
            groups._data[place] = {**group, "streams": streams}
        return {
            "log_groups": groups,
            "destinations": module._destinations,
            "resource_policies": module._resource_policies,
            "log_group_policies": module._log_group_policies,
            "metric_filters": module._metric_filters,
            "queries": module._queries,
            # Made of the events again at the start.
            "log_records": module.AccountRegionScopedDict(),
            "delivery_sources": module._delivery_sources,
            "delivery_destinations": module._delivery_destinations,
            "deliveries": module._deliveries,
        }

    def append(self) -> None:
        """Write what has grown."""
        self._journal.write(self._lists())

    def _lists(self) -> Iterator[tuple[Key, list[Any]]]:
        for (account, region, group), content in self._module._log_groups.all_items():
            for stream, held in list(content["streams"].items()):
                yield (account, region, group, stream), held["events"]

    def _fill_streams(self) -> None:
        for (account, region, group, stream), events in self._journal.load().items():
            content = self._module._log_groups.get_scoped(account, region, group)
            held = content["streams"].get(stream) if content else None
            if held is None:
                continue
            held["events"] = events
            for event in events:
                if pointer := event.get("eventId"):
                    record = self._module._build_log_record(
                        ptr=pointer,
                        timestamp_ms=event["timestamp"],
                        message=event["message"],
                        log_group=group,
                        log_stream=stream,
                    )
                    self._module._log_records.set_scoped(account, region, pointer, record)


class MetricData:
    """CloudWatch. The lists are the data points of each metric. name: of the service's file."""

    name = "cloudwatch"

    def __init__(self, directory: Path) -> None:
        from ministack.services import cloudwatch

        self._module = cloudwatch
        self._journal = Journal(directory / f"{self.name}.jsonl")
        restore = cloudwatch.load_persisted_state

        def load(data: dict[str, Any]) -> None:
            restore(data)
            for (account, region, metric), points in self._journal.load().items():
                cloudwatch._metrics.set_scoped(account, region, ast.literal_eval(metric), points)

        cloudwatch.load_persisted_state = load
        cloudwatch.get_state = self.state

    def state(self) -> dict[str, Any]:
        """The service's state, less what grows. It shares its values with the service: encode it at once."""
        module = self._module
        return {
            "metrics": module.AccountRegionScopedDict(),
            "alarms": module._alarms,
            "composite_alarms": module._composite_alarms,
            "composite_triggers": module._composite_triggers,
            "alarm_history": module._alarm_history,
            "dashboards": module._dashboards,
            "resource_tags": module._resource_tags,
        }

    def append(self) -> None:
        """Write what has grown."""
        self._journal.write(self._lists())

    def _lists(self) -> Iterator[tuple[Key, list[Any]]]:
        for (account, region, metric), points in self._module._metrics.all_items():
            yield (account, region, repr(metric)), points
