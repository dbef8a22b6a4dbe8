# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as a page: what was required beside what was measured, and then all ratios. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from benchmark_requirements import (
    CALLERS,
    FIGURES,
    FP32,
    INT8,
    OURS_TOOLKIT,
    PAYLOADS,
    TOOLKIT,
    Requirement,
    Verdict,
    cell,
    requirements,
)
from benchmark_servers import find
from benchmark_statistics import Ratio, ratio

BEGIN = "<!-- Made by `make benchmark`. What stands between these two lines is written over. -->"
END = "<!-- End of what `make benchmark` makes. -->"

Results = Mapping[str, Any]

# The share of the graph's own speed that has to be left when it is served.
SATURATION = 0.90
_OURS = (INT8, FP32, OURS_TOOLKIT)
_WHOLE = {
    "start": "process start → first correct answer",
    "memory": "memory after 1,000 requests",
    "size": "size of the image",
}


def verdicts(results: Results) -> list[Verdict]:
    """Each comparison that is required, with what was measured of it."""
    return [Verdict(requirement, measured(results, requirement)) for requirement in requirements()]


def measured(results: Results, requirement: Requirement) -> Ratio | None:
    """The ratio that a requirement is about; None where one of the two was not measured."""
    return compare(results, requirement.cell, requirement.figure, requirement.ours, requirement.peer)


def compare(results: Results, where: str, figure: str, ours: str, peer: str) -> Ratio | None:
    """How many times better ours is in a cell, or None.

    Times of answers are compared by their percentile over all rounds, since one round of a slow server has too few
    answers; the spread is that of the rounds.
    """
    if where == "size":
        sizes = results.get("size", {}).get("bytes", {})
        both = [[sizes[name]] if name in sizes else [] for name in (ours, peer)]
    elif where in ("start", "memory"):
        figures = results.get("start", {})
        name_of_figure = "seconds" if where == "start" else "pss"
        both = [figures.get(name, {}).get(name_of_figure, []) for name in (ours, peer)]
    else:
        servers = results.get("cells", {}).get(where, {}).get("servers", {})
        both = [servers.get(name, {}).get(figure, []) for name in (ours, peer)]
    if not all(both):
        return None
    rounds = min(map(len, both))
    try:
        found = ratio(both[0][:rounds], both[1][:rounds], smaller_is_better=figure != "rps")
    except ValueError:
        return None
    if figure in ("p50", "p99"):
        pooled = [servers[name]["pooled"][figure] for name in (peer, ours)]
        found = Ratio(pooled[0] / pooled[1], found.low, found.high, found.rounds)
    return found


def render(results: Results) -> str:
    """The part of docs/benchmarks.md that is made."""
    parts = [_about(results), _required(results), _others(results), _all_ratios(results), _whole_processes(results)]
    return "\n\n".join(["\n".join(part) for part in parts if part])


