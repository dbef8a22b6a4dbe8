# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that nobody means well with. Each is wrong for certain, so that each must be answered with 4xx."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

GOOD = {"inputs": ["love dogs", "hate cats"]}


@dataclass(frozen=True)
class Hostile:
    """A request that is HTTP, but that the server must refuse."""

    kind: str
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    method: str = "POST"
    path: str = "/invocations"


def hostile_requests(seed: int, count: int) -> Iterator[Hostile]:
    """`count` of them, of every kind, in an order that only the seed decides."""
    chooser = random.Random(seed)
    for _ in range(count):
        (kind,) = chooser.choices(list(_KINDS), weights=[weight for weight, _ in _KINDS.values()])
        yield _KINDS[kind][1](chooser, kind)


def _bytes(chooser: random.Random, kind: str) -> Hostile:
    # No JSON begins with one of these.
    return Hostile(kind, bytes([chooser.choice(b"\x00\x80\xff<&=;a")]) + chooser.randbytes(chooser.randrange(2000)))


def _cut(chooser: random.Random, kind: str) -> Hostile:
    body = json.dumps({"inputs": [_text(chooser) for _ in range(5)]}, ensure_ascii=False).encode()
    return Hostile(kind, body[: chooser.randrange(len(body))])


def _not_utf8(chooser: random.Random, kind: str) -> Hostile:
    bad = chooser.choice([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x80"])
    return Hostile(kind, b'{"inputs": "' + b"love " * chooser.randrange(20) + bad + b'"}')


def _deep(chooser: random.Random, kind: str) -> Hostile:
    depth = int(10 ** chooser.uniform(3.1, 5))
    opening, closing = chooser.choice([(b"[", b"]"), (b'{"a":', b"}")])
    end = chooser.choice([b"", b"1" + closing * depth])
    return Hostile(kind, b'{"inputs": ' + opening * depth + end + b"}")


def _number(chooser: random.Random, kind: str) -> Hostile:
    value = chooser.choice(
        ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 400, "9" * 50_000, "01", "0x1", "+1"]
    )
    return Hostile(kind, f'{{"inputs": ["love"], "parameters": {{"top_k": {value}}}}}'.encode())


def _surrogate(chooser: random.Random, kind: str) -> Hostile:
    half = chooser.choice(["\\ud800", "\\udfff", "\\uD83D x", "\\udc00\\ud800"])
    where = chooser.choice(['{"inputs": "%s"}', '{"inputs": ["a", "%s"]}', '{"inputs": "a", "%s": 1}'])
    return Hostile(kind, (where % half).encode())


def _shape(chooser: random.Random, kind: str) -> Hostile:
    value = chooser.choice([None, [], 1, -1.5, True, [None], [1], [["a"]], ["a", {}], {}, {"a": 1}, ["a"] * 1025])
    document = chooser.choice(
        [{"inputs": value}, {"inputs": "a", "parameters": ["a"]}, {"input": "a"}, {}, [], "a", 1, None, [GOOD]]
    )
    return Hostile(kind, json.dumps(document).encode())


def _parameter(chooser: random.Random, kind: str) -> Hostile:
    document = chooser.choice(
        [
            {"inputs": "a", _text(chooser) + "x": 1},
            {"inputs": "a", "parameters": {_text(chooser) + "x": 1}},
            {"inputs": "a", "parameters": {"top_k": chooser.choice([0, -1, 1.5, "1", True, [], {}, 1e300])}},
            {"inputs": "a", "parameters": {"function_to_apply": chooser.choice(["relu", 1, [], "__import__('os')"])}},
            {"inputs": "a", "stream": chooser.choice(["true", 1, [], {}])},
        ]
    )
    return Hostile(kind, json.dumps(document).encode())


def _content_type(chooser: random.Random, kind: str) -> Hostile:
    value = chooser.choice(
        ["text/plain", "text/csv", "image/png", "application/x-npy", "application/xml", "multipart/form-data",
         "application/json; charset=utf-16", "application/json;charset=latin-1", "a" * 5000, "/", "\x7f", "json"]
    )  # fmt: skip
    return Hostile(kind, json.dumps(GOOD).encode(), {"Content-Type": value})


def _encoding(chooser: random.Random, kind: str) -> Hostile:
    headers = {
        "Content-Type": "application/json",
        "Content-Encoding": chooser.choice(["gzip", "br", "x", "identity, gzip"]),
    }
    return Hostile(kind, chooser.randbytes(100), headers)


def _route(chooser: random.Random, kind: str) -> Hostile:
    method = chooser.choice(["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "POST"])
    path = chooser.choice(["/", "/invocations/", "//invocations", "/%2e%2e/etc/passwd", "/invocations%00", "/metrics/x",
                           "/ping/..", "/" + "a" * chooser.randrange(10_000), "/INVOCATIONS"])  # fmt: skip
    if method != "POST":
        path = chooser.choice([path, "/invocations"])
    return Hostile(kind, b"" if method == "GET" else b"{}", method=method, path=path)


def _too_large(chooser: random.Random, kind: str) -> Hostile:
    return Hostile(kind, b'{"inputs": "' + b"a" * (6 * 1024 * 1024 + chooser.randrange(1024 * 1024)) + b'"}')


def _many_headers(chooser: random.Random, kind: str) -> Hostile:
    headers = {f"X-{number}": "v" * chooser.randrange(200) for number in range(chooser.randrange(500))}
    return Hostile(kind, b"{}", {"Content-Type": "application/json", **headers})


def _text(chooser: random.Random) -> str:
    pieces = [
        "love ",
        "hate ",
        "\x00",
        "🐕",
        "\u202e",
        '"',
        "\\",
        "\n",
        "é",
        "[PAD]",
        "a" * 99,
        "\ufffe",
        "\u0301" * 50,
    ]
    return "".join(chooser.choices(pieces, k=chooser.randrange(1, 6)))


_KINDS: dict[str, tuple[int, Callable[[random.Random, str], Hostile]]] = {
    "random bytes": (1500, _bytes),
    "cut short": (1500, _cut),
    "not UTF-8": (1000, _not_utf8),
    "nested deeply": (300, _deep),
    "numbers": (900, _number),
    "half surrogate pairs": (900, _surrogate),
    "shapes": (1300, _shape),
    "parameters": (1200, _parameter),
    "content types": (700, _content_type),
    "content encodings": (200, _encoding),
    "routes": (400, _route),
    "too large": (10, _too_large),
    "many headers": (90, _many_headers),
}


def broken_http(seed: int, count: int) -> Iterator[bytes]:
    """What is not HTTP, or stops being so: each must be answered with 4xx, or the connection closed."""
    chooser = random.Random(seed)
    good = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    for _ in range(count):
        yield chooser.choice(
            [
                lambda: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chooser.randbytes(200),
                lambda: chooser.randbytes(chooser.randrange(1, 3000)) + b"\r\n\r\n",
                lambda: b"GET\r\n\r\n",
                lambda: b"GET /ping HTTP/9.9\r\n\r\n",
                lambda: b"P\xf6ST /invocations HTTP/1.1\r\n\r\n",
                lambda: b"POST /invo\x00cations HTTP/1.1\r\n\r\n",
                lambda: b"POST /invocations\xff HTTP/1.1\r\nHost: x\r\n\r\n",
                lambda: good + b"Content-Length: -1\r\n\r\n",
                lambda: good + b"Content-Length: 1e3\r\n\r\n",
                lambda: good + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
                lambda: good + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n{}",
                lambda: good + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
                lambda: good + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n",
                lambda: good + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}X\r\n0\r\n\r\n",
                lambda: good + b"Bad Header\r\n\r\n",
                lambda: good + b"X: a\r\n b\x00\r\n\r\n",
                lambda: good + b"X: " + b"a" * 100_000,
                lambda: good + b"Content-Length: 100\r\n\r\n" + b"{" * chooser.randrange(99),
                lambda: b"GET http:// HTTP/1.1\r\n\r\n",
                lambda: b"CONNECT x HTTP/1.1\r\n\r\n",
            ]
        )()
