# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `calls`: the call log, a line per call, for people."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from .admin_client import AdminClient, add_port

_POLL_SECONDS = 0.5


def add_command(commands: Any) -> None:
    """Put `calls` beside the other commands."""
    text = "show the calls that the cloud answered, a line each"
    parser = commands.add_parser("calls", help=text, description=text)
    add_port(parser)
    parser.add_argument("--follow", action="store_true", help="go on with new calls until Ctrl-C")
    parser.add_argument("--last", type=int, default=50, help="at most so many of the latest (%(default)s)")
    parser.add_argument("--service", help="calls of one service, by its signing name: sagemaker, s3, iam, lambda …")
    parser.add_argument("--operation", help="calls of one operation")
    parser.add_argument("--resource", help="calls about resources whose name has this in it")
    parser.add_argument("--writes", action="store_true", help="only calls that write")
    parser.add_argument("--errors", action="store_true", help="only calls that were refused or got no answer")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, client: AdminClient) -> None:
    """Print the latest calls, and with --follow those that come."""
    since, most = 0, max(0, arguments.last)
    while True:
        page = client.ask("GET", f"calls?since={since}")
        wanted = [call for call in page["calls"] if is_wanted(call, arguments)]
        for call in wanted if since else wanted[len(wanted) - min(most, len(wanted)) :]:
            print(line(call))
        since = page["next"]
        sys.stdout.flush()
        if not arguments.follow:
            return
        time.sleep(_POLL_SECONDS)


def is_wanted(call: dict[str, Any], arguments: argparse.Namespace) -> bool:
    """Whether the filters let a call through."""
    return (
        arguments.service in (None, call["service"])
        and arguments.operation in (None, call["operation"])
        and (not arguments.resource or arguments.resource in (call["resource"] or ""))
        and (not arguments.writes or call["access"] == "write")
        and (not arguments.errors or not 200 <= call["status"] < 400)
    )


def line(call: dict[str, Any]) -> str:
    """One call in one line: number, time, outcome, milliseconds, what, about what, by whom, which fault."""
    outcome = str(call["status"]) if call["status"] else "no answer"
    if call["error"] and call["error"] != outcome:
        outcome += f" {call['error']}"
    parts = [
        f"{call['n']:>6} {call['time'][11:23]} {call['ms']:>8.1f} ms",
        f"{call['service']} {call['operation']}",
        call["resource"] or "",
        outcome,
        f"by {call['caller'] or call['access_key']}" if call["access_key"] else "unsigned",
        f"[{call['digest']}]" if call["digest"] else "",
        f"fault {call['fault']}" if call["fault"] else "",
    ]
    return "  ".join(part for part in parts if part)
