# SPDX-License-Identifier: GPL-3.0-or-later
"""`make benchmark`: our server and its peers side by side, in one run, on the same two cores."""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmark_answers import AGREEMENT, agreement, reference
from benchmark_cold_start import run_cold_starts
from benchmark_load import LoadError, run_wrk
from benchmark_machine import describe_machine, describe_versions, use_cores
from benchmark_payloads import Payload, mean_tokens, mixed_payloads, read_sentences, short_payloads, write_bodies
from benchmark_process import ServerError, ServerProcess, adopt_orphans
from benchmark_report import insert, render, summary_lines, verdicts
from benchmark_requirements import CALLERS, FP32, INT8, OURS_TOOLKIT, PAYLOADS
from benchmark_rounds import Plan, run_rounds
from benchmark_saturation import run_saturation
from benchmark_servers import KINDS, REPOSITORY, TOOLKIT_VENV, Kind, find, start
from benchmark_size import measure_sizes
from benchmark_soak import run_soak

SECTIONS = ("load", "start", "saturation", "size", "soak")
CORES = 2
PAGE = REPOSITORY / "docs" / "benchmarks.md"


class Run:
    """One run: what it measures, where it keeps it, and how far it is."""

    def __init__(self, arguments: argparse.Namespace, work: Path) -> None:
        """Make the payloads, and note what is measured on.

        Raises:
            ServerError: the model is missing.
        """
        self.arguments = arguments
        self.work = work
        self.models = arguments.models.resolve()
        self.output = arguments.output
        self._began = time.monotonic()
        self._labels: dict[str, list[list[str]]] = {}
        self.kinds = [find(name) for name in arguments.servers]
        self.payloads = make_payloads(self.models / "base" / "tokenizer.json")
        self.bodies = {name: work / f"{name}.jsonl" for name in self.payloads}
        for name, payloads in self.payloads.items():
            write_bodies(payloads, self.bodies[name])
        self.results: dict[str, Any] = {
            "format": 1,
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "quick": arguments.quick,
            "servers": arguments.servers,
            "machine": describe_machine(use_cores(CORES)),
            "versions": describe_versions(REPOSITORY),
            "payloads": {name: describe_payloads(payloads) for name, payloads in self.payloads.items()},
            "failed": {},
        }

    def say(self, sentence: str) -> None:
        """Tell a person how far the run is."""
        print(f"{(time.monotonic() - self._began) / 60:5.1f} min  {sentence}", flush=True)

    def keep(self) -> None:
        """Write down what there is, so that an interrupted run loses nothing."""
        self.results["minutes"] = round((time.monotonic() - self._began) / 60, 1)
        self.output.mkdir(parents=True, exist_ok=True)
        (self.output / "results.json").write_text(json.dumps(self.results, indent=1) + "\n", encoding="utf-8")

    def section(self, name: str, measure: Callable[[], None]) -> None:
        """Run one section; where it fails, note the sentence and go on."""
        self.say(f"— {name}")
        try:
            measure()
        except (ServerError, LoadError, OSError, ValueError) as error:
            self.results["failed"][name] = str(error)
            self.say(f"{name} failed: {error}")
        self.keep()

    def _right(self) -> dict[str, list[list[str]]]:
        """The right labels of each payload, asked of transformers once in a run."""
        if not self._labels:
            self.say("transformers labels the texts")
            both = [payload for payloads in self.payloads.values() for payload in payloads]
            labels = iter(reference(self.models / "base", both, self.work))
            self._labels = {name: [next(labels) for _ in payloads] for name, payloads in self.payloads.items()}
        return self._labels

    def load(self) -> None:
        """All servers at once, each asked in its turn."""
        right = self._right()
        servers: dict[str, ServerProcess] = {}
        try:
            for kind in self.kinds:
                self._start_and_check(kind, right, servers)
            quick = self.arguments.quick
            cells = [(payload, callers) for payload in PAYLOADS for callers in CALLERS]
            if quick:
                cells = [("short", 1), ("short", 32), ("mixed", 8), ("mixed", 32)]
            plan = Plan(3 if quick else 6, self.arguments.rounds or (2 if quick else 5), cells)
            run_rounds(plan, servers, self.bodies, self._keep_cell, self.say)
        finally:
            for server in servers.values():
                server.stop()

    def _keep_cell(self, name: str, figures: Any) -> None:
        self.results.setdefault("cells", {})[name] = figures
        self.keep()

    def _start_and_check(
        self, kind: Kind, right: dict[str, list[list[str]]], servers: dict[str, ServerProcess]
    ) -> None:
        """Start a server, compare its answers with transformers', and warm it up."""
        server = start(kind, self.models, self.work)
        try:
            server.first_answer(self.payloads["short"][0].body())
            shares = [agreement(server, kind, self.payloads[name], right[name]) for name in self.payloads]
            self.results.setdefault("answers", {})[kind.name] = min(shares)
            if min(shares) < (1 if kind.exact else AGREEMENT):
                raise ServerError(
                    f"{kind.title} gives {1 - min(shares):.1%} of the texts another label than transformers."
                )
            for payload in self.bodies.values():
                run_wrk(server.port, payload, 8, 2)
            server.settle()
        except (ServerError, LoadError, OSError) as error:
            server.stop()
            self.results["failed"][kind.name] = str(error)
            self.say(f"{kind.name} is left out: {error}")
        else:
            servers[kind.name] = server
            self.say(f"{kind.name} answers: {min(shares):.2%} right")

    def start(self) -> None:
        """Each server alone."""
        quick = self.arguments.quick
        short = self.payloads["short"]
        right = self._right()["short"]
        rounds, weigh = (1, 1) if quick else (self.arguments.rounds or 5, 2)
        self.results["start"] = run_cold_starts(
            self.kinds, self.models, short, right, self.work, rounds, weigh, self.say
        )

    def saturation(self) -> None:
        """The compiled graphs beside themselves without a server."""
        rounds, seconds = (2, 3) if self.arguments.quick else (5, 6)
        for kind in self.kinds:
            if kind.name.partition(":")[0] not in (INT8, FP32):
                continue
            for payload in ("mixed", "short"):
                if self.arguments.quick and (payload == "short" or kind.name.startswith(FP32)):
                    continue
                figures = run_saturation(
                    kind,
                    self.models,
                    self.payloads[payload],
                    self.bodies[payload],
                    self.work,
                    rounds,
                    seconds,
                    self.say,
                )
                found = self.results.setdefault("saturation", {})
                found[f"{kind.name}-{payload}"] = {"server": kind.name, "payload": payload, **figures}
                self.keep()

    def size(self) -> None:
        """Images, or the packages that they would hold."""
        self.results["size"] = measure_sizes(dict(pair.split("=", 1) for pair in self.arguments.image))
        shown = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in self.results["size"]["bytes"].items())
        self.say(f"{self.results['size']['of']}: {shown}")

    def soak(self) -> None:
        """The compiled int8 graph, ten minutes without a pause."""
        seconds = self.arguments.soak_seconds or (20 if self.arguments.quick else 600)
        kind = KINDS[INT8]
        server = start(kind, self.models, self.work)
        try:
            server.first_answer(self.payloads["short"][0].body())
            both = self.work / "soak.jsonl"
            write_bodies([payload for payloads in self.payloads.values() for payload in payloads], both)
            figures = run_soak(server, both, seconds, self.say)
        finally:
            server.stop()
        self.results["soak"] = {kind.name: figures}


