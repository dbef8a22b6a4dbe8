# SPDX-License-Identifier: GPL-3.0-or-later
"""Images and sound out of a request: bytes as they are, or base64 in JSON.

A pipeline that is handed a text opens it as a file of this machine or fetches it as a URL, so no text of a caller's
ever gets there: it is decoded here first.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from serving.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

IMAGE_TYPES = (
    *(f"image/{kind}" for kind in ("jpeg", "png", "tiff", "bmp", "gif", "webp", "x-image")),
    "application/octet-stream",
)
_AUDIO = ("wav", "wave", "x-wav", "vnd.wave", "flac", "x-flac", "mpeg", "mp3", "ogg", "x-audio")
AUDIO_TYPES = (*(f"audio/{kind}" for kind in _AUDIO), "application/octet-stream")

# A small file may hold a huge picture or hours of silence. 50 million points are more than a camera gives; the longest
# sound is what a model can be expected to transcribe within a request.
MAX_PIXELS = 50_000_000
MAX_SECONDS = 600
_BLOCK = 1 << 16
_MAX_SAMPLING_RATE = 384_000
_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+(;[\w.+-]+=[\w.+-]+)*;base64,", re.ASCII)


def read_bytes(value: Any, where: str, what: str) -> bytes:
    """The bytes of an input: a body as it came, or a text in base64, with or without the head of a data URL.

    Raises:
        InputError: it is neither, or nothing.
    """
    if isinstance(value, str):
        head = _DATA_URL.match(value[:200])
        try:
            value = base64.b64decode(value[head.end() :] if head else value, validate=True)
        except (binascii.Error, ValueError):
            raise InputError(f"{where} is not base64; send {what} in base64, or as the body itself.") from None
    if not isinstance(value, bytes | bytearray) or not value:
        raise InputError(f"{where} must be {what} in base64, or the body itself.")
    return bytes(value)


def read_image(value: Any, where: str) -> Image.Image:
    """An image in RGB.

    Raises:
        InputError: it cannot be read, or is too large.
    """
    from PIL import Image

    data = read_bytes(value, where, "an image")
    try:
        image = Image.open(io.BytesIO(data))
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise InputError(f"{where} has {width} × {height} points; at most {MAX_PIXELS} are taken.")
        return image.convert("RGB")
    except InputError:
        raise
    except Exception:
        # PIL's decoders raise what they like at a file that is cut short or made up.
        raise InputError(f"{where} cannot be read as an image; jpeg, png, webp, gif, bmp and tiff are taken.") from None


def read_sound(value: Any, where: str, sampling_rate: int) -> npt.NDArray[np.float32]:
    """The samples of a sound, one channel, at the rate that the model was trained with.

    Raises:
        InputError: it cannot be read, is empty or too long.
    """
    import soundfile

    data = read_bytes(value, where, "a sound")
    blocks: list[npt.NDArray[np.float32]] = []
    frames = 0
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            rate = sound.samplerate
            if not 1 <= rate <= _MAX_SAMPLING_RATE:
                raise InputError(f"{where} has a sampling rate of {rate} Hz; at most {_MAX_SAMPLING_RATE} is taken.")
            # In blocks: what the head says about the length need not be true.
            while len(block := sound.read(_BLOCK, dtype="float32", always_2d=True)):
                frames += len(block)
                if frames > MAX_SECONDS * rate:
                    raise InputError(f"{where} is longer than {MAX_SECONDS} seconds.")
                blocks.append(block.mean(axis=1))
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError):
        raise InputError(f"{where} cannot be read as a sound; wav, flac, mp3 and ogg are taken.") from None
    if not frames:
        raise InputError(f"{where} holds no sound.")
    samples = np.concatenate(blocks)
    if not np.isfinite(samples).all():
        raise InputError(f"{where} holds samples that are not numbers.")
    if rate != sampling_rate:
        import soxr

        samples = soxr.resample(samples, rate, sampling_rate)
    if not len(samples):
        raise InputError(f"{where} holds no sound.")
    return np.ascontiguousarray(samples, dtype=np.float32)


def example_image() -> str:
    """A small grey image in base64."""
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (32, 32), (128, 128, 128)).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


def example_sound(sampling_rate: int) -> str:
    """A second of a low tone in base64."""
    import soundfile

    file = io.BytesIO()
    tone = 0.1 * np.sin(np.arange(sampling_rate) * (2 * np.pi * 220 / sampling_rate))
    soundfile.write(file, tone, sampling_rate, format="WAV")
    return base64.b64encode(file.getvalue()).decode("ascii")
