# SPDX-License-Identifier: GPL-3.0-or-later
"""Which handler is served: the one file to edit for another kind of model.

As shipped it is the handler of the runtime that the image was built for. For a model of one's own, write a class
`ModelHandler` here; README.md beside this package has one of fifteen lines, and serving/handler.py the whole contract.
"""

from __future__ import annotations

import os

from serving.handler import Handler
from serving.settings import installed_runtime


def _shipped() -> type[Handler]:
    # Imported only where it is the one: the images hold one runtime each.
    if (os.environ.get("SERVING_RUNTIME") or installed_runtime()) == "toolkit":
        from serving.toolkit import ToolkitHandler

        return ToolkitHandler
    from serving.tasks.handler import CompiledHandler

    return CompiledHandler


ModelHandler = _shipped()