def make_payloads(tokenizer: Path) -> dict[str, list[Payload]]:
    """The requests of each kind.

    Raises:
        ServerError: there is no tokenizer to count tokens with.
    """
    from tokenizers import Tokenizer

    if not tokenizer.exists():
        raise ServerError(f"There is no model for the benchmark: {tokenizer} is missing.")
    reads = Tokenizer.from_file(str(tokenizer))
    reads.no_truncation()
    reads.no_padding()

    def count(text: str) -> int:
        return len(reads.encode(text).ids)

    sentences = read_sentences()
    return {"short": short_payloads(sentences, count), "mixed": mixed_payloads(sentences, count)}


def describe_payloads(payloads: Sequence[Payload]) -> dict[str, float]:
    """Their number and their lengths in tokens."""
    lengths = [payload.tokens for payload in payloads]
    found = {"requests": len(lengths), "mean_tokens": mean_tokens(payloads)}
    return found | {"shortest": min(lengths), "longest": max(lengths)}


def read_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog='make benchmark ARGS="…"', description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about three minutes: few and short rounds")
    parser.add_argument(
        "--only", type=_names(SECTIONS), default=list(SECTIONS), metavar="SECTIONS", help=", ".join(SECTIONS)
    )
    available = [name for name in KINDS if name != OURS_TOOLKIT or (TOOLKIT_VENV / "bin" / "python").exists()]
    parser.add_argument(
        "--servers",
        type=_servers,
        default=available,
        help=f"separated by blanks: {', '.join(KINDS)}; with other settings: {INT8}:SERVING_THREADS=1",
    )
    parser.add_argument("--rounds", type=int, help="rounds of each cell, and starts")
    parser.add_argument("--soak-seconds", type=int, help="how long the long run is; 600")
    parser.add_argument("--image", action="append", default=[], metavar="SERVER=IMAGE", help="a built image to weigh")
    parser.add_argument("--models", type=Path, default=REPOSITORY / "build" / "benchmarks" / "models")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build" / "benchmarks")
    parser.add_argument("--publish", action="store_true", help="write the results into docs/benchmarks.md as well")
    parser.add_argument("--report", type=Path, metavar="JSON", help="measure nothing; show the results of a file")
    return parser.parse_args(arguments)


def main() -> int:
    """Measure, write results.json and results.md, and say what was reached. Exit status 1 where something failed."""
    arguments = read_arguments()
    if arguments.report:
        results = json.loads(arguments.report.read_text(encoding="utf-8"))
    else:
        adopt_orphans()
        # Ended from outside it still has to take its servers with it.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        work = Path(tempfile.mkdtemp(prefix="benchmark-"))
        try:
            run = Run(arguments, work)
            for name in arguments.only:
                run.section(name, getattr(run, name))
            results = run.results
        except ServerError as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            shutil.rmtree(work, ignore_errors=True)
    made = render(results)
    arguments.output.mkdir(parents=True, exist_ok=True)
    (arguments.output / "results.md").write_text(made + "\n", encoding="utf-8")
    if arguments.publish:
        PAGE.write_text(insert(PAGE.read_text(encoding="utf-8"), made), encoding="utf-8")
    print(*summary_lines(verdicts(results)), sep="\n")
    print(f"All figures: {arguments.output}/results.md and results.json")
    return 1 if results["failed"] else 0


def _servers(text: str) -> list[str]:
    names = text.split()
    for name in names:
        try:
            find(name)
        except KeyError:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(KINDS)}") from None
    return names


def _names(known: Sequence[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return read


if __name__ == "__main__":
    sys.exit(main())
