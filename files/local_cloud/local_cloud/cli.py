# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: start, stop, status, serve."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .daemon import DaemonError, start, status, stop
from .settings import NETWORK_VARIABLES, Settings, docker_host_of


def parser() -> argparse.ArgumentParser:
    """The argument parser."""
    root = argparse.ArgumentParser(prog="python -m local_cloud", description="The emulated AWS of the local stage.")
    commands = root.add_subparsers(dest="command", required=True)
    for name, text in (
        ("start", "start it in the background, unless it already runs with this very code"),
        ("stop", "stop it, and return when none of its processes is left"),
        ("status", "say whether it runs, and where its things are"),
        ("serve", "serve in the foreground"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--home", type=Path, required=True, help="the directory for everything it writes")
        command.add_argument("--port", type=int, default=4566, help="the port on 127.0.0.1 (%(default)s)")
        command.add_argument("--venvs", type=Path, help="virtual environments of process images (<home>/../venvs)")
        command.add_argument(
            "--startup-timeout", type=float, help="seconds to a container's first good /ping (as on AWS)"
        )
    return root


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings that the command line and the environment ask for."""
    home = arguments.home.absolute()
    return Settings(
        home=home,
        port=arguments.port,
        venvs=(arguments.venvs or home.parent / "venvs").absolute(),
        startup_timeout=arguments.startup_timeout,
        docker_host=docker_host_of(os.environ),
        network={name: os.environ[name] for name in NETWORK_VARIABLES if name in os.environ},
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 0 where it did what it says."""
    arguments = parser().parse_args(argv)
    settings = settings_of(arguments)
    try:
        if arguments.command == "start":
            start(settings)
        elif arguments.command == "stop":
            stop(settings)
        elif arguments.command == "status":
            return 0 if status(settings) else 3
        else:
            from .server import serve

            serve(settings)
    except DaemonError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        if arguments.command != "serve":
            raise
        print(f"127.0.0.1:{settings.port} cannot be used: {error.strerror}.", file=sys.stderr)
        return 1
    return 0
