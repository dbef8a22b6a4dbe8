# SPDX-License-Identifier: GPL-3.0-or-later
"""A handler, loaded with a model and asked as the server asks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from serving.handler import RawAnswer, Request
from serving.settings import Settings


class Asked:
    """A handler, asked as the server asks it, with all rows of a group in one batch."""

    def __init__(self, handler: Any) -> None:
        self.handler = handler

    def ask(self, inputs: Any, parameters: dict[str, Any] | None = None, **request: Any) -> Any:
        return self.ask_request(Request(inputs, parameters or {}, **request))

    def ask_request(self, request: Request) -> Any:
        rows = list(self.handler.preprocess(request))
        outputs: list[Any] = [None] * len(rows)
        for group in dict.fromkeys(row.group for row in rows):
            indices = [index for index, row in enumerate(rows) if row.group == group]
            found = self.handler.inference([rows[index] for index in indices], 1)
            for index, output in zip(indices, found, strict=True):
                outputs[index] = output
        for output in outputs:
            if isinstance(output, Exception):
                raise output
        answer = self.handler.postprocess(request, rows, outputs)
        return answer if isinstance(answer, RawAnswer) else jsonable(answer)


def jsonable(value: Any) -> Any:
    """As the answer is once it was JSON."""
    import orjson

    return orjson.loads(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY))


def load(directory: Path, **settings: Any) -> Asked:
    """A handler with the model of a directory."""
    from serving.toolkit import ToolkitHandler

    handler = ToolkitHandler()
    handler.initialize(Settings(model_dir=directory, **settings))
    return Asked(handler)
