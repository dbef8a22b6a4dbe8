# SPDX-License-Identifier: GPL-3.0-or-later
"""The original project's way to serve: transformers' pipeline on torch in fp32, behind Flask, served by waitress."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, jsonify, request
from transformers import pipeline
from waitress import serve


def make_app(model_dir: str) -> Flask:
    """The application, with its model loaded."""
    classifier = pipeline("text-classification", model=model_dir, tokenizer=model_dir)
    app = Flask(__name__)

    @app.get("/ping")
    def ping() -> Any:
        return jsonify(status="healthy")

    @app.post("/invocations")
    def invocations() -> Any:
        inputs = request.get_json()["inputs"]
        return jsonify(predictions=[answer["label"] for answer in classifier(inputs)])

    return app


if __name__ == "__main__":
    directory = os.path.join(os.environ["SAGEMAKER_BASE_DIR"], "model")
    serve(make_app(directory), host="127.0.0.1", port=int(os.environ["SAGEMAKER_BIND_TO_PORT"]))
