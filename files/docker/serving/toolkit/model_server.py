# SPDX-License-Identifier: GPL-3.0-or-later
"""What the toolkit and users' code expect of multi-model-server, without its Java server.

The toolkit imports one exception of its Python package, and hands users' functions a context of that server. Names and
behaviour are those of mms/service.py and mms/context.py in multi-model-server 1.1.11.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any


class PredictionException(Exception):
    """What a user's function raises to answer with a status and a message of its own."""

    def __init__(self, message: str, error_code: int = 500) -> None:
        self.message = message
        self.error_code = error_code
        super().__init__(message)

    def __str__(self) -> str:
        return f"{self.message} : {self.error_code}"


def import_toolkit() -> ModuleType:
    """Import the toolkit's handler service, with a stand-in for multi-model-server where that is not installed."""
    if "mms" not in sys.modules and importlib.util.find_spec("mms") is None:
        package, service = ModuleType("mms"), ModuleType("mms.service")
        service.PredictionException = PredictionException  # type: ignore[attr-defined]
        package.service = service  # type: ignore[attr-defined]
        sys.modules |= {"mms": package, "mms.service": service}
    return importlib.import_module("sagemaker_huggingface_inference_toolkit.handler_service")


class Metrics:
    """Takes what users count and drops it: the server has metrics of its own."""

    def add_counter(self, *arguments: Any, **named: Any) -> None: ...

    def add_time(self, *arguments: Any, **named: Any) -> None: ...

    def add_size(self, *arguments: Any, **named: Any) -> None: ...

    def add_percent(self, *arguments: Any, **named: Any) -> None: ...

    def add_error(self, *arguments: Any, **named: Any) -> None: ...

    def add_metric(self, *arguments: Any, **named: Any) -> None: ...


class RequestProcessor:
    """The headers of one request, and the status and headers that a user's function sets for its answer."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._request_headers = headers
        self._response_headers: dict[str, str] = {}
        self._status: tuple[int, str | None] = (200, None)

    def get_request_property(self, key: str) -> str | None:
        return self._request_headers.get(key)

    def get_request_properties(self) -> dict[str, str]:
        return self._request_headers

    def report_status(self, code: int, reason_phrase: str | None = None) -> None:
        self._status = (code, reason_phrase)

    def get_response_status_code(self) -> int:
        return self._status[0]

    def get_response_status_phrase(self) -> str | None:
        return self._status[1]

    def add_response_property(self, key: str, value: str) -> None:
        self._response_headers[key] = value

    def get_response_headers(self) -> dict[str, str]:
        return self._response_headers

    def get_response_header(self, key: str) -> str | None:
        return self._response_headers.get(key)


class Context:
    """What a user's function gets as `context`. The index that its methods take is always 0 here."""

    def __init__(self, model_dir: str, gpu_id: int | None) -> None:
        self.model_name = "model"
        self.manifest: dict[str, Any] = {}
        self.metrics = Metrics()
        self.request_ids: dict[int, str] = {0: ""}
        self.request_processor = [RequestProcessor({})]
        self.system_properties: dict[str, Any] = {
            "model_dir": model_dir,
            "gpu_id": gpu_id,
            "batch_size": 1,
            "server_name": "modelhost",
            "server_version": "1",
        }

    def get_request_id(self, idx: int = 0) -> str | None:
        return self.request_ids.get(idx)

    def get_request_header(self, idx: int, key: str) -> str | None:
        return self.request_processor[idx].get_request_property(key)

    def get_all_request_header(self, idx: int) -> dict[str, str]:
        return self.request_processor[idx].get_request_properties()

    def set_response_content_type(self, idx: int, value: str) -> None:
        self.set_response_header(idx, "content-type", value)

    def get_response_content_type(self, idx: int) -> str | None:
        return self.get_response_headers(idx).get("content-type")

    def get_response_status(self, idx: int) -> tuple[int, str | None]:
        processor = self.request_processor[idx]
        return processor.get_response_status_code(), processor.get_response_status_phrase()

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        self.request_processor[idx].report_status(code, phrase)

    def set_all_response_status(self, code: int = 200, phrase: str = "") -> None:
        self.set_response_status(code, phrase)

    def get_response_headers(self, idx: int) -> dict[str, str]:
        return self.request_processor[idx].get_response_headers()

    def set_response_header(self, idx: int, key: str, value: str) -> None:
        self.request_processor[idx].add_response_property(key, value)
