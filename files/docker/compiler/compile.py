# SPDX-License-Identifier: GPL-3.0-or-later
"""From a model directory to a compiled one: export, optimise, quantise, check, write."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
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
    precision, reason, checked, bounds = "fp32", "fp32 was asked for.", exact, agreement.FLOAT32
    rejected: dict[str, Any] = {}
    if options.precision == "auto":
        with _step(options.say, f"watch {len(texts.ranges)} texts go through"):
            seen = measure.watch(graph, wrapped.inputs, examples(source, texts.ranges), options.threads)
        for attempt in attempts(graph, seen):
            with _step(options.say, f"quantise{attempt.how}"):
                small = attempt.make()
            quantised = check.of(small)
            problems = quantised.failures(agreement.INT8)
            if not problems:
                precision, checked, bounds, graph = "int8", quantised, agreement.INT8, small
                reason = f"int8{attempt.how} agrees with the original: {report.summary(quantised)}."
                break
            # The last attempt is the one that keeps most, so it is the one to tell of.
            rejected = report.agreement_entry(quantised, agreement.INT8)
            reason = f"int8 does not agree well enough, even{attempt.how or ' as it is'}: {'; '.join(problems)}."
            options.say(f"int8{attempt.how} does not agree: {'; '.join(problems)}")
        if precision == "int8":
            rejected = {}
        options.say(reason.rstrip("."))
    result = _result(options, source, precision, reason, checked, bounds, rejected)
    _write(options.destination, source, graph, result, texts.check)
    size = sum(path.stat().st_size for path in options.destination.rglob("*") if path.is_file())
    options.say(f"wrote {options.destination}: {precision}, {size / 1e6:.1f} MB")
    return result


def _result(
    options: Options,
    source: Source,
    precision: str,
    reason: str,
    checked: Agreement,
    bounds: Bounds,
    rejected: dict[str, Any],
) -> dict[str, Any]:
    report_: dict[str, Any] = {
        "format": report.FORMAT,
        "task": source.task.name,
        "architecture": type(source.model).__name__,
        "graph": GRAPH,
        "optimised": True,
        "precision": precision,
        "reason": reason,
        "agreement": report.agreement_entry(checked, bounds),
    }
    if rejected:
        report_["int8_agreement"] = rejected
    return report_ | {"source": options.origin, "versions": report.versions(), "opset": OPSET}


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
