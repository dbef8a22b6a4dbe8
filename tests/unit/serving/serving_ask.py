# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a handler as the server does, without the server: rows, batches of like length, answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from serving.handler import Request
from serving.settings import Settings
from serving.tasks.handler import CompiledHandler


def load(model: Path, task: str = "", **settings: Any) -> CompiledHandler:
    """A handler with a model, ready to answer."""
    handler = CompiledHandler()
    handler.initialize(Settings(model_dir=model, task=task, **settings))
    return handler


def answer(handler: CompiledHandler, inputs: Any, parameters: dict[str, Any] | None = None, batch: int = 5) -> Any:
    """The predictions for one request, its rows in batches of neighbours in length."""
    request = Request(inputs, parameters or {})
    rows = handler.preprocess(request)
    outputs: list[Any] = [None] * len(rows)
    order = sorted(range(len(rows)), key=lambda index: rows[index].length)
    for start in range(0, len(order), batch):
        members = order[start : start + batch]
        for index, output in zip(members, handler.inference([rows[index] for index in members], 1), strict=True):
            outputs[index] = output
    return handler.postprocess(request, rows, outputs)
