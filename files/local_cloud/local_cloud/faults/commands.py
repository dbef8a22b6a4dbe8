# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands `faults` and `endpoint`: arm, list and disarm faults, and make things happen to an endpoint."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..admin_client import AdminClient, add_port
from .document import WHEN_KEYS, WHERE_KEYS, FaultError, parse_fault, parse_faults
from .fault import CALL_KINDS, ENDPOINT_KINDS, KINDS

Subparsers = Any  # argparse has no public name for it
Run = Callable[[argparse.Namespace, AdminClient], None]

_EXAMPLES = """\
examples:
  faults add throttle --operation CreateModel --nth 2
  faults add error --service s3 --code AccessDenied --resource modelhost-local
  faults add drop --after-work --operation CreateEndpoint --times 1
  faults add throttle --probability 0.3 --seed 7
  faults add stuck --seconds 20 --resource modelhost-local
  faults load faults.json
"""


def add_commands(commands: Subparsers) -> None:
    """Put `faults` and `endpoint` beside the other commands. Each sets `run`."""
    _add_faults(commands)
    _add_endpoint(commands)


def _add_faults(commands: Subparsers) -> None:
    text = "make AWS fail on demand"
    root = commands.add_parser(
        "faults", help=text, description=text, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = root.add_subparsers(dest="verb", required=True, metavar="add|list|remove|clear|load|kinds")
    add = _verb(verbs, "add", "arm a fault", _add, epilog=_EXAMPLES)
    add.add_argument("kind", choices=KINDS, metavar="kind", help="what shall happen; `faults kinds` tells of each")
    where = add.add_argument_group("where (everything that is not given is any)")
    where.add_argument("--resource", help="how the resource's name begins, such as modelhost-local")
    where.add_argument("--service", help="such as sagemaker, sagemaker-runtime, s3, iam, lambda, ecr")
    where.add_argument("--operation", help='AWS\'s name for the operation, or a pattern such as "Describe*"')
    where.add_argument("--access", choices=("read", "write", "data"), help="read, write, or data (invocations)")
    where.add_argument("--access-key", help="calls that are signed with this key")
    where.add_argument("--account", help="12 digits")
    where.add_argument("--region")
    when = add.add_argument_group("when (without any of these: every matching call; an endpoint's fault: once)")
    when.add_argument("--nth", type=int, help="only the n-th matching call, from 1")
    when.add_argument("--every", type=int, help="every n-th matching call")
    when.add_argument("--probability", type=float, help="each matching call with this chance, 0.3 for 30 %%")
    when.add_argument("--seed", type=int, help="where the chance begins; the same seed gives the same calls (0)")
    when.add_argument("--each-once", action="store_true", default=None, help="each distinct call the first time")
    when.add_argument("--skip", type=int, help="let so many matching calls go first")
    when.add_argument("--times", type=int, help="strike so many times at most")
    what = add.add_argument_group("what")
    what.add_argument("--seconds", type=float, help="how long (delay, stale_reads, role_not_assumable, stuck …)")
    what.add_argument("--code", help="AWS's error code")
    what.add_argument("--message", help="the error's or the endpoint's message (AWS's own)")
    what.add_argument("--status", type=int, help="the HTTP status")
    what.add_argument(
        "--after-work", action="store_true", default=None, help="when the work is done, before the answer"
    )
    what.add_argument("--id", help="a name of your own for it, instead of a number")
    listing = _verb(verbs, "list", "show the armed faults, and how often each struck", _list)
    listing.add_argument("--json", action="store_true", help="as JSON")
    remove = _verb(verbs, "remove", "disarm faults", _remove)
    remove.add_argument("id", nargs="+")
    _verb(verbs, "clear", "disarm every fault", _clear)
    load = _verb(verbs, "load", "arm the faults of a JSON or YAML file", _load)
    load.add_argument("file", type=Path)
    kinds = verbs.add_parser("kinds", help="say what each kind of fault does")
    kinds.set_defaults(run=_kinds, port=0)


def _add_endpoint(commands: Subparsers) -> None:
    text = "make something happen to an endpoint, at once"
    root = commands.add_parser("endpoint", help=text, description=text)
    verbs = root.add_subparsers(dest="verb", required=True, metavar="system-update|out-of-service|kill")
    for verb, help_text in (
        ("system-update", "SystemUpdating: it serves on, and can be neither updated nor deleted; --end ends it"),
        ("out-of-service", "OutOfService: it cannot be invoked; --end brings it back"),
        ("kill", "SIGKILL serving containers of it"),
    ):
        command = _verb(verbs, verb, help_text, _endpoint_event)
        command.add_argument("name", help="the endpoint's name")
        command.add_argument("--account", help="12 digits (000000000000)")
        command.add_argument("--region", help="(us-east-1)")
        if verb == "kill":
            command.add_argument("--variant", help="only containers of this variant")
            command.add_argument("--count", type=int, help="so many (all)")
        else:
            command.add_argument("--end", action="store_true", help="back to InService")


def _verb(verbs: Subparsers, name: str, text: str, run: Run, epilog: str | None = None) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=text, description=text, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_port(parser)
    parser.set_defaults(run=run)
    return parser


def _add(arguments: argparse.Namespace, client: AdminClient) -> None:
    keys = ("id", "kind", *WHERE_KEYS, *WHEN_KEYS, "seconds", "code", "message", "status", "after_work")
    document = {key: getattr(arguments, key) for key in keys if getattr(arguments, key) is not None}
    parse_fault(document)  # what is wrong is told without a cloud, too
    _print_faults(client.ask("POST", "faults", document)["faults"])


def _list(arguments: argparse.Namespace, client: AdminClient) -> None:
    faults = client.ask("GET", "faults")["faults"]
    if arguments.json:
        print(json.dumps(faults, indent=2))
    elif faults:
        _print_faults(faults)
    else:
        print("No fault is armed.")


def _remove(arguments: argparse.Namespace, client: AdminClient) -> None:
    for fault_id in arguments.id:
        client.ask("DELETE", f"faults/{quote(fault_id, safe='')}")
        print(f"{fault_id} is disarmed.")


def _clear(_arguments: argparse.Namespace, client: AdminClient) -> None:
    removed = client.ask("DELETE", "faults")["removed"]
    print(f"{removed} fault{'' if removed == 1 else 's'} disarmed.")


def _load(arguments: argparse.Namespace, client: AdminClient) -> None:
    content = read_script(arguments.file)
    try:
        parse_faults(content)
    except FaultError as error:
        raise FaultError(f"{arguments.file}: {error}") from None
    _print_faults(client.ask("POST", "faults", content)["faults"])


def _kinds(_arguments: argparse.Namespace, _client: AdminClient) -> None:
    width = max(map(len, KINDS))
    for title, kinds in (("Faults of calls", CALL_KINDS), ("Faults of endpoints", ENDPOINT_KINDS)):
        print(f"{title}:")
        for kind, text in kinds.items():
            print(f"  {kind:{width}}  {text}")


def _endpoint_event(arguments: argparse.Namespace, client: AdminClient) -> None:
    given = {key: getattr(arguments, key, None) for key in ("account", "region", "variant", "count")}
    content = {key: value for key, value in given.items() if value is not None}
    ends = getattr(arguments, "end", False)
    page = f"endpoints/{quote(arguments.name, safe='')}/{arguments.verb}"
    answer = client.ask("DELETE" if ends else "POST", page, content)
    if arguments.verb != "kill":
        print(f"{arguments.name}: {'back in service' if ends else arguments.verb}.")
    elif answer["killed"]:
        print(f"{arguments.name}: killed {', '.join(answer['killed'])}.")
    else:
        print(f"{arguments.name}: no container runs.")


def read_script(path: Path) -> Any:
    """The content of a file of faults, JSON or (by its name) YAML. Raises FaultError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FaultError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise FaultError(f"{path} is no text in UTF-8.") from None
    try:
        if path.suffix in (".yml", ".yaml"):
            import yaml  # ministack brings it

            return yaml.safe_load(text)
        return json.loads(text)
    except Exception as error:
        kind = "YAML" if path.suffix in (".yml", ".yaml") else "JSON"
        raise FaultError(f"{path} is not {kind}: {' '.join(str(error).split())}.") from None


def _print_faults(faults: list[dict[str, Any]]) -> None:
    for fault in faults:
        print(sentence(fault))


def sentence(fault: dict[str, Any]) -> str:
    """One armed fault, as the API shows it, in one line."""
    hidden = ("id", "kind", "seen", "struck", "spent")
    told = " ".join(
        key.replace("_", "-") if value is True else f"{key.replace('_', '-')}={value}"
        for key, value in fault.items()
        if key not in hidden
    )
    of = f"{fault['struck']} of {fault['seen']}" if fault["seen"] else "none yet"
    spent = ", spent" if fault["spent"] else ""
    return f"{fault['id']}: {fault['kind']}{' ' + told if told else ''} (struck {of}{spent})"
