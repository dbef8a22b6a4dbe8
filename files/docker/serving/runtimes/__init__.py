# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs a compiled model: a graph on onnxruntime, and the tokenizer that makes its inputs of texts."""

from __future__ import annotations