def insert(page: str, made: str) -> str:
    """Put the made part into a page.

    Raises:
        ValueError: the page has not the two lines that it belongs between.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page must have the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}"


def _about(results: Results) -> list[str]:
    kind = "A quick run: few and short rounds" if results.get("quick") else "A full run"
    lines = [f"{kind}, {results['started'][:10]}, {results.get('minutes', 0):.0f} minutes.", ""]
    lines += ["| | |", "|---|---|"]
    lines += [f"| {name} | {text} |" for name, text in results.get("machine", {}).items()]
    lines += [f"| `{venv}` | {text} |" for venv, text in results.get("versions", {}).items() if text]
    for name, payload in results.get("payloads", {}).items():
        shortest, longest = payload["shortest"], payload["longest"]
        text = f"{payload['requests']} requests, mean {payload['mean_tokens']:.1f} tokens, {shortest} to {longest}"
        lines.append(f"| {PAYLOADS[name]} | {text} |")
    for name, share in results.get("answers", {}).items():
        lines.append(f"| right answers, {_title(name)} | {share:.2%} |")
    for name, reason in results.get("failed", {}).items():
        lines.append(f"| **failed**: {name} | {reason} |")
    return lines


def _required(results: Results) -> list[str]:
    found = verdicts(results)
    reached = sum(verdict.word == "reached" for verdict in found)
    lines = ["### What is required", ""]
    lines += [f"{reached} of {len(found)} comparisons reach what is required.", ""]
    lines += ["| load | figure | ours | peer | required | measured | | |", "|---|---|---|---|---|---|---|---|"]
    for verdict in found:
        needed = verdict.requirement
        word = verdict.word if verdict.word == "reached" else f"**{verdict.word}**"
        doubt = "" if verdict.measured is None or verdict.certain else "the rounds disagree"
        names = (FIGURES.get(needed.figure, ""), _title(needed.ours), _title(needed.peer))
        columns = (_load(needed.cell), *names, _factor(needed.factor), _shown(verdict.measured), word, doubt)
        lines.append(f"| {' | '.join(columns)} |")
    return lines


def _others(results: Results) -> list[str]:
    """What is compared with no peer: the limit of the backend, and the long run."""
    lines = []
    for entry in results.get("saturation", {}).values():
        share = ratio(entry["served"], entry["bare"], smaller_is_better=False)
        word = "reached" if share.value >= SATURATION else "**not reached**"
        if entry["payload"] != "mixed":
            word = "–"
        lines.append(
            f"| {_title(entry['server'])}, {PAYLOADS[entry['payload']]} | {SATURATION:.2f} | {_shown(share)} | {word} "
            f"| {entry['mean_rows']:.1f} | {entry['padding']:.0%} | {entry['ways']} | {entry['generator_share']:.1%} |"
        )
    if lines:
        head = "| served | required | share | | rows a batch | padding | bare runs | load generator's processor time |"
        lines = ["### Tokens a second, served ÷ the graph alone", "", head, "|---|---|---|---|---|---|---|---|", *lines]
    for name, entry in results.get("soak", {}).items():
        if not any(line.startswith("### The long run") for line in lines):
            lines += ["", "### The long run", ""]
        word = "reached" if entry["flat"] and not entry["errors"] else "**not reached**"
        trend = [entry[key] / 1e6 for key in ("growth", "growth_low", "growth_high")]
        errors = f"{entry['errors']} errors" + (f" ({entry['first_error']})" if entry["errors"] else "")
        interval = f"{trend[0]:+.1f} MB an hour (95 %: {trend[1]:+.1f} to {trend[2]:+.1f})"
        lines.append(
            f"{_title(name)}: {entry['answers']:,} answers in {entry['seconds'] / 60:.1f} minutes, {errors}; memory "
            f"{entry['pss'][-1][1] / 1e6:.0f} MB at the end, trend {interval}: {word}."
        )
    return lines


def _all_ratios(results: Results) -> list[str]:
    lines = [
        "### All ratios",
        "",
        "How many times better ours is; in parentheses the lowest and the highest of a round.",
    ]
    for ours, peer in _pairs(results):
        rows = []
        for payload in PAYLOADS:
            for callers in CALLERS:
                found = [compare(results, cell(payload, callers), figure, ours, peer) for figure in FIGURES]
                if any(found):
                    rows.append(f"| {_load(cell(payload, callers))} | " + " | ".join(map(_shown, found)) + " |")
        if rows:
            lines += ["", f"**{_title(ours)} beside {_title(peer)}**", ""]
            lines += ["| load | " + " | ".join(FIGURES.values()) + " |", "|---|---|---|---|", *rows]
    return lines if len(lines) > 3 else []


def _pairs(results: Results) -> Iterator[tuple[str, str]]:
    """Each of ours beside each peer, and one with other settings beside the one without."""
    names = list(results.get("servers", ()))
    for ours in names:
        kind = ours.partition(":")[0]
        for peer in names:
            beside_peer = kind in _OURS and peer not in _OURS and ":" not in peer
            if beside_peer or peer == kind != ours:
                yield ours, peer


def _whole_processes(results: Results) -> list[str]:
    """Start, memory and size of each server beside the toolkit on multi-model-server."""
    lines = []
    for where, text in _WHOLE.items():
        for name in results.get("servers", ()):
            found = compare(results, where, "", name, TOOLKIT)
            if found is not None and name != TOOLKIT:
                lines.append(f"| {text} | {_title(name)} | {_shown(found)} | {_level(results, where, name)} |")
        level = _level(results, where, TOOLKIT)
        if level:
            lines.append(f"| {text} | {_title(TOOLKIT)} | 1 | {level} |")
    if not lines:
        return []
    of = results.get("size", {}).get("of")
    note = [f"Sizes are of {of}."] if of else []
    return [
        "### Start, memory and size",
        "",
        "| | server | times better | median |",
        "|---|---|---|---|",
        *lines,
        "",
        *note,
    ]


def _level(results: Results, where: str, name: str) -> str:
    if where == "size":
        size = results.get("size", {}).get("bytes", {}).get(name)
        return f"{size / 1e6:,.0f} MB" if size else ""
    figures = results.get("start", {}).get(name, {})
    if where == "start":
        return f"{median(figures['seconds']):.2f} s" if figures.get("seconds") else ""
    return f"{median(figures['pss']) / 1e6:,.0f} MB" if figures.get("pss") else ""


def _title(name: str) -> str:
    return find(name).title


def _load(name: str) -> str:
    if name in _WHOLE:
        return _WHOLE[name]
    payload, _, callers = name.partition("-")
    return f"{PAYLOADS[payload]}, {callers} caller{'' if callers == '1' else 's'}"


def _factor(value: float) -> str:
    return "never worse" if value == 1 else f"≥ {value:g}×"


def _shown(found: Ratio | None) -> str:
    if found is None:
        return "–"
    digits = 1 if found.value >= 10 else 2
    spread = f" ({found.low:.{digits}f}–{found.high:.{digits}f})" if found.rounds > 1 else ""
    return f"{found.value:.{digits}f}{spread}"


def summary_lines(found: Sequence[Verdict]) -> list[str]:
    """One line for each requirement, for the terminal."""
    lines = []
    for verdict in found:
        needed = verdict.requirement
        names = f"{_title(needed.ours)} beside {_title(needed.peer)}"
        where = f"{_load(needed.cell)}{', ' + FIGURES[needed.figure] if needed.figure in FIGURES else ''}"
        lines.append(
            f"{verdict.word:13} {where}: {names}: {_shown(verdict.measured)}, required {_factor(needed.factor)}"
        )
    return lines
