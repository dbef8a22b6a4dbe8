# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that is sent while it is generated, as server-sent events.

Each event is `data: ` and one JSON object, named as in text-generation-inference, so that its clients understand it:
{"token": {"text": " dogs"}, "generated_text": null}, and at the end {"token": {"text": ""}, "generated_text": "…",
"details": {"finish_reason": "length" | "eos_token" | "stop_sequence" | "time", "generated_tokens": 20}}. Where the
model fails after the first piece: {"error": "…", "error_type": "generation"}.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

from transformers import StoppingCriteria, TextIteratorStreamer

from serving import log

CONTENT_TYPE = "text/event-stream"


class StopWhen(StoppingCriteria):
    """Ends a generation at the next token once an event is set."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        import torch

        return torch.full((input_ids.shape[0],), self._stopped.is_set(), dtype=torch.bool, device=input_ids.device)


class _Streamer(TextIteratorStreamer):
    """Counts the tokens that pass, and remembers the last."""

    def __init__(self, tokenizer: Any, clean_up: bool) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True, clean_up_tokenization_spaces=clean_up)
        self.tokens = 0
        self.last: int | None = None
        self._prompt_passed = False

    def put(self, value: Any) -> None:
        # The prompt is the first that comes.
        if self._prompt_passed:
            self.tokens += value.numel()
            self.last = int(value.reshape(-1)[-1])
        self._prompt_passed = True
        super().put(value)


class TextStream(Iterator[bytes]):
    """One generation. `next` blocks until there is a piece; `close` ends the generation, and may come at any time."""

    def __init__(
        self,
        generate: Callable[[_Streamer, StopWhen], None],
        tokenizer: Any,
        most_tokens: int,
        clean_up: bool,
        on_end: Callable[[], None],
    ) -> None:
        """Make the stream; the first `next` starts it.

        Args:
            generate: runs the model to its end, in a thread of the stream's.
            most_tokens: after how many tokens the model is stopped.
            clean_up: whether spaces before punctuation are taken out, as the pipeline does.
            on_end: called once, when the generation has ended or was given up.
        """
        self._streamer = _Streamer(tokenizer, clean_up)
        self._generate = generate
        self._eos = tokenizer.eos_token_id
        self._most_tokens = most_tokens
        self._stopped = threading.Event()
        self._failed = False
        self._on_end: Callable[[], None] | None = on_end
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pieces: list[str] = []
        self._state = "new"

    def __next__(self) -> bytes:
        """The next event.

        Raises:
            StopIteration: there was a last one.
        """
        with self._lock:
            if self._state == "new":
                self._state = "running"
                self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
                self._thread.start()
        if self._state == "ended":
            raise StopIteration
        for piece in self._streamer:
            if piece:
                self._pieces.append(piece)
                return _event({"token": {"text": piece}, "generated_text": None})
        self._state = "ended"
        if self._thread is not None:
            self._thread.join()
        if self._failed:
            return _event(
                {"error": "The model failed at this request; the log has the reason.", "error_type": "generation"}
            )
        details = {"finish_reason": self._finish_reason(), "generated_tokens": self._streamer.tokens}
        return _event({"token": {"text": ""}, "generated_text": "".join(self._pieces), "details": details})

    def close(self) -> None:
        """End the generation at its next token."""
        self._stopped.set()
        with self._lock:
            never_started = self._state == "new"
            self._state = "ended"
        if never_started:
            self._end()

    def __del__(self) -> None:
        self.close()

    def _run(self) -> None:
        try:
            self._generate(self._streamer, StopWhen(self._stopped))
        except BaseException as error:
            self._failed = True
            log.error("stream_failed", **log.describe(error))
        finally:
            # generate ends the stream itself where it succeeds; twice does no harm, never would hang the reader.
            self._streamer.end()
            self._end()

    def _end(self) -> None:
        with self._lock:
            on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end()

    def _finish_reason(self) -> str:
        eos = self._eos if isinstance(self._eos, list) else [self._eos]
        if self._streamer.last in eos:
            return "eos_token"
        if self._streamer.tokens >= self._most_tokens:
            return "length"
        return "stop_sequence"


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n\n"
