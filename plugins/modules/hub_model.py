#!/usr/bin/python
# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolve and fetch a model of the Hugging Face hub."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hub_model
version_added: 0.1.0
short_description: Fetch a model from the Hugging Face hub at a resolved commit
description:
  - Resolves a branch or tag to its commit, chooses the files that make up the model, and fetches them into a directory of
    that commit. Each file is compared with the SHA-256 (or git id) that the hub lists.
  - What was interrupted is gone on with. A commit that is there already costs no request.
  - Only safetensors weights and descriptions are fetched. Pickled weights and code are left where they are, unless
    O(allow_pickled_weights) and O(trust_remote_code) say otherwise.
author:
  - modelhost contributors (@modelhost)
options:
  model_id:
    description:
      - The model, like V(distilbert/distilbert-base-uncased-finetuned-sst-2-english).
    type: str
    required: true
  revision:
    description:
      - A commit, tag or branch.
    type: str
    default: main
  runtime:
    description:
      - What is to serve the model. V(compiled) also takes a repository that holds a graph and no weights.
    type: str
    choices: [compiled, toolkit]
    required: true
  fetch:
    description:
      - Whether files are fetched. Where they are not, the commit is resolved, and checked for what a container needs that
        fetches it itself.
    type: bool
    default: true
  cache:
    description:
      - The directory for models of the hub.
    type: path
    required: true
  python:
    description:
      - A Python that has huggingface_hub.
    type: path
    required: true
  program:
    description:
      - The program C(files/packaging/hub_fetch.py) of this collection, which that Python runs.
    type: path
    required: true
  token_secret_id:
    description:
      - The name or ARN of a secret in AWS Secrets Manager that holds a token of the hub, for a private or gated model. The
        secret is the token itself, or a JSON object with one value.
      - It is read only where the hub has to be asked, and handed to the fetching process over its standard input.
    type: str
    default: ""
  allow_pickled_weights:
    description:
      - Whether pickled weights are fetched where there are no others. Reading them can run code.
    type: bool
    default: false
  trust_remote_code:
    description:
      - The commit whose Python files are fetched with the model. It has to be the commit that O(revision) stands for.
    type: str
    default: ""
  progress:
    description:
      - A file for lines about the progress. The action plugin of the same name sets it and shows the lines.
    type: path
attributes:
  check_mode:
    description:
      - Can run in check mode, and fetches nothing then. A branch's commit stays unknown where O(token_secret_id) is set, since
        no secret is read, and where O(python) is not there yet.
    support: full
  diff_mode:
    description: Shows which commit is fetched.
    support: full
  idempotent:
    description: A commit that is there is not fetched again. A branch or tag costs one request to the hub.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Fetch a model to compile
  modelhost.sagemaker.hub_model:
    model_id: distilbert/distilbert-base-uncased-finetuned-sst-2-english
    revision: 714eb0fa89d2f80546fda750413ed43d93601a13
    runtime: compiled
    cache: build/hub
    python: build/venvs/hub/bin/python
    program: files/packaging/hub_fetch.py

- name: Fetch a private model with the token of a secret
  modelhost.sagemaker.hub_model:
    model_id: my-organisation/private-model
    runtime: toolkit
    cache: build/hub
    python: build/venvs/hub/bin/python
    program: files/packaging/hub_fetch.py
    token_secret_id: prod/hub-token
"""

RETURN = r"""
commit:
  description: The commit that the revision stands for; may be empty in check mode where it is a branch or tag.
  returned: success
  type: str
  sample: 714eb0fa89d2f80546fda750413ed43d93601a13
path:
  description: Where the files lie; empty where nothing is or would be fetched.
  returned: success
  type: str
  sample: build/hub/organisation--name/714eb0fa89d2f80546fda750413ed43d93601a13
"""

import json
import shutil
from pathlib import Path
from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule says what is missing.

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.modelhost.sagemaker.plugins.module_utils import _aws
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact import hub_cache
from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.hub_files import (
    COMMIT,
    HubModelError,
    Wishes,
    check_remote_code,
    chosen,
    chosen_for_container,
    total_size,
)
from ansible_collections.modelhost.sagemaker.plugins.module_utils._progress import MEGABYTE, Progress


def token_of(module: AnsibleAWSModule) -> str:
    """The token of the secret, or nothing where no secret is named."""
    secret_id = module.params["token_secret_id"]
    if not secret_id:
        return ""
    try:
        secret = _aws.client(module, "secretsmanager").get_secret_value(SecretId=secret_id).get("SecretString", "")
    except (BotoCoreError, ClientError) as error:
        module.fail_json_aws(error, msg=f"Cannot read the hub's token from secret {secret_id}")
    # Whatever comes of it, no output of this module repeats it.
    module.no_log_values.add(secret)
    token = plain_token(secret)
    if token is None:
        module.fail_json(
            msg=f"Secret {secret_id} holds no token: it has to be the token itself, or a JSON object with one value."
        )
    module.no_log_values.add(token)
    return str(token)


def plain_token(secret: str) -> str | None:
    """The token in a secret's text; None where the text is neither a token nor an object with one."""
    text = secret.strip()
    if text.startswith("{"):
        try:
            values = list(json.loads(text).values())
        except ValueError:
            return None
        text = values[0].strip() if len(values) == 1 and isinstance(values[0], str) else ""
    return text if text and text.isascii() and not any(letter.isspace() for letter in text) else None


