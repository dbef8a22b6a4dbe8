# SPDX-License-Identifier: GPL-3.0-or-later
"""A model with `code/inference.py`: the toolkit's handler service calls the user's functions, under our server.

`model_fn`, `input_fn`, `predict_fn`, `output_fn` and `transform_fn` get what the toolkit gives them: the body as it
came, its content type, the accepted one, and `context` as a last argument where the function takes it. For functions
that the user leaves out there are the toolkit's own, but for loading: weights are loaded by the rules of loading.py.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from serving import log
from serving.errors import InputError, ModelLoadError, RequestError
from serving.handler import RawAnswer, Request, Row
from serving.settings import Settings
from serving.toolkit.loading import infer_task, load_pipeline
from serving.toolkit.model_server import Context, RequestProcessor, import_toolkit

# What the toolkit hands to users as text; all else comes as bytes.
_TEXT_TYPES = ("application/json", "text/csv")


def has_user_code(path: Path, settings: Settings) -> bool:
    """True where the model directory brings functions of its own, in the module that SAGEMAKER_PROGRAM names."""
    code, module = path / "code", settings.user_program
    return (code / f"{module}.py").is_file() or (code / module / "__init__.py").is_file()


class UserCodeHandler:
    """Serves through the toolkit's handler service. One request at a time: users' functions were never called
    otherwise, since multi-model-server gives every worker a process."""

    content_types: Sequence[str] = ("*/*",)
    concurrent = False
    # The body goes to the user's functions as it came; the server must not read it.
    raw = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers = itertools.count()

    def initialize(self, context: Settings) -> None:
        """Import the user's module, have it load the model, and check how its functions want to be called.

        Raises:
            ModelLoadError: the module cannot be imported, its functions do not go together, or loading failed.
        """
        toolkit = import_toolkit()
        self._refusals: tuple[type[Exception], ...] = (toolkit.PredictionException,)
        from sagemaker_inference.errors import BaseInferenceToolkitError, UnsupportedFormatError

        self._toolkit_error, self._unsupported = BaseInferenceToolkitError, UnsupportedFormatError
        path, settings = self._path, context

        class Service(toolkit.HuggingFaceHandlerService):  # type: ignore[name-defined]
            def load(self, model_dir: str, context: Any = None) -> Any:
                task = settings.task or infer_task(path)
                # The toolkit's own preprocess looks there.
                os.environ["HF_TASK"] = task
                return load_pipeline(path, task, settings).pipeline

        self._context = Context(str(path), _gpu())
        self._service = Service()
        self._service.environment = SimpleNamespace(module_name=settings.user_program)
        try:
            self._service.initialize(self._context)
        except ModelLoadError:
            raise
        except Exception as error:
            log.error("user_code_failed", **log.describe(error))
            reason = " ".join(str(error).split()).rstrip(".") or "no reason given"
            raise ModelLoadError(
                f"{path / 'code' / context.user_program}.py could not be used: {type(error).__name__}: {reason}."
            ) from error
        log.info("user_code", module=context.user_program, functions=self.functions())

    def functions(self) -> list[str]:
        """The functions that the user gives, by the toolkit's names for them."""
        names = {
            "load": "model_fn",
            "preprocess": "input_fn",
            "predict": "predict_fn",
            "postprocess": "output_fn",
            "transform_fn": "transform_fn",
        }
        return [name for method, name in names.items() if method in vars(self._service)]

    def example(self) -> Request | None:
        """None: only the user knows what their functions take."""
        return None

    def preprocess(self, request: Request) -> list[Row]:
        """One row for a request, which shares its batch with no other."""
        return [Row(payload=request, group=next(self._numbers))]

    def inference(self, rows: Sequence[Row], threads: int) -> list[Any]:
        """Call the user's functions."""
        outputs: list[Any] = []
        for row in rows:
            try:
                outputs.append(self._answer(row.payload))
            except Exception as error:
                outputs.append(error)
        return outputs

    def postprocess(self, request: Request, rows: Sequence[Row], outputs: Sequence[Any]) -> RawAnswer:
        """The answer as the user's functions made it."""
        answer: RawAnswer = outputs[0]
        return answer

    def _answer(self, request: Request) -> RawAnswer:
        media_type = request.content_type.partition(";")[0].strip().lower() or "application/json"
        accept = _accept(request.accept)
        # The bare type is what users compare with; the header as it came is in the context.
        headers = {"Content-Type": request.content_type or media_type, "Accept": request.accept or accept}
        self._context.request_processor = [RequestProcessor(headers)]
        service = self._service
        arguments = [service.model, _body(request.body, media_type), media_type, accept]
        try:
            result = service.transform_fn(*arguments, *service.transform_extra_arg)
        except self._refusals as refusal:
            # Said on purpose, with a status: PredictionException("...", 400).
            raise _refusal(getattr(refusal, "error_code", 500), getattr(refusal, "message", "")) from refusal
        except self._toolkit_error as refusal:
            raise _refusal(refusal.status_code, refusal.message) from refusal
        except self._unsupported as error:
            raise RequestError(
                415,
                "UnsupportedMediaType",
                f"The code of this model takes no {_printable(media_type)} or gives no {_printable(accept)}.",
            ) from error
        except json.JSONDecodeError as error:
            raise InputError(
                f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
            ) from error
        status, _ = self._context.get_response_status(0)
        if status >= 400:
            raise _refusal(status, result if isinstance(result, str) else "")
        return RawAnswer(_encoded(result), accept, status=status)


def _gpu() -> int | None:
    import torch

    return 0 if torch.cuda.is_available() else None


def _body(body: bytes, media_type: str) -> bytes | str:
    if media_type not in _TEXT_TYPES:
        return body
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"The body is not UTF-8: byte {error.start} cannot be read.") from None


def _accept(header: str) -> str:
    """The content type to answer with: the first that is asked for. Where any will do it is JSON, as in the toolkit."""
    for entry in header.split(","):
        media_type = entry.partition(";")[0].strip()
        if media_type and media_type != "*/*":
            return media_type
    return "application/json"


def _encoded(result: Any) -> bytes:
    """What a user's function returned, as multi-model-server sends it: text and bytes as they are, else JSON."""
    if isinstance(result, bytes | bytearray):
        return bytes(result)
    if isinstance(result, str):
        return result.encode("utf-8")
    return json.dumps(result, indent=2).encode("utf-8")


def _refusal(status: Any, message: Any) -> RequestError:
    """A status and a message that the user's code chose. Anything that is no error status is an error of the code."""
    code = status if isinstance(status, int) and 400 <= status <= 599 else 500
    sentence = " ".join(str(message).split()) or "The code of this model refused the request"
    return RequestError(code, "InvalidInput" if code < 500 else "ModelError", sentence.rstrip(".") + ".")


def _printable(media_type: str) -> str:
    return "".join(character for character in media_type[:60] if character.isprintable())
