# SPDX-License-Identifier: GPL-3.0-or-later
"""The shell script that runs a phase's commands. Pure.

Since version 0.2 all commands run in the same shell (user guide, "Build specification reference"). Here a phase has a
shell of its own, which takes over the exported variables and the directory of the phase before.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

#: In the state directory: the number of the command that runs or ran last; the exported variables; the directory.
AT, VARIABLES, DIRECTORY = "at", "variables", "directory"

_HEAD = """\
[ ! -f {variables} ] || . {variables}
cd "$(cat {directory})" || exit 1
export CODEBUILD_BUILD_SUCCEEDING={succeeding}
trap 'export -p > {variables}; pwd > {directory}' EXIT
__container_says() {{
    printf '[Container] %s %s\\n' "$(date -u '+%Y/%m/%d %H:%M:%S')" "$1"
}}
"""
_COMMAND = """\
echo {number} > {at}
__container_says {running}
eval {command} || {{
    __container_status=$?
    __container_says {failed}" exit status $__container_status"
    exit $__container_status
}}
"""


def phase_script(commands: Sequence[str], state: Path, *, succeeding: bool) -> str:
    """The script. It ends with the status of the first command that failed, else with 0."""
    places = {name: shlex.quote(str(state / name)) for name in (AT, VARIABLES, DIRECTORY)}
    head = _HEAD.format(variables=places[VARIABLES], directory=places[DIRECTORY], succeeding=int(succeeding))
    return head + "".join(
        _COMMAND.format(
            number=number,
            at=places[AT],
            running=shlex.quote(f"Running command {command}"),
            command=shlex.quote(command),
            failed=shlex.quote(f"Command did not exit successfully {command}"),
        )
        for number, command in enumerate(commands)
    )


def failed_command(commands: Sequence[str], state: Path) -> str:
    """The command that was running when a phase's script ended."""
    try:
        return commands[int((state / AT).read_text())]
    except (OSError, ValueError, IndexError):
        return commands[0] if commands else ""
