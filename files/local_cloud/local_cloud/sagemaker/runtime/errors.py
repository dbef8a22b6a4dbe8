# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime's refusals, in AWS's words where they are known. Pure.

A body of the real service looks like {"ErrorCode": "TARGET_MODEL_HEADER_NOT_SUPPORTED", "Message": "…"}
(amazon-sagemaker-examples #1216, litellm #37766); the error's type is in a header.
"""

from __future__ import annotations

import json

from ...aws.caller import Caller
from ...aws.errors import AwsError
from ...aws.json_protocol import Response
from ...containers.launcher import log_group
from ..dispatch import ContainerFailed
from .exchange import Exchange
from .limits import MESSAGE_CHARACTERS, REALTIME_PAYLOAD_BYTES

# sagemaker-deployment #3 (RamVegiraju), host-yolov8-on-sagemaker-endpoint #21
TIMED_OUT = (
    'Received server error (0) from primary with message "Your invocation timed out while waiting for a response from '
    "container primary. Review the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try "
    'again."'
)
_LOST = 'Received server error (0) from primary with message "The connection to the container was lost while it was '


def failure(error: AwsError, request_id: str) -> Response:
    """A refusal in the runtime's REST protocol. An error without a code is told by its status alone."""
    headers = {"content-type": "application/json", "x-amzn-requestid": request_id}
    if error.code:
        headers["x-amzn-errortype"] = error.code
    if error.code == "UnknownOperationException":  # what AWS's REST front ends answer where no route matches
        return Response(error.status, b"<UnknownOperationException/>\n", {**headers, "content-type": "text/xml"})
    body = {"message": error.message, "Message": error.message, **error.fields}
    return Response(error.status, json.dumps(body).encode(), headers)


def endpoint_not_found(caller: Caller, name: str) -> AwsError:
    """amazon-sagemaker-examples #293."""
    return AwsError("ValidationError", f"Endpoint {name} of account {caller.account} not found.")


def target_model_not_supported(name: str) -> AwsError:
    """amazon-sagemaker-examples #1026 and #1216."""
    return AwsError(
        "ValidationError",
        f"Endpoint {name} is not a multi-model endpoint and does not support target model header.",
        ErrorCode="TARGET_MODEL_HEADER_NOT_SUPPORTED",
    )


def target_container_not_supported(name: str) -> AwsError:
    """The code is AWS's, the sentence is ours, after the one for the target model."""
    return AwsError(
        "ValidationError",
        f"Endpoint {name} is not a multi-container endpoint and does not support target container hostname header.",
        ErrorCode="TARGET_CONTAINER_HOSTNAME_HEADER_NOT_SUPPORTED",
    )


def inference_component_not_allowed() -> AwsError:
    """AWS's words, as clients of endpoints without inference components quote them."""
    return AwsError(
        "ValidationError",
        "Inference Component Name header is not allowed for endpoints to which you dont plan to deploy inference "
        "components. Please remove the Inference Component Name header and try again.",
        ErrorCode="INFERENCE_COMPONENT_NAME_NOT_ALLOWED",
    )


def explanations_not_supported(name: str) -> AwsError:
    """The sentence is ours."""
    return AwsError(
        "ValidationError",
        f"Endpoint {name} has no explainer and does not support enable explanations header.",
        ErrorCode="ENABLE_EXPLANATIONS_HEADER_NOT_SUPPORTED",
    )


def wrong_kind_of_endpoint(name: str, operation: str, asynchronous: bool) -> AwsError:
    """A real-time call of an asynchronous endpoint, or the other way round.

    A ValidationError (strands-agents/harness-sdk #1969); the sentence is ours.
    """
    kind = "is an asynchronous" if asynchronous else "is not an asynchronous"
    return AwsError("ValidationError", f"Endpoint {name} {kind} inference endpoint and does not support {operation}.")


def payload_too_large() -> AwsError:
    """The front end refuses it before the service sees it (aws/sagemaker-python-sdk #171)."""
    return AwsError("", f"HTTP content length exceeded {REALTIME_PAYLOAD_BYTES} bytes.", 413)


def oversize_body(request_id: str) -> AwsError:
    """A serverless endpoint's refusal (aws/sagemaker-python-sdk #4271)."""
    return AwsError("ValidationError", f"Request {request_id} has oversize body.")


def described(status: int, text: str) -> str:
    """How SageMaker tells of a container's answer that is no success. text: the answer's body."""
    kind = "client" if status // 100 == 4 else "server"
    if len(text) > MESSAGE_CHARACTERS // 2:  # re:Post QUbzR_PqclRoK5dmfEzR53wg quotes this
        return f"Received {kind} error ({status}) from primary and could not load the entire response body."
    return f'Received {kind} error ({status}) from primary with message "{text}".'


def lost(failed: ContainerFailed) -> str:
    """How SageMaker tells of a container that gave no answer. The second sentence is ours."""
    return TIMED_OUT if failed.kind == "timeout" else f'{_LOST}answering."'


def too_large(size: int, limit: int) -> str:
    """How SageMaker tells of a good answer that it does not hand on. The sentence is ours."""
    text = f"The response of {size} bytes exceeds the limit of {limit} bytes."
    return f'Received server error (0) from primary with message "{text}"'


def model_error(exchange: Exchange, status: int, original: str, message: str) -> AwsError:
    """The 424 that carries a container's failure. status: the container's, 0 for none. original: its body."""
    caller, group = exchange.caller, log_group(exchange.endpoint_name)
    console = (
        f"https://{caller.region}.console.aws.amazon.com/cloudwatch/home?region={caller.region}"
        f"#logEventViewer:group={group}"
    )
    variant = exchange.variant.name if exchange.variant else ""
    return AwsError(
        "ModelError",
        f"{message} See {console} in account {caller.account} for more information.",
        424,
        OriginalStatusCode=status,
        OriginalMessage=original[:MESSAGE_CHARACTERS],
        LogStreamArn=caller.arn("logs", f"log-group:{group}:log-stream:{variant}/{exchange.container_id}"),
    )
