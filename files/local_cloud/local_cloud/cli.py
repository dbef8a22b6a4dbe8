# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: start, stop, status, serve; calls, faults, endpoint of a running cloud."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import call_printer
from .admin_client import AdminClient, AdminError, port_number
from .daemon import DaemonError, start, status, stop
from .faults import commands as fault_commands
from .faults.document import FaultError
from .settings import CHOICES, NETWORK_VARIABLES, Settings, docker_host_of


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
        command.add_argument("--port", type=port_number, default=4566, help="the port on 127.0.0.1 (%(default)s)")
        command.add_argument("--venvs", type=Path, help="virtual environments of process images (<home>/../venvs)")
        command.add_argument(
            "--startup-timeout", type=_at_least(float, 0), help="seconds to a container's first good /ping (as on AWS)"
        )
        for choice, help_text in CHOICES.items():
            default = getattr(Settings, choice)
            option = "--" + choice.replace("_", "-")
            least = 1 if isinstance(default, int) else 0
            command.add_argument(option, type=_at_least(type(default), least), default=default, help=help_text)
        command.add_argument("--enforce-iam", action="store_true", help="check signatures and policies as AWS does")
    call_printer.add_command(commands)
    fault_commands.add_commands(commands)
    return root


def _at_least(kind: Callable[[str], float], least: float) -> Callable[[str], float]:
    """An argument's type: a number of a kind, not below `least`."""

    def number(text: str) -> float:
        value = kind(text)
        if not (value >= least and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"a number from {least}, not {text}")
        return value

    return number


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings that the command line and the environment ask for."""
    home = arguments.home.absolute()
    return Settings(
        home=home,
        port=arguments.port,
        venvs=(arguments.venvs or home.parent / "venvs").absolute(),
        startup_timeout=arguments.startup_timeout,
        docker_host=docker_host_of(os.environ),
        **{choice: getattr(arguments, choice) for choice in CHOICES},
        enforce_iam=arguments.enforce_iam,
        path=os.environ.get("PATH", os.defpath),
        docker_config=os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker"),
        network={name: os.environ[name] for name in NETWORK_VARIABLES if name in os.environ},
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit status is 0 where it did what it says."""
    arguments = parser().parse_args(argv)
    if hasattr(arguments, "run"):
        return _ask_running_cloud(arguments)
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


def _ask_running_cloud(arguments: argparse.Namespace) -> int:
    try:
        arguments.run(arguments, AdminClient(arguments.port))
    except (AdminError, FaultError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `calls | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0
