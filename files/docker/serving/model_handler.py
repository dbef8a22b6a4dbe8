# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request means: the one file to edit for another kind of model.

The server calls `initialize` once, in the thread that will run the model, and then `inference` for each request,
never two at a time. It answers {"predictions": what inference returned}. /ping turns 200 when EXAMPLE was answered.
README.md beside this package has a handler for another kind of model.
"""

from __future__ import annotations

from typing import Any, ClassVar

from serving import runtimes
from serving.classification import ClassificationParameters, check_texts, predictions
from serving.errors import ModelLoadError
from serving.settings import Settings

# transformers knows the task by both names.
TASKS = ("text-classification", "sentiment-analysis")


class ModelHandler:
    """Text classification: a label for each text."""

    # A request the model must answer before the endpoint counts as healthy.
    EXAMPLE: ClassVar[dict[str, Any]] = {"inputs": ["I love dogs.", "I am not fond of cats though."]}

    def initialize(self, context: Settings) -> None:
        """Load the model.

        Raises:
            ModelLoadError: it cannot be served. The sentence is logged, and the process ends.
        """
        if context.task not in TASKS:
            raise ModelLoadError(f"HF_TASK is {context.task!r}; this server does {TASKS[0]} only.")
        self.model = runtimes.load(context)

    def inference(self, inputs: Any, parameters: dict[str, Any]) -> list[Any]:
        """Answer one request.

        Args:
            inputs: what the caller sent as "inputs", any JSON but null or an empty list.
            parameters: what the caller sent as "parameters", {} where nothing was sent.

        Returns:
            A list of JSON values: one per input, in the order of the inputs.

        Raises:
            InputError: the caller's mistake, in a sentence; answered with 400. Anything else raised is answered
                with 500, and its text is kept from the caller.
        """
        texts = check_texts(inputs)
        chosen = ClassificationParameters.parse(parameters)
        return predictions(self.model.logits(texts), self.model.config, chosen)
