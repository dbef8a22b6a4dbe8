# SPDX-License-Identifier: GPL-3.0-or-later
"""Entry point of the Lambda function: `demo.handler`.

Everything here runs once, while Lambda starts the execution environment, so that a request pays for no import, no
client and no settings.
"""

from __future__ import annotations

import os

from demo_api.endpoint import Endpoint
from demo_api.handler import make_handler
from demo_api.settings import Settings

settings = Settings.from_environment(os.environ)
handler = make_handler(Endpoint.connect(settings), settings)
