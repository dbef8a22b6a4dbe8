# SPDX-License-Identifier: GPL-3.0-or-later
"""A graph on onnxruntime: loading it, checking it, and choosing the threads of each run.

Why the settings are what they are, measured on DistilBERT-base, two processors:

- No memory arena. It never gives back what the largest batch took: 373 MB resident after batches of mixed shapes
  against 231 MB, at the same speed.
- No spinning. Threads that wait by spinning take the processor from the rest of the server: twice the processor time
  per token for a lone caller. `session.force_spinning_stop` does not help enough.
- A session of one thread for runs beside others: it gets 2 to 6 percent more tokens out of a processor second than a
  session of two threads that two callers share (int8; 10 percent with fp32).
- A second, wide session for the lone caller, who has all processors to himself. It costs the packed weights a second
  time, so where memory is short a big graph has to do with one session of all threads. That costs the others a sixth:
  69 against 58 requests/s (fp32, 32 callers, mixed lengths).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from serving import log
from serving.errors import ModelLoadError
from serving.machine import usable_memory
from serving.model_directory import Compilation, ModelDirectory
from serving.sums import SUMS, sha256_of

# Up to this size of graph and tensors together, or this part of the memory, the lone caller gets a session of its own.
# The first lets DistilBERT in int8 have it everywhere; with the second the two sessions hold a quarter of the memory.
_WIDE_SESSION_BYTES = 160 * 1024 * 1024
_WIDE_SESSION_SHARE = 8

_DTYPES: dict[str, type[np.integer]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}

Feeds = Mapping[str, npt.NDArray[np.integer]]


class Graph:
    """A loaded graph. `run` may be called in several threads at a time.

    Attributes:
        inputs: the type of number that each input takes.
        outputs: the shape of each output: numbers where it is fixed, names or None where it is not.
    """

    def __init__(self, directory: ModelDirectory, threads: int) -> None:
        """Load the graph of a model directory, with all processors in use for the lone caller.

        Raises:
            ModelLoadError: there is none, it is not the one that was compiled, or onnxruntime cannot load it.
        """
        if directory.graph is None:
            raise ModelLoadError(
                f"The model directory {directory.path} has no graph (model.onnx): {directory.holding()}. "
                "Compile the model at packaging time, or use the image with image_runtime: toolkit."
            )
        self.path = directory.graph
        self._compilation = directory.compilation()
        self._threads = threads
        self._wide: onnxruntime.InferenceSession | None = None
        self._wide_wanted = has_two_sessions(_size(self.path), threads, usable_memory())
        self._lock = threading.Lock()
        # Hashing and loading read the same file and do not wait for each other's result.
        with ThreadPoolExecutor(1) as beside:
            checked = beside.submit(_check_sums, directory, self._compilation)
            shared = 1 if self._wide_wanted else threads
            try:
                self._session = _load(self.path, self._compilation, shared)
            finally:
                # A damaged file may also not load; that it is damaged is what the person must know.
                checked.result()
        self.inputs = {node.name: _DTYPES.get(node.type) for node in self._session.get_inputs()}
        self.outputs = {node.name: tuple(node.shape) for node in self._session.get_outputs()}

    def run(self, output: str, feeds: Feeds, threads: int = 1) -> npt.NDArray[np.float32]:
        """One output of the graph.

        Args:
            feeds: every input of the graph, in its type of number.
            threads: 1 while other runs go on beside this one; more for a lone one.
        """
        session = self._session
        if threads > 1 and self._wide_wanted:
            session = self._wide or self._prepare_wide()
        return np.asarray(session.run([output], feeds)[0])

    def _prepare_wide(self) -> onnxruntime.InferenceSession:
        """Load the wide session in the background, so that no request waits for it; until then the other one runs."""
        if self._lock.acquire(blocking=False):
            threading.Thread(target=self._load_wide, name="wide-session", daemon=True).start()
        return self._session

    def _load_wide(self) -> None:
        try:
            self._wide = _load(self.path, self._compilation, self._threads)
        except ModelLoadError as error:
            # Most likely memory. The model answers without it; the lock stays taken, so it is not tried again.
            log.warning("wide_session_failed", message=str(error))


def has_two_sessions(size: int, threads: int, memory: int) -> bool:
    """Whether the lone caller gets a session of its own.

    Args:
        size: bytes of the graph and its tensors.
        threads: how many may run, one caller's or several callers'.
        memory: bytes that the container may use.
    """
    return threads > 1 and size <= max(_WIDE_SESSION_BYTES, memory // _WIDE_SESSION_SHARE)


def _load(path: Path, compilation: Compilation | None, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if compilation is not None and compilation.optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # Errors only: its warnings are about the graph's nodes, line after line, and not for the person who deploys.
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # onnxruntime has one exception class per status code, with no common base but Exception.
        first_line = str(error).strip().partition("\n")[0]
        raise ModelLoadError(f"{path} cannot be loaded as a graph: {first_line}") from None


def _check_sums(directory: ModelDirectory, compilation: Compilation | None) -> None:
    """Compare the graph with the compiler's report, unless SHA256SUMS covered it already.

    Raises:
        ModelLoadError: it is missing or another one.
    """
    if compilation is None or (directory.path / SUMS).is_file():
        return
    for name, wanted in compilation.sha256.items():
        path = directory.path / name
        if not path.is_file():
            raise ModelLoadError(f"{directory.path} has no {name}, which its compilation.json names.")
        if sha256_of(path) != wanted:
            raise ModelLoadError(
                f"{path} is not the file that was compiled: its SHA-256 is not the one in compilation.json. "
                "It was damaged on its way, or changed afterwards; package the model again."
            )


def _size(path: Path) -> int:
    """Bytes of a graph with the file of tensors that may lie beside it."""
    beside = (path.with_name(f"{path.name}_data"), path.with_name(f"{path.name}.data"))
    return sum(file.stat().st_size for file in (path, *beside) if file.is_file())