class Fetcher:
    """One model, asked for and fetched."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        params = module.params
        self._module, self._params = module, params
        self._progress = Progress(params["progress"])
        self.wishes = Wishes(params["runtime"], params["allow_pickled_weights"], params["trust_remote_code"])

    @property
    def known_commit(self) -> str:
        """The commit, where the revision is one."""
        revision = str(self._params["revision"])
        return revision if COMMIT.fullmatch(revision) else ""

    def copy(self, commit: str) -> hub_cache.Copy:
        """Where this commit is kept."""
        return hub_cache.copy_of(Path(self._params["cache"]), self._params["model_id"], commit)

    def resolve(self) -> str:
        """The commit, where it is known or can be had without reading a secret or installing anything; else nothing."""
        if self.known_commit or self._params["token_secret_id"] or not Path(self._params["python"]).exists():
            return self.known_commit
        return str(self._list("")["commit"])

    def run(self) -> dict[str, Any]:
        """Fetch what is missing; returns the module's result."""
        params, what, token = self._params, self._what, token_of(self._module)
        request = {"model_id": params["model_id"], "revision": params["revision"], "token": token}
        self._progress.say(f"asking the hub for {what}")
        listed = self._list(token)
        commit = listed["commit"]
        files = {file["name"]: file for file in listed["files"]}
        if not params["fetch"]:
            if listed["private"] or listed["gated"]:
                raise HubModelError(
                    f"The hub gives {what} only with a token, and a token must not be in an endpoint's environment. "
                    "Set model_serving_model_delivery to s3 or image: then it is read while packaging, here."
                )
            chosen_for_container(files, self.wishes, what)
            return {"changed": False, "commit": commit, "path": ""}
        wanted = [files[name] for name in chosen(files, self.wishes, what)]
        copy = self.copy(commit)
        with hub_cache.only_one(copy.path):
            changed = not copy.is_complete(self.wishes)
            if changed:
                self._fetch(copy, {**request, "commit": commit}, wanted)
        return {"changed": changed, "commit": commit, "path": str(copy.path)}

    @property
    def _what(self) -> str:
        return f"{self._params['model_id']} at {self._params['revision']}"

    def _list(self, token: str) -> dict[str, Any]:
        what = {"model_id": self._params["model_id"], "revision": self._params["revision"], "token": token}
        listed = self._ask({"do": "list", **what})
        check_remote_code(self.wishes, listed["commit"], self._what)
        return listed

    def _fetch(self, copy: hub_cache.Copy, request: dict[str, Any], files: list[dict[str, Any]]) -> None:
        total = total_size(files)
        copy.path.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(copy.path).free
        if free < total:
            raise HubModelError(
                f"{request['model_id']} takes {total / MEGABYTE:.0f} MB, and {copy.path} has {free / MEGABYTE:.0f} MB free."
            )
        self._progress.say(f"fetching {request['model_id']}: {len(files)} files, {total / MEGABYTE:.0f} MB")
        count = self._progress.bytes(f"fetching {request['model_id']}", total)
        self._ask(
            {"do": "fetch", **request, "destination": str(copy.path), "files": files},
            lambda word: count.reach(word["done"]) if word["event"] == "bytes" else None,
        )
        source = {"model_id": request["model_id"], "commit": request["commit"]}
        copy.complete(self.wishes, source, [file["name"] for file in files])

    def _ask(self, request: dict[str, Any], tell: Any = lambda word: None) -> dict[str, Any]:
        return hub_cache.ask(self._params["python"], self._params["program"], request, tell)


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "model_id": {"type": "str", "required": True},
            "revision": {"type": "str", "default": "main"},
            "runtime": {"type": "str", "choices": ["compiled", "toolkit"], "required": True},
            "fetch": {"type": "bool", "default": True},
            "cache": {"type": "path", "required": True},
            "python": {"type": "path", "required": True},
            "program": {"type": "path", "required": True},
            "token_secret_id": {"type": "str", "default": "", "no_log": False},
            "allow_pickled_weights": {"type": "bool", "default": False},
            "trust_remote_code": {"type": "str", "default": ""},
            "progress": {"type": "path"},
        },
        supports_check_mode=True,
    )
    fetcher = Fetcher(module)
    commit, fetch = fetcher.known_commit, module.params["fetch"]
    try:
        if commit:
            check_remote_code(fetcher.wishes, commit, f"{module.params['model_id']} at {commit}")
        elif module.check_mode:
            commit = fetcher.resolve()
        if commit and fetch and fetcher.copy(commit).is_complete(fetcher.wishes):
            module.exit_json(changed=False, commit=commit, path=str(fetcher.copy(commit).path))
        if module.check_mode:
            result: dict[str, Any] = {"changed": fetch, "commit": commit, "path": ""}
        else:
            result = fetcher.run()
    except (HubModelError, OSError) as error:
        module.fail_json(msg=str(error))
    wanted = f"{module.params['model_id']} at {result['commit'] or module.params['revision']}\n"
    diff = {"before": "", "after": wanted}
    module.exit_json(**result, **({"diff": diff} if result["changed"] else {}))


if __name__ == "__main__":
    main()
