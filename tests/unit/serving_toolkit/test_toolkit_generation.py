# SPDX-License-Identifier: GPL-3.0-or-later
"""Text generation: streams, chats, bounds, seeds and stop strings."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from serving.errors import InputError, RequestError
from serving.handler import RawAnswer
from toolkit_served import Asked

Served = Callable[..., Asked]
GREEDY = {"do_sample": False, "max_new_tokens": 12}


def events(answer: RawAnswer) -> list[dict[str, Any]]:
    assert answer.content_type == "text/event-stream"
    assert answer.chunks is not None
    found = []
    for chunk in answer.chunks:
        assert chunk.startswith(b"data: ")
        assert chunk.endswith(b"\n\n")
        found.append(json.loads(chunk[6:]))
    return found


def test_a_stream_gives_the_text_of_the_whole_answer_piece_by_piece(served: Served) -> None:
    asked = served("text-generation")
    (whole,) = asked.ask("i love dogs", {**GREEDY, "return_full_text": False})
    *pieces, last = events(asked.ask("i love dogs", GREEDY, stream=True))
    assert len(pieces) > 3
    assert "".join(piece["token"]["text"] for piece in pieces) == last["generated_text"]
    assert last["generated_text"] == whole
    assert all(piece["generated_text"] is None for piece in pieces)


@pytest.mark.parametrize("text", ["i love dogs", "very bad", "we run", "a river in paris", "not cats", "walk"])
def test_a_stream_says_why_it_ended(text: str, served: Served, pipeline: Callable[[str], Any]) -> None:
    theirs = pipeline("text-generation")
    prompt = theirs.tokenizer(text, return_tensors="pt")
    ids = theirs.model.generate(**prompt, **GREEDY, pad_token_id=0)[0, prompt["input_ids"].shape[1] :].tolist()
    ended = ids[-1] == theirs.tokenizer.eos_token_id
    *_, last = events(served("text-generation").ask(text, GREEDY, stream=True))
    assert last["details"] == {"finish_reason": "eos_token" if ended else "length", "generated_tokens": len(ids)}


def test_a_stop_string_ends_an_answer_and_a_stream(served: Served) -> None:
    asked = served("text-generation")
    (whole,) = asked.ask("i love dogs", {**GREEDY, "return_full_text": False})
    stop = whole.split()[2]
    expected = whole[: whole.index(stop) + len(stop)]
    assert asked.ask("i love dogs", {**GREEDY, "return_full_text": False, "stop_strings": [stop]}) == [expected]
    assert asked.ask("i love dogs", {**GREEDY, "return_full_text": False, "stop": stop}) == [expected]
    *_, last = events(asked.ask("i love dogs", {**GREEDY, "stop": [stop]}, stream=True))
    assert last["generated_text"] == expected
    assert last["details"]["finish_reason"] == "stop_sequence"


def test_a_stream_that_is_closed_stops_the_generation(served: Served) -> None:
    asked = served("text-generation", max_streams=1)
    before = {thread.ident for thread in threading.enumerate()}
    answer = asked.ask("i love dogs", {"do_sample": True, "min_new_tokens": 40, "max_new_tokens": 40}, stream=True)
    assert answer.chunks is not None
    next(answer.chunks)
    (thread,) = [thread for thread in threading.enumerate() if thread.ident not in before]
    answer.chunks.close()
    thread.join(60)
    assert not thread.is_alive()
    # Its place is free again.
    assert events(asked.ask("i love dogs", GREEDY, stream=True))


def test_streams_are_bounded_and_a_place_is_given_back_in_every_way(served: Served) -> None:
    asked = served("text-generation", max_streams=1)
    running = asked.ask("i love dogs", GREEDY, stream=True)
    with pytest.raises(RequestError, match="1 streams are being generated") as refused:
        asked.ask("i love dogs", GREEDY, stream=True)
    assert refused.value.status == 429
    assert ("retry-after", "1") in refused.value.headers
    # Never begun and closed, begun and read to its end, never begun and dropped.
    running.chunks.close()
    assert events(asked.ask("i love dogs", GREEDY, stream=True))
    dropped = asked.ask("i love dogs", GREEDY, stream=True)
    del dropped
    asked.ask("i love dogs", GREEDY, stream=True).chunks.close()


def test_a_model_that_fails_in_a_stream_says_so_in_the_stream(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = served("text-generation")
    model = asked.handler._loaded.task.loaded.pipeline.model

    def broken(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("the secret of a caller")

    monkeypatch.setattr(model, "forward", broken)
    (event,) = events(asked.ask("i love dogs", GREEDY, stream=True))
    assert event["error_type"] == "generation"
    assert "secret" not in json.dumps(event)


@pytest.mark.parametrize(
    ("inputs", "parameters", "said"),
    [
        (["a", "b"], {}, "one input"),
        ("a", {"num_beams": 2}, "num_beams must be 1"),
        ("a", {"num_return_sequences": 2}, "num_return_sequences must be 1"),
    ],
)
def test_a_stream_that_cannot_be_is_refused(inputs: Any, parameters: dict[str, Any], said: str, served: Served) -> None:
    with pytest.raises(InputError, match=said):
        served("text-generation").ask(inputs, parameters, stream=True)


def test_other_tasks_do_not_stream(served: Served) -> None:
    with pytest.raises(InputError, match="text-generation only"):
        served("text-classification").ask("good", stream=True)


def test_a_seed_gives_the_same_text_whatever_runs_beside_it(served: Served) -> None:
    asked = served("text-generation")
    sampled = {"do_sample": True, "temperature": 2.0, "max_new_tokens": 16, "return_full_text": False, "seed": 7}
    alone = asked.ask("i love dogs", sampled)
    assert asked.ask(["you hate", "i love dogs", "we"], sampled)[1] == alone[0]
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            asked.ask("we like cats", {"do_sample": True, "max_new_tokens": 4})

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        assert all(asked.ask("i love dogs", sampled) == alone for _ in range(5))
    finally:
        stop.set()
        thread.join()
    assert any(asked.ask("i love dogs", {**sampled, "seed": seed}) != alone for seed in range(8, 14))


def test_a_seed_draws_what_the_parameters_allow(served: Served) -> None:
    asked = served("text-generation")
    greedy = asked.ask("i love dogs", {**GREEDY, "return_full_text": False})
    drawn = {"do_sample": True, "max_new_tokens": 12, "return_full_text": False, "seed": 3}
    assert asked.ask("i love dogs", {**drawn, "top_k": 1}) == greedy
    assert asked.ask("i love dogs", {**drawn, "top_p": 1e-9}) == greedy
    assert asked.ask("i love dogs", {**drawn, "temperature": 1e-4}) == greedy


def test_a_chat_is_answered_with_its_next_message(served: Served, pipeline: Callable[[str], Any]) -> None:
    chat = [{"role": "user", "content": "i love dogs"}]
    theirs = pipeline("text-generation")(chat, **GREEDY)
    expected = theirs[0]["generated_text"][-1]["content"]
    asked = served("text-generation")
    assert asked.ask({"messages": chat}, GREEDY) == [expected]
    assert asked.ask(chat, GREEDY) == [expected]
    assert asked.ask([{"messages": chat}, "we run", {"messages": chat}], GREEDY)[2] == expected
    assert asked.ask({"messages": chat}, {**GREEDY, "scores": True}) == [theirs]
    *_, last = events(asked.ask({"messages": chat}, GREEDY, stream=True))
    assert last["generated_text"] == expected


@pytest.mark.parametrize(
    ("chat", "said"),
    [
        ({"messages": []}, "without messages"),
        ({"messages": [{"role": "user"}]}, r'"role" and "content"'),
        ({"messages": [{"role": "user", "content": 3}]}, r"messages\[0\]\.content must be a text"),
        ({"messages": [{"role": "user", "content": "a", "tool": 1}]}, r'"role" and "content"'),
        ({"messages": [{"role": "system", "content": "be good"}]}, "chat template does not take"),
        ({"messages": "hello"}, "must be a list of messages"),
        ([[]], "without messages"),
        ({"message": "hello"}, "must be a text"),
    ],
)
def test_a_chat_that_cannot_be_read_is_refused_in_words(chat: Any, said: str, served: Served) -> None:
    with pytest.raises(InputError, match=said) as refused:
        served("text-generation").ask(chat, GREEDY)
    assert "no system message" not in refused.value.message


def test_a_model_without_a_chat_template_takes_no_chat(served: Served, model: Any, tmp_path: Any) -> None:
    import shutil

    from toolkit_served import load

    directory = shutil.copytree(model("text-generation"), tmp_path / "model")
    (directory / "chat_template.jinja").unlink()
    with pytest.raises(InputError, match="no chat template"):
        load(directory, task="text-generation").ask({"messages": [{"role": "user", "content": "a"}]}, GREEDY)


def test_a_prompt_that_is_too_long_keeps_its_end(served: Served) -> None:
    asked = served("text-generation")
    end = "i love dogs very much we like cats"
    # 48 tokens are read: 44 of the prompt, 4 that are generated.
    long = " ".join(["good"] * 100 + end.split())
    kept = " ".join(["good"] * 36 + end.split())
    four = {"do_sample": False, "max_new_tokens": 4, "return_full_text": False}
    assert asked.ask([long, "bad"], four) == asked.ask([kept, "bad"], four)


def test_how_long_may_be_generated_is_bounded(served: Served) -> None:
    with pytest.raises(InputError, match="max_new_tokens must be at most 8 here"):
        served("text-generation", max_new_tokens=8).ask("good", {"max_new_tokens": 9})
    with pytest.raises(InputError, match="max_new_tokens must be at most 47 here"):
        served("text-generation").ask("good", {"max_new_tokens": 48})
    with pytest.raises(InputError, match="max_new_tokens must be at most 8 here"):
        served("text2text-generation", max_new_tokens=8).ask("good", {"max_new_tokens": 9})
    text = served("text-generation", max_new_tokens=8).ask("i love dogs", {"do_sample": False, "min_new_tokens": 8})[0]
    assert len(text.split()) <= 11


def test_max_length_counts_the_prompt_of_each_row_and_not_its_padding(served: Served) -> None:
    asked = served("text-generation")
    parameters = {"do_sample": False, "max_length": 9, "return_full_text": False, "repetition_penalty": 1.3}
    texts = ["i", "we like cats and you like dogs", "not very good"]
    assert asked.ask(texts, parameters) == [asked.ask(text, parameters)[0] for text in texts]


def test_an_empty_prompt_is_gone_on_from_where_the_model_can(served: Served) -> None:
    # This one has a token to begin with.
    assert len(served("text-generation").ask(["", "i love"], GREEDY)) == 2
