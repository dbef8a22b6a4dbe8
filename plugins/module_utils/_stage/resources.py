# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stage may have left behind: one reading look-up for each kind of thing, and one by tag for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

Clients = Callable[[str], Any]


@dataclass(frozen=True)
class LookUp:
    """One thing that was looked for and the names that were found; none is what a teardown wants."""

    kind: str
    looked_for: str
    found: tuple[str, ...]


def look_up(clients: Clients, names: Mapping[str, str], tags: Mapping[str, str]) -> list[LookUp]:
    """Looks for everything the roles make.

    ``clients`` makes a boto3 client by service name. ``names`` holds ``endpoint``, ``repository``, ``bucket``,
    ``execution_role``, ``endpoint_log_group``, ``api``, ``function``, ``function_role``, ``function_log_group``,
    ``build_project``, ``build_role`` and ``build_log_group``.
    ``tags`` are those every resource of the stage carries.
    """
    sagemaker, iam, logs = clients("sagemaker"), clients("iam"), clients("logs")
    endpoint = names["endpoint"]
    found = [
        LookUp("endpoint", endpoint, _exact(_listed(sagemaker, "endpoints", "Endpoint", endpoint), endpoint)),
        _generations(sagemaker, "endpoint config", "endpoint_configs", "EndpointConfig", f"{endpoint}-CONFIG-"),
        _generations(sagemaker, "model", "models", "Model", f"{endpoint}-MODEL-"),
        LookUp("repository", names["repository"], _repository(clients("ecr"), names["repository"])),
        LookUp("bucket", names["bucket"], _bucket(clients("s3"), names["bucket"])),
        LookUp("HTTP API", names["api"], _apis(clients("apigatewayv2"), names["api"], tags)),
        LookUp("function", names["function"], _function(clients("lambda"), names["function"])),
    ]
    project = names["build_project"]
    found.append(LookUp("build project", project, _project(clients("codebuild"), project)))
    for role in ("execution_role", "function_role", "build_role"):
        found.append(LookUp("role", names[role], _role(iam, names[role])))
    for group in ("endpoint_log_group", "function_log_group", "build_log_group"):
        found.append(LookUp("log group", names[group], _log_group(logs, names[group])))
    found.append(_tagged(clients("resourcegroupstaggingapi"), tags, found))
    return found


def without_those_gone(arns: list[str], look_ups: list[LookUp]) -> tuple[str, ...]:
    """The ARNs that no look-up by name has already proved gone.

    The tagging API goes on listing what was deleted for a while (Resource Groups Tagging API reference, GetResources),
    so it is asked for what has another name, not believed against the service itself.
    """
    gone = [look_up.looked_for.rstrip("*").lower() for look_up in look_ups if not look_up.found]
    return tuple(sorted(arn for arn in arns if not any(_names(arn, name) for name in gone)))


def _names(arn: str, name: str) -> bool:
    resource = arn.lower().split(":", 5)[-1]
    resource = resource.removesuffix(":*")
    if name.endswith("-"):
        return resource.split("/")[-1].startswith(name)
    return resource == name or resource.endswith((f"/{name}", f":{name}")) or resource.split(":", 1)[-1] == name


def _generations(client: Any, kind: str, plural: str, singular: str, prefix: str) -> LookUp:
    listed = _listed(client, plural, singular, prefix.rstrip("-"))
    return LookUp(kind, f"{prefix}*", tuple(sorted(name for name in listed if name.startswith(prefix))))


def _listed(client: Any, plural: str, singular: str, contains: str) -> Iterator[str]:
    for page in client.get_paginator(f"list_{plural}").paginate(NameContains=contains):
        for item in page[f"{singular}s"]:
            yield item[f"{singular}Name"]


def _exact(names: Iterator[str], wanted: str) -> tuple[str, ...]:
    return tuple(name for name in names if name == wanted)


def _repository(client: Any, name: str) -> tuple[str, ...]:
    return _present(lambda: client.describe_repositories(repositoryNames=[name]), name, "RepositoryNotFoundException")


def _bucket(client: Any, name: str) -> tuple[str, ...]:
    return _present(lambda: client.head_bucket(Bucket=name), name, "404", "NoSuchBucket")


def _function(client: Any, name: str) -> tuple[str, ...]:
    return _present(lambda: client.get_function(FunctionName=name), name, "ResourceNotFoundException")


def _project(client: Any, name: str) -> tuple[str, ...]:
    return tuple(project["name"] for project in client.batch_get_projects(names=[name])["projects"])


def _role(client: Any, name: str) -> tuple[str, ...]:
    return _present(lambda: client.get_role(RoleName=name), name, "NoSuchEntity")


def _apis(client: Any, name: str, tags: Mapping[str, str]) -> tuple[str, ...]:
    pages = client.get_paginator("get_apis").paginate()
    apis = [api for page in pages for api in page["Items"]]
    ours = [api for api in apis if api["Name"] == name and tags.items() <= api.get("Tags", {}).items()]
    return tuple(sorted(f"{name} ({api['ApiId']})" for api in ours))


def _log_group(client: Any, name: str) -> tuple[str, ...]:
    groups = client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return tuple(group["logGroupName"] for group in groups if group["logGroupName"] == name)


def _tagged(client: Any, tags: Mapping[str, str], look_ups: list[LookUp]) -> LookUp:
    filters = [{"Key": key, "Values": [value]} for key, value in sorted(tags.items())]
    pages = client.get_paginator("get_resources").paginate(TagFilters=filters)
    arns = [mapping["ResourceARN"] for page in pages for mapping in page["ResourceTagMappingList"]]
    looked_for = ", ".join(f"{key}={value}" for key, value in sorted(tags.items()))
    known = {name.lower() for look_up in look_ups for name in look_up.found}
    left = without_those_gone(arns, look_ups)
    return LookUp("anything else tagged", looked_for, tuple(arn for arn in left if not _known(arn, known)))


def _known(arn: str, names: set[str]) -> bool:
    return any(_names(arn, name.split(" (")[0]) for name in names)


def _present(ask: Callable[[], Any], name: str, *missing_codes: str) -> tuple[str, ...]:
    try:
        ask()
    except ClientError as error:
        if error.response["Error"]["Code"] in missing_codes:
            return ()
        raise
    return (name,)
