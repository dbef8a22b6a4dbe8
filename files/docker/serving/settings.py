# SPDX-License-Identifier: GPL-3.0-or-later
"""What the environment says. Read once, at start; the table for people is in README.md beside this package."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from serving.errors import SettingsError
from serving.machine import usable_cpus

# Who wants pickled weights loaded has to say that they know what it means.
PICKLE_SENTENCE = "pickled-weights-can-run-code"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to serve, from the environment.

    The SAGEMAKER_* names are SageMaker's own and the HF_* names those of the Hugging Face containers, so that an
    environment written for them is understood here.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    model_dir: Path = Path("/opt/ml/model")
    # Empty: what the model's own files say.
    task: str = ""
    runtime: str = "compiled"
    model_id: str | None = None
    model_revision: str = "main"
    max_payload_bytes: int = 6 * 1024 * 1024
    max_inputs: int = 1024
    # None: what the handler asks for, or the server's own limits.
    max_batch_size: int | None = None
    max_batch_tokens: int | None = None
    batch_wait_ms: float = 2.0
    max_length: int | None = None
    queue_size: int = 256
    queue_rows: int = 16_384
    request_timeout: float = 60.0
    threads: int = 1
    log_level: str = "info"
    # For the runtime `toolkit`.
    dtype: str = "auto"
    torch_compile: bool = False
    allow_pickle: str = ""
    trust_remote_code: str = ""
    max_new_tokens: int = 1024
    max_streams: int = 4
    user_program: str = "inference"
    unknown: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read the environment.

        Raises:
            SettingsError: with one sentence for each value that cannot be used, all of them at once.
        """
        read = _Reader(environ)
        settings = cls(
            host=read.text("SERVING_HOST", cls.host),
            # Port 0 lets the system choose a free one; the "listening" line of the log names it.
            port=read.whole("SAGEMAKER_BIND_TO_PORT", cls.port, 0, 65535),
            model_dir=_model_dir(read.text("SERVING_MODEL_DIR", ""), read.text("SAGEMAKER_BASE_DIR", "/opt/ml")),
            task=read.text("HF_TASK", cls.task),
            runtime=read.choice("SERVING_RUNTIME", installed_runtime(), ("compiled", "toolkit")),
            model_id=read.text("HF_MODEL_ID", "") or None,
            model_revision=read.text("HF_MODEL_REVISION", cls.model_revision),
            max_payload_bytes=int(read.number("SERVING_MAX_PAYLOAD_MB", 6, 0.001, 100) * 1024 * 1024),
            max_inputs=read.whole("SERVING_MAX_INPUTS", cls.max_inputs, 1, 1_000_000),
            max_batch_size=read.whole("SERVING_MAX_BATCH_SIZE", 0, 1, 65_536) or None,
            max_batch_tokens=read.whole("SERVING_MAX_BATCH_TOKENS", 0, 1, 100_000_000) or None,
            batch_wait_ms=read.number("SERVING_BATCH_WAIT_MS", cls.batch_wait_ms, 0, 1000),
            max_length=read.whole("SERVING_MAX_LENGTH", 0, 8, 1_000_000) or None,
            queue_size=read.whole("SERVING_QUEUE_SIZE", cls.queue_size, 1, 10_000),
            queue_rows=read.whole("SERVING_QUEUE_ROWS", cls.queue_rows, 1, 10_000_000),
            request_timeout=read.number("SERVING_REQUEST_TIMEOUT", cls.request_timeout, 0.1, 3600),
            threads=read.whole("SERVING_THREADS", 0, 1, 1024) or usable_cpus(),
            log_level=read.choice("SERVING_LOG_LEVEL", cls.log_level, ("debug", "info", "warning", "error")),
            dtype=read.choice("SERVING_DTYPE", cls.dtype, ("auto", "float32", "float16", "bfloat16")),
            torch_compile=read.choice("SERVING_TORCH_COMPILE", "off", ("off", "on")) == "on",
            allow_pickle=read.matching(
                "SERVING_ALLOW_PICKLE", PICKLE_SENTENCE, f"empty, or the sentence {PICKLE_SENTENCE}"
            ),
            trust_remote_code=read.matching(
                "SERVING_TRUST_REMOTE_CODE", "[0-9a-f]{40}", "empty, or the 40 hexadecimal digits of a commit"
            ),
            max_new_tokens=read.whole("SERVING_MAX_NEW_TOKENS", cls.max_new_tokens, 1, 1_000_000),
            max_streams=read.whole("SERVING_MAX_STREAMS", cls.max_streams, 1, 1024),
            user_program=read.text("SAGEMAKER_PROGRAM", cls.user_program).removesuffix(".py"),
            unknown=read.unknown(),
        )
        if read.problems:
            raise SettingsError(read.problems)
        return settings


class _Reader:
    """Takes values out of an environment, and collects a sentence for each that does not fit.

    A variable that is set to nothing counts as not set: that is how a template leaves one out.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._names: list[str] = []
        self.problems: list[str] = []

    def text(self, name: str, default: str) -> str:
        self._names.append(name)
        return self._environ.get(name, "").strip() or default

    def number(self, name: str, default: float, low: float, high: float) -> float:
        raw = self.text(name, "")
        if not raw:
            return default
        try:
            value = float(raw)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            self.problems.append(f"{name} is {raw!r}; it must be a number from {low:g} to {high:g}.")
            return default
        return value

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        raw = self.text(name, "")
        if not raw:
            return default
        # isdecimal() alone takes digits of other scripts, and int() takes underscores.
        if not (raw.isascii() and raw.isdecimal() and len(raw) < 10 and low <= int(raw) <= high):
            self.problems.append(f"{name} is {raw!r}; it must be a whole number from {low} to {high}.")
            return default
        return int(raw)

    def matching(self, name: str, pattern: str, right: str) -> str:
        """A value that matches a regular expression as a whole, or nothing."""
        value = self.text(name, "")
        if value and not re.fullmatch(pattern, value):
            # The value is not shown: what was meant for another variable may be a secret.
            self.problems.append(f"{name} cannot be used; it must be {right}.")
            return ""
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, default).lower()
        if value not in choices:
            self.problems.append(f"{name} is {value!r}; it must be one of {', '.join(choices)}.")
            return default
        return value

    def unknown(self) -> tuple[str, ...]:
        """One sentence for each SERVING_* variable that means nothing here: most often a typing slip."""
        sentences = []
        for name in sorted(self._environ):
            if name.startswith("SERVING_") and name not in self._names:
                near = difflib.get_close_matches(name, self._names, n=1, cutoff=0.8)
                sentences.append(f"{name} is not a setting{f'; did you mean {near[0]}?' if near else '.'}")
        return tuple(sentences)


def installed_runtime() -> str:
    """The runtime that this image was built for: `toolkit` where the toolkit is installed, else `compiled`."""
    return "compiled" if find_spec("sagemaker_huggingface_inference_toolkit") is None else "toolkit"


def _model_dir(chosen: str, base_dir: str) -> Path:
    # An image that holds its model keeps it outside /opt/ml, over which SageMaker may mount.
    return Path(chosen) if chosen else Path(base_dir) / "model"
