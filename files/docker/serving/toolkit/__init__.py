# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime `toolkit`: sagemaker-huggingface-inference-toolkit, transformers and torch under our server.

Without `code/inference.py` a model is served through transformers' pipeline of its task, in batches. With it, the
toolkit's handler service calls the user's functions, one request at a time.
"""

from __future__ import annotations

from serving.toolkit.handler import ToolkitHandler

__all__ = ["ToolkitHandler"]
