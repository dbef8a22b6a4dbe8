# SPDX-License-Identifier: GPL-3.0-or-later
"""What callers send wrong, or to do harm: answered with 400 and a sentence, and never with what Python said."""

from __future__ import annotations

import base64
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving.errors import InputError
from serving.toolkit import media
from toolkit_media import image, png, sound, wav
from toolkit_served import Asked

Served = Callable[..., Asked]

KINDS = [
    "text-classification",
    "token-classification",
    "zero-shot-classification",
    "feature-extraction",
    "sentence-embedding",
    "fill-mask",
    "question-answering",
    "text2text-generation",
    "text-generation",
    "image-classification",
    "automatic-speech-recognition",
    "object-detection",
]
ODD = [
    None, True, 0, -1, 1.5, 10**30, float("nan"), float("inf"), "", " ", "\x00", "\ud800", "i love", [], [None], {},
    {"text": 1}, {"question": "a"}, [[]], ["good", 3], ["a" * 5000], "🦜" * 300, {"messages": {}}, ["[MASK]" * 300],
    {"question": "", "context": " "}, {"question": "a", "context": "b" * 9000}, "../../../etc/passwd", "/etc/passwd",
    "http://127.0.0.1:9/x.png", "data:image/png;base64,AAAA", "AAAA", {"image": "AAAA"}, b"", b"\xff\xd8\xff\xe0",
]  # fmt: skip
RAW = ("Traceback", "Error(", "object at 0x", "NoneType", "<class", "torch.", "ndarray", "expected str", "KeyError")


def check_refusal(error: InputError) -> None:
    assert error.status == 400
    assert error.message.endswith(".")
    assert not any(trace in error.message for trace in RAW), error.message


@pytest.mark.parametrize("kind", KINDS)
def test_odd_inputs_are_answered_or_refused_in_words(kind: str, served: Served) -> None:
    asked = served(kind)
    example = asked.handler.example()
    before = asked.ask_request(example)
    for value in ODD:
        try:
            answer = asked.ask(value, dict(example.parameters))
        except InputError as error:
            check_refusal(error)
        else:
            assert len(answer) == (len(value) if isinstance(value, list) else 1), value
    assert asked.ask_request(example) == before


@pytest.mark.parametrize("kind", KINDS)
def test_odd_parameters_are_taken_or_refused_in_words(kind: str, served: Served) -> None:
    asked = served(kind)
    example = asked.handler.example()
    chooser = random.Random(11)
    refused = 0
    for name in sorted(asked.handler._loaded.task._known):
        for value in chooser.sample([value for value in ODD if not isinstance(value, bytes)], 16):
            try:
                asked.ask(example.inputs, {**example.parameters, name: value})
            except InputError as error:
                check_refusal(error)
                refused += 1
    assert refused > 10
    assert asked.ask_request(example)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_parameter_is_refused_with_those_that_are_known(kind: str, served: Served) -> None:
    with pytest.raises(InputError, match=r"An unknown parameter was given; known are .*scores") as refused:
        served(kind).ask("good", {"<script>": 1})
    assert "script" not in refused.value.message


