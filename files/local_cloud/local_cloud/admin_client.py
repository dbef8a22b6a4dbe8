# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a running cloud for its own pages, for the command line."""

from __future__ import annotations

import argparse
import http.client
import json
import os
from typing import Any
from urllib.parse import urlsplit

from .settings import BIND_HOST

_TIMEOUT_SECONDS = 60


def port_number(text: str) -> int:
    """An argument's type: a port."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"a port from 1 to 65535, not {text}")
    return int(text)


def add_port(parser: argparse.ArgumentParser) -> None:
    """The option --port of a command that asks a running cloud; AWS_ENDPOINT_URL names the default."""
    try:
        named = urlsplit(os.environ.get("AWS_ENDPOINT_URL", ""))
        port = named.port if named.hostname in (BIND_HOST, "localhost") else None
    except ValueError:
        port = None
    help_text = "the cloud's port on 127.0.0.1 (that of AWS_ENDPOINT_URL, or %(default)s)"
    parser.add_argument("--port", type=port_number, default=port or 4566, help=help_text)


class AdminError(Exception):
    """Why the cloud did not do what it was asked, in a sentence."""


class AdminClient:
    """The pages below /_local_cloud/ of the cloud at a port."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, method: str, page: str, content: Any = None) -> dict[str, Any]:
        """The answer of a page. Raises AdminError where there is no cloud, or it refuses."""
        connection = http.client.HTTPConnection(BIND_HOST, self._port, timeout=_TIMEOUT_SECONDS)
        body = None if content is None else json.dumps(content)
        try:
            headers = {"content-type": "application/json"} if method == "POST" else {}
            connection.request(method, f"/_local_cloud/{page}", body, headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except ConnectionRefusedError:
            raise AdminError(
                f"No local cloud answers at {BIND_HOST}:{self._port}; start it, or name its port with --port."
            ) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise AdminError(f"What answers at {BIND_HOST}:{self._port} is no local cloud: {error!r}.") from None
        finally:
            connection.close()
        if not isinstance(answer, dict):
            raise AdminError(f"What answers at {BIND_HOST}:{self._port} is no local cloud.")
        if response.status != 200:
            raise AdminError(str(answer.get("error") or f"The cloud answered with the status {response.status}."))
        return answer
