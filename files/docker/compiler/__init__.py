# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiles a Hugging Face model directory into a graph that onnxruntime serves without torch.

Runs at packaging time, with torch and transformers (requirements-compiler.txt). Never part of the serving image.
"""

from __future__ import annotations