@pytest.mark.parametrize(
    ("kind", "inputs", "parameters", "said"),
    [
        ("text-classification", ["good", 3], {}, r"inputs\[1\] must be a text\."),
        ("text-classification", "a\ud800", {}, "character 1 is half a surrogate pair"),
        ("text-classification", "good", {"top_k": True}, "top_k must be a whole number from 1 to 1000000, or null"),
        ("text-classification", "good", {"function_to_apply": "tanh"}, '"softmax", "sigmoid", "none"'),
        ("text-classification", "good", {"truncation": 1}, "truncation must be true or false"),
        ("text-classification", {"text": "a", "pair": "b"}, {}, '"text" and "text_pair"'),
        ("zero-shot-classification", "good", {}, "candidate_labels is missing"),
        ("zero-shot-classification", "good", {"candidate_labels": " , "}, "candidate_labels holds no label"),
        ("zero-shot-classification", "good", {"candidate_labels": ["a"], "hypothesis_template": "b"}, "of the label"),
        ("zero-shot-classification", "good", {"candidate_labels": ["a"], "hypothesis_template": "{:>999999}"}, "label"),
        ("zero-shot-classification", "good", {"candidate_labels": ["a"], "hypothesis_template": "{0.a}"}, "label"),
        ("fill-mask", "i love dogs", {}, r"holds no \[MASK\] among its first 5 tokens"),
        ("fill-mask", "i " * 60 + "[MASK]", {}, r"holds no \[MASK\] among its first 48 tokens"),
        ("question-answering", {"question": "a", "context": ""}, {}, "empty question or context"),
        ("question-answering", "who ?", {}, '"question" and "context"'),
        ("question-answering", {"question": "a", "context": "b"}, {"doc_stride": 40}, "doc_stride must be less than"),
        ("text-generation", "good", {"temperature": 0}, "temperature must be a number above 0"),
        ("text-generation", "good", {"top_p": 1.5}, "top_p must be a number above 0 and at most 1"),
        ("text-generation", "good", {"num_return_sequences": 3, "do_sample": False}, "does not take these parameters"),
        ("image-classification", "not base64!", {}, "is not base64"),
        ("image-classification", "AAAA", {}, "cannot be read as an image"),
        ("image-classification", 3, {}, "must be an image in base64"),
        ("automatic-speech-recognition", "AAAA", {}, "cannot be read as a sound"),
        ("automatic-speech-recognition", None, {}, "must be a sound in base64"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_would_be_right(
    kind: str, inputs: Any, parameters: dict[str, Any], said: str, served: Served
) -> None:
    with pytest.raises(InputError, match=said):
        served(kind).ask(inputs, parameters)


def test_a_single_word_of_a_megabyte_is_answered(served: Served) -> None:
    asked = served("text-classification")
    word = "a" * 1_000_000
    assert asked.ask(["good", word, "good"])[0] == asked.ask("good")[0]


def test_a_path_or_an_address_is_never_opened(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(png(image((16, 16), 0)))
    for kind in ("image-classification", "object-detection"):
        for value in (str(path), f"file://{path}", path.as_uri()):
            with pytest.raises(InputError, match=r"is not base64|cannot be read"):
                served(kind).ask(value)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_images_of_every_common_format_are_read(format: str, served: Served) -> None:
    data = png(image((20, 20), 3), format)
    asked = served("image-classification")
    expected = asked.ask(base64.b64encode(data).decode(), {"top_k": 3})
    assert asked.ask(data, {"top_k": 3}, content_type=f"image/{format.lower()}", body=data) == expected
    assert asked.ask(f"data:image/{format.lower()};base64,{base64.b64encode(data).decode()}", {"top_k": 3}) == expected


def test_images_with_a_palette_or_transparency_are_read(served: Served) -> None:
    for mode in ("L", "P", "RGBA", "LA", "CMYK", "1", "I;16"):
        picture = image((20, 20), 3).convert("L" if mode == "I;16" else "RGB").convert(mode if mode != "I;16" else "I")
        assert served("image-classification").ask(png(picture, "TIFF" if mode in ("CMYK", "I;16") else "PNG"))


def test_an_image_that_would_fill_the_memory_is_refused(served: Served) -> None:
    # A few kilobytes that unpack to 3.6 gigabytes.
    head = struct.pack(">IIBBBBB", 30_000, 40_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(bytes(90_001 * 30)))
    with pytest.raises(InputError, match=r"at most 50000000 are taken|cannot be read"):
        served("image-classification").ask(bomb)


def test_an_image_that_is_cut_short_is_refused(served: Served) -> None:
    data = png(image((64, 64), 3))
    for end in (8, 40, len(data) // 2, len(data) - 30):
        with pytest.raises(InputError, match="cannot be read as an image"):
            served("image-classification").ask(data[:end])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize(
    ("format", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "PCM_U8"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", None)],
)
def test_sounds_of_every_format_are_read(format: str, subtype: str | None, served: Served) -> None:
    data = wav(sound(1.0, 16_000, 2), 16_000, format, subtype)
    asked = served("automatic-speech-recognition")
    text = asked.ask(data, content_type="audio/x-audio", body=data)
    assert text == asked.ask(base64.b64encode(data).decode())
    if subtype in ("PCM_16", "FLOAT"):
        assert text == asked.ask(wav(sound(1.0, 16_000, 2), 16_000))


def test_a_sound_is_brought_to_the_rate_of_the_model() -> None:
    import soxr

    samples = sound(1.0, 44_100, 1)
    heard = media.read_sound(wav(samples, 44_100), "inputs", 16_000)
    np.testing.assert_allclose(heard, soxr.resample(samples, 44_100, 16_000), atol=1e-6)
    assert heard.shape == (16_000,)


def test_two_channels_become_one() -> None:
    left, right = sound(0.5, 16_000, 1), sound(0.5, 16_000, 2)
    heard = media.read_sound(wav(np.stack([left, right], axis=1), 16_000, subtype="FLOAT"), "inputs", 16_000)
    np.testing.assert_allclose(heard, (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: wav(np.zeros(0, np.float32), 16_000), "holds no sound"),
        (lambda: wav(np.zeros(700 * 100, np.float32), 100, "FLAC"), "longer than 600 seconds"),
        (lambda: wav(np.full(800, np.nan, np.float32), 16_000, subtype="FLOAT"), "not numbers"),
        (lambda: b"RIFF\x00\x00\x00\x00WAVEfmt ", "cannot be read as a sound"),
        (lambda: b"\x00" * 100, "cannot be read as a sound"),
    ],
)
def test_a_sound_that_cannot_be_heard_is_refused(make: Callable[[], bytes], said: str) -> None:
    with pytest.raises(InputError, match=said):
        media.read_sound(make(), "inputs", 16_000)
