# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build on this machine has for the AWS command line, which AWS's own build images hold: the logins.

Run as a script. A real one of another version might not know AWS_ENDPOINT_URL and ask AWS itself.
"""

from __future__ import annotations

import base64
import sys

import boto3

# What the AWS command line exits with where it does not understand its arguments.
_USAGE = 252


def main(arguments: list[str]) -> int:
    """`aws ecr get-login-password` and `aws sts get-caller-identity`, both in the region of the environment."""
    words = [word for word in arguments if not word.startswith("-")][:2]
    region = arguments[arguments.index("--region") + 1] if "--region" in arguments[:-1] else None
    if words == ["ecr", "get-login-password"]:
        answer = boto3.client("ecr", region_name=region).get_authorization_token()
        token = answer["authorizationData"][0]["authorizationToken"]
        print(base64.b64decode(token).decode().partition(":")[2])
        return 0
    if words == ["sts", "get-caller-identity"]:
        print(boto3.client("sts", region_name=region).get_caller_identity()["Arn"])
        return 0
    print(f"aws: a build of the local cloud has no command {' '.join(words)!r}; it has boto3.", file=sys.stderr)
    return _USAGE


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Exception as error:
        print(f"aws: {error}", file=sys.stderr)
        sys.exit(255)
