# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured on and with: the machine, and the versions of what ran."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

# What of a processor decides how fast a quantised graph runs.
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
_PACKAGES = {
    ".venv-compiled": ("onnxruntime", "tokenizers", "numpy", "uvicorn"),
    ".venv-toolkit": ("sagemaker-huggingface-inference-toolkit", "transformers", "torch"),
    ".venv-peers": (
        "sagemaker-huggingface-inference-toolkit",
        "multi-model-server",
        "transformers",
        "torch",
        "Flask",
        "waitress",
    ),
}


def use_cores(count: int) -> list[int]:
    """Keep this process and all that it starts to the first processors that it may use, and name them."""
    cores = sorted(os.sched_getaffinity(0))[:count]
    os.sched_setaffinity(0, cores)
    return cores


def describe_machine(cores: Iterable[int]) -> dict[str, str]:
    """The processor, what it can do, memory, kernel and Python, in words."""
    info = _fields(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    memory = _fields(Path("/proc/meminfo").read_text(encoding="ascii"))
    return {
        "processor": f"{info.get('model name', platform.machine())}, cores {', '.join(map(str, cores))} used",
        "instructions": ", ".join(flag for flag in _FLAGS if flag in info.get("flags", "").split()),
        "memory": f"{int(memory['MemTotal'].split()[0]) / 1024**2:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }


def describe_versions(repository: Path) -> dict[str, str]:
    """The versions of each environment, in words."""
    versions = {}
    for venv, names in _PACKAGES.items():
        python = repository / venv / "bin" / "python"
        if python.exists():
            ask = (
                "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
            )
            done = subprocess.run([str(python), "-c", ask, *names], capture_output=True, text=True)
            found = json.loads(done.stdout) if done.returncode == 0 else {}
            versions[venv] = ", ".join(f"{name} {version}" for name, version in found.items())
    return versions


def _fields(text: str) -> dict[str, str]:
    """The `name: value` lines of a file; of equal names the first."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip(), value.strip())
    return fields
