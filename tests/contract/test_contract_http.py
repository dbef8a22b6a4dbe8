# SPDX-License-Identifier: GPL-3.0-or-later
"""What SageMaker asks of a server while it runs. The tests go in this order, since the first one is about the start."""

from __future__ import annotations

import http.client
import threading
import time

import pytest
from contract_subject import OPTIONS, PING_SECONDS, Answer, Server, is_json

pytestmark = pytest.mark.contract

CALLERS = 8
ROUNDS = 5


def test_the_model_answers_as_soon_as_ping_is_200(server: Server) -> None:
    answer = server.invoke()
    assert answer.status == 200, f"/ping was 200 and the first request got {answer}\n{server.log()}"
    if OPTIONS.content_type == "application/json":
        assert is_json(answer.body), answer


def test_ping_is_answered_in_time_while_the_model_works(server: Server) -> None:
    answers: list[Answer | Exception] = []

    def call() -> None:
        for _ in range(ROUNDS):
            try:
                answers.append(server.invoke())
            except (OSError, http.client.HTTPException) as error:
                answers.append(error)

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    pings = []
    while any(caller.is_alive() for caller in callers):
        pings.append(server.ping(timeout=10 * PING_SECONDS))
        time.sleep(0.05)
    late = [ping for ping in pings if ping.status != 200 or ping.seconds > PING_SECONDS]
    assert not late, f"{len(late)} of {len(pings)} answers to /ping were late or not 200: {late[:3]}"
    # 429 is how a server says that it has enough to do; SageMaker hands it on.
    bad = [each for each in answers if isinstance(each, Exception) or each.status not in (200, 429)]
    assert not bad, f"{len(bad)} of {len(answers)} requests failed with {CALLERS} callers: {bad[:3]}"


@pytest.mark.parametrize("path", ["/", "/nothing", "/invocations/nothing"])
def test_a_path_that_is_none_gets_404(server: Server, path: str) -> None:
    assert server.ask("GET", path).status == 404


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"inputs": ', b"\xff\xfe\x00", b"[" * 20_000],
    ids=["nothing", "open", "cut off", "no text", "deep"],
)
def test_a_body_that_is_no_json_gets_a_4xx_and_harms_nobody(server: Server, body: bytes) -> None:
    answer = server.invoke(body, "application/json")
    assert 400 <= answer.status < 500, answer
    assert b"Traceback" not in answer.body
    assert server.invoke().status == 200


def test_a_caller_who_hangs_up_harms_nobody(server: Server) -> None:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=PING_SECONDS)
    connection.putrequest("POST", "/invocations")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b'{"inputs": ')
    connection.close()
    assert server.invoke().status == 200
    assert server.ping().status == 200
