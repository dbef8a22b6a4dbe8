# SPDX-License-Identifier: GPL-3.0-or-later
"""Small images and sounds, and the words of the tiny models."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

WORDS = [
    "good", "bad", "love", "hate", "dogs", "cats", "not", "very", "much", "i", "you",
    "we", "they", "like", "run", "walk", "house", "tree", "paris", "berlin", "river",
]  # fmt: skip


def image(size: tuple[int, int], seed: int) -> Any:
    """An image of noise: width and height in points."""
    from PIL import Image

    width, height = size
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def png(picture: Any, format: str = "PNG") -> bytes:
    file = io.BytesIO()
    picture.save(file, format=format)
    return file.getvalue()


def sound(seconds: float, rate: int, seed: int) -> np.ndarray:
    """A tone with noise, in float32, such that 16 bits hold it exactly."""
    count = int(seconds * rate)
    tone = 0.3 * np.sin(np.arange(count) * (2 * np.pi * (200 + 50 * seed) / rate))
    noise = np.random.default_rng(seed).normal(0, 0.05, count)
    return (np.round((tone + noise) * 32768).clip(-32768, 32767) / 32768).astype(np.float32)


def wav(samples: np.ndarray, rate: int, format: str = "WAV", subtype: str | None = "PCM_16") -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=format, subtype=subtype)
    return file.getvalue()
