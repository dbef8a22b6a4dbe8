# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lies behind a model artifact's URL, so that a new content under an old URL is noticed."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from .errors import SageMakerError

# Without botocore AnsibleAWSModule fails with a sentence before anything here is used.
with suppress(ImportError):
    from botocore.exceptions import BotoCoreError, ClientError


def etag(boto_s3: Any, url: str, *, may_be_missing: bool) -> str | None:
    """Return the ETag of the S3 object at C(url).

    In check mode the artifact may not be uploaded yet (C(may_be_missing)) and None is returned. S3 calls a missing
    object forbidden where its bucket must not be listed.
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    try:
        return boto_s3.head_object(Bucket=bucket, Key=key)["ETag"].strip('"')
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        missing = code in ("404", "NoSuchKey", "NoSuchBucket", "NotFound")
        if may_be_missing and (missing or code in ("403", "AccessDenied", "Forbidden")):
            return None
        if missing:
            raise SageMakerError(message=f"model.model_data_url: there is no object at {url}.") from error
        raise SageMakerError(
            message=f"model.model_data_url: {url} cannot be looked at ({code}). The right s3:GetObject on it is needed "
            "to tell whether its content changed."
        ) from error
    except BotoCoreError as error:
        raise SageMakerError(message=f"model.model_data_url: {url} cannot be looked at: {error}") from error
