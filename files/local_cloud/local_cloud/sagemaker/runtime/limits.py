# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime's limits, in bytes and seconds."""

from __future__ import annotations

# The service model's BodyBlob. Newer pages of the developer guide speak of 25 MB for real-time inference; what passes
# the smaller limit passes both.
REALTIME_PAYLOAD_BYTES = 6 * 1024 * 1024
# "The maximum request and response payload size for serverless invocations is 4 MB", Invoke a serverless endpoint.
SERVERLESS_PAYLOAD_BYTES = 4 * 1024 * 1024
# The service model's AsyncBodyBlob, and Asynchronous inference: "large payload sizes (up to 1GB)".
ASYNC_INLINE_BYTES = 128_000
ASYNC_PAYLOAD_BYTES = 1024 * 1024 * 1024
# What an SNS notification may carry, AsyncInferenceNotificationConfig.
NOTIFIED_RESPONSE_BYTES = 128 * 1024

# "A customer's model containers must respond to requests within 60 seconds", InvokeEndpoint.
INVOCATION_SECONDS = 60.0
# The whole of a streamed answer from instances; serverless keeps its minute.
STREAM_SECONDS = 480.0
# Defaults of InvokeEndpointAsync's InvocationTimeoutSeconds and RequestTTLSeconds.
ASYNC_INVOCATION_SECONDS = 900.0
ASYNC_TTL_SECONDS = 21_600.0
# "If no value is provided, SageMaker chooses an optimal value", AsyncInferenceClientConfig. This is ours.
ASYNC_CONCURRENCY_PER_INSTANCE = 4

# The service model's Message.
MESSAGE_CHARACTERS = 2048
