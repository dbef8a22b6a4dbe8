# SPDX-License-Identifier: GPL-3.0-or-later
"""sagemaker-huggingface-inference-toolkit on multi-model-server, started by its own `serving.main()`.

Three things are changed so that it runs beside others, none of which a request passes through: the properties file is
not written to /etc, the address is the loopback address and not all of them, and the Java process is looked for in this
one's process group and not among all processes of the machine (it refuses to run where it finds two).
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import psutil
from sagemaker_huggingface_inference_toolkit import mms_model_server, serving
from sagemaker_inference import model_server


def main() -> None:
    """Serve the model under SAGEMAKER_BASE_DIR on SAGEMAKER_BIND_TO_PORT until killed."""
    properties = os.path.join(tempfile.gettempdir(), "sagemaker-mms.properties")
    for module in (model_server, mms_model_server):
        module.MMS_CONFIG_FILE = properties
    generate = model_server._generate_mms_config_properties

    def on_loopback(*arguments: Any) -> str:
        return generate(*arguments).replace("http://0.0.0.0:", "http://127.0.0.1:")

    def own_group() -> Iterator[psutil.Process]:
        group = os.getpgid(0)
        for pid in psutil.pids():
            with contextlib.suppress(OSError, psutil.Error):
                if os.getpgid(pid) == group:
                    yield psutil.Process(pid)

    model_server._generate_mms_config_properties = on_loopback
    psutil.process_iter = own_group
    serving.main()


if __name__ == "__main__":
    main()
