# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Lambda behind `POST /demo` does: read the request, ask the endpoint, shape the answer."""
