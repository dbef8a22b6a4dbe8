# SPDX-License-Identifier: GPL-3.0-or-later
"""From a model directory to a compiled one: export, optimise, quantise, check, write."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
import torch
from tokenizers import Tokenizer

from compiler import agreement, calibration, measure, report
from compiler.agreement import Agreement, Bounds, Floats
from compiler.attempts import attempts
from compiler.errors import CompileError
from compiler.examples import Example, examples
from compiler.export import OPSET, export, task_model
from compiler.optimise import optimise, tensor_bytes
from compiler.quantise import Seen
from compiler.source import Source, load
from compiler.tasks import find

GRAPH = "model.onnx"
TENSORS = "model.onnx_data"
# What a tokenizer and sentence-transformers need beside the graph; weights and code are none of it.
_KEPT = (
    *("config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "*_Pooling/config.json"),
    *("README.md", "LICENSE", "LICENSE.txt", "LICENSE.md"),
)

# From this size on, in bytes, the tensors get a file of their own.
_LARGE = 8_000_000

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is compiled, and how. `precision` is "auto" (int8 if it agrees) or "fp32"."""

    source: Path
    destination: Path
    task: str
    calibration: Path | None = None
    precision: str = "auto"
    allow_pickle: bool = False
    origin: dict[str, str] = field(default_factory=dict)
    say: Say = print
    threads: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))


@dataclass(frozen=True)
class _Check:
    """The torch model's answers to the check texts, to compare graphs with."""

    source: Source
    inputs: tuple[str, ...]
    output: str
    rows: Sequence[Example]
    expected: Sequence[Floats]
    threads: int

    def of(self, model: onnx.ModelProto) -> Agreement:
        """How far a graph agrees."""
        run = measure.on_onnxruntime(model, self.output, self.threads)
        return measure.compare(self.source, self.expected, measure.answers(run, self.source, self.inputs, self.rows))


def compile_model(options: Options) -> dict[str, Any]:
    """Compile, write the destination, and give the report.

    Raises:
        CompileError: the model cannot be compiled, or its float32 graph does not agree with torch.
    """
    task = find(options.task)
    if options.destination.exists() and any(options.destination.iterdir()):
        raise CompileError(f"{options.destination} is not empty; name a directory that does not exist yet.")
    torch.set_num_threads(options.threads)
    texts = calibration.read(options.calibration)
    with _step(options.say, f"read {options.source}"):
        source = load(options.source, task, options.allow_pickle)
    with _step(options.say, f"export {type(source.model).__name__} for {task.name}"):
        graph = export(source.model, source.tokenizer, task, source.head)
    with _step(options.say, "optimise"):
        graph = optimise(graph)
    wrapped = task_model(source.model, source.tokenizer, task, source.head)
    rows = examples(source, texts.check)
    with _step(options.say, f"run the original on {len(rows)} texts"):
        expected = measure.answers(measure.on_torch(wrapped), source, wrapped.inputs, rows)
    check = _Check(source, wrapped.inputs, wrapped.outputs[-1], rows, expected, options.threads)
    exact = check.of(graph)
    failures = exact.failures(agreement.FLOAT32)
    if failures:
        raise CompileError(
            f"The graph does not agree with {type(source.model).__name__} on torch: {'; '.join(failures)}. "
            "Set image_runtime: toolkit to serve it with torch instead."
        )
    options.say(f"fp32 agrees: {report.summary(exact)}")
    if options.precision == "auto":
        with _step(options.say, f"watch {len(texts.ranges)} texts go through"):
            seen = measure.watch(graph, wrapped.inputs, examples(source, texts.ranges), options.threads)
        graph, entries = _int8_if_it_agrees(options.say, graph, seen, check, exact)
    else:
        entries = _entries("fp32", "fp32 was asked for.", exact, agreement.FLOAT32)
    result = {
        "format": report.FORMAT,
        "task": source.task.name,
        "architecture": type(source.model).__name__,
        "graph": GRAPH,
        "optimised": True,
        **entries,
        "source": options.origin,
        "versions": report.versions(),
        "opset": OPSET,
    }
    _write(options.destination, source, graph, result, texts.check)
    size = sum(path.stat().st_size for path in options.destination.rglob("*") if path.is_file())
    options.say(f"wrote {options.destination}: {result['precision']}, {size / 1e6:.1f} MB")
    return result


def _int8_if_it_agrees(
    say: Say, graph: onnx.ModelProto, seen: Mapping[str, Seen], check: _Check, exact: Agreement
) -> tuple[onnx.ModelProto, dict[str, Any]]:
    """The first attempt at int8 that agrees, else the graph as it is; and what the report says of it."""
    tried: dict[str, Any] = {}
    reason = ""
    for attempt in attempts(graph, seen):
        with _step(say, f"quantise{attempt.how}"):
            small = attempt.make()
        quantised = check.of(small)
        problems = quantised.failures(agreement.INT8)
        if not problems:
            reason = f"int8{attempt.how} agrees with the original: {report.summary(quantised)}."
            say(reason.rstrip("."))
            return small, _entries("int8", reason, quantised, agreement.INT8)
        # The last attempt is the one that keeps most, so it is the one to tell of.
        tried = report.agreement_entry(quantised, agreement.INT8)
        reason = f"int8 does not agree well enough, even{attempt.how or ' as it is'}: {'; '.join(problems)}."
        say(f"int8{attempt.how} does not agree: {'; '.join(problems)}")
    say(reason.rstrip("."))
    return graph, _entries("fp32", reason, exact, agreement.FLOAT32) | {"int8_agreement": tried}


def _entries(precision: str, reason: str, checked: Agreement, bounds: Bounds) -> dict[str, Any]:
    return {"precision": precision, "reason": reason, "agreement": report.agreement_entry(checked, bounds)}


def _write(
    destination: Path, source: Source, graph: onnx.ModelProto, result: dict[str, Any], texts: Sequence[str]
) -> None:
    destination.mkdir(parents=True, exist_ok=True)
    for pattern in _KEPT:
        for path in sorted(source.directory.glob(pattern)):
            target = destination / path.relative_to(source.directory)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, target)
    _write_tokenizer(destination / "tokenizer.json", source, texts)
    # onnxruntime maps tensors that lie beside the graph: less memory, and half the time to load.
    beside = tensor_bytes(graph) >= _LARGE
    onnx.save(graph, str(destination / GRAPH), save_as_external_data=beside, location=TENSORS, size_threshold=1024)
    result["graph_sha256"] = report.sha256(destination / GRAPH)
    if (destination / TENSORS).is_file():
        (destination / TENSORS).chmod(0o644)  # onnx makes it readable by its owner only
        result["graph_data_sha256"] = report.sha256(destination / TENSORS)
    report.write(destination, result)


def _write_tokenizer(path: Path, source: Source, texts: Sequence[str]) -> None:
    """The model's own file, unless transformers reads it otherwise: what was checked is what is served."""
    own = source.directory / path.name
    backend = source.tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    if own.is_file():
        written = Tokenizer.from_file(str(own))
        written.no_truncation()
        written.no_padding()
        if all(backend.encode(text).ids == written.encode(text).ids for text in texts):
            shutil.copyfile(own, path)
            return
    backend.save(str(path), pretty=False)


@contextmanager
def _step(say: Say, name: str) -> Iterator[None]:
    say(f"{name} …")
    started = time.monotonic()
    yield
    say(f"{name} … ok, {time.monotonic() - started:.1f} s")
