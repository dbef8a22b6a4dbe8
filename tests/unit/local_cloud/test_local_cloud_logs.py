# SPDX-License-Identifier: GPL-3.0-or-later
"""Output on its way to a file and to CloudWatch Logs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from local_cloud.aws.caller import Caller
from local_cloud.aws.errors import AwsError
from local_cloud.containers.container_log import ContainerLog
from local_cloud.containers.log_stream import LogStream

CALLER = Caller("000000000000", "us-east-1")


class FakeLogs:
    """A CloudWatch Logs whose group is there already."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def json_call(self, caller: Caller, service: str, target: str, parameters: dict[str, Any]) -> None:
        operation = target.partition(".")[2]
        self.calls.append((operation, parameters))
        if operation == "CreateLogGroup":
            raise AwsError("ResourceAlreadyExistsException", "it is there")

    def messages(self) -> list[str]:
        puts = [parameters for operation, parameters in self.calls if operation == "PutLogEvents"]
        return [event["message"] for put in puts for event in put["logEvents"]]


class Forbidden:
    """A role that may not write logs."""

    def may_write_log(self, account: str, group: str, stream: str) -> bool:
        return False


def test_lines_are_shipped_together_and_in_order() -> None:
    logs: Any = FakeLogs()

    async def ship() -> None:
        stream = LogStream(logs, CALLER, "group", "stream")
        for number in range(100):
            stream.add(f"line {number}")
        await stream.close()

    asyncio.run(ship())
    assert [operation for operation, _ in logs.calls] == ["CreateLogGroup", "CreateLogStream", "PutLogEvents"]
    assert logs.messages() == [f"line {number}" for number in range(100)]


def test_a_call_carries_no_more_than_cloudwatch_takes() -> None:
    logs: Any = FakeLogs()

    async def ship() -> None:
        stream = LogStream(logs, CALLER, "group", "stream")
        for _ in range(300):
            stream.add("x" * 8000)
        await stream.close()

    asyncio.run(ship())
    puts = [parameters["logEvents"] for operation, parameters in logs.calls if operation == "PutLogEvents"]
    assert sum(map(len, puts)) == 300
    assert all(sum(len(event["message"]) + 26 for event in events) <= 1_048_576 for events in puts)


def write(path: Path, role: Any = None) -> FakeLogs:
    logs: Any = FakeLogs()

    async def run() -> None:
        log = ContainerLog(path, logs, CALLER, "group", "stream", role)
        log.write(b"first\nsec")
        log.write(b"ond\r\n\nunfinished")
        assert log.tail() == ["first", "second"]
        await log.close()
        await log.close()

    asyncio.run(run())
    assert isinstance(logs, FakeLogs)
    return logs


def test_output_goes_to_the_file_as_it_is_and_to_the_log_by_lines(tmp_path: Path) -> None:
    logs = write(tmp_path / "container.log")
    assert (tmp_path / "container.log").read_bytes() == b"first\nsecond\r\n\nunfinished\n"
    assert logs.messages() == ["first", "second", "unfinished"]


def test_without_the_permission_the_file_alone_has_the_output(tmp_path: Path) -> None:
    logs = write(tmp_path / "container.log", Forbidden())
    assert (tmp_path / "container.log").read_bytes().startswith(b"first\n")
    assert logs.calls == []
