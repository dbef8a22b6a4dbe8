# Copyright (c) 2026, modelhost contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a hub's repository make up the model, and what of it must not be fetched. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from ansible_collections.modelhost.sagemaker.plugins.module_utils._model_artifact.files import COMPILATION, GRAPHS

COMMIT = re.compile(r"[0-9a-f]{40}")

#: Descriptions of a model and its tokenizer: text, none of which is run.
_DESCRIPTIONS = frozenset({".json", ".txt", ".model", ".jinja"})

#: The folders that sentence-transformers (1_Pooling, 2_Dense) and transformers' chat templates have.
_FOLDERS = re.compile(r"\d+_\w+|additional_chat_templates")

_SHARD = re.compile(r"(model|pytorch_model)-\d+-of-\d+\.(safetensors|bin)")

_PICKLED_WEIGHTS = re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin")


class HubModelError(Exception):
    """This repository cannot be used; the message says why and what would be right."""


@dataclass(frozen=True)
class Wishes:
    """What is wanted of a repository. ``trust_remote_code`` is the commit whose code may be run, or empty."""

    runtime: str
    allow_pickled_weights: bool = False
    trust_remote_code: str = ""

    def document(self) -> dict[str, object]:
        """As it is remembered beside what was fetched."""
        return {
            "runtime": self.runtime,
            "allow_pickled_weights": self.allow_pickled_weights,
            "trust_remote_code": self.trust_remote_code,
        }


def check_remote_code(wishes: Wishes, commit: str, what: str) -> None:
    """Raises HubModelError where code is to be trusted that is not the code of this commit."""
    if wishes.trust_remote_code and wishes.trust_remote_code != commit:
        raise HubModelError(
            f"model_serving_trust_remote_code names commit {wishes.trust_remote_code}, but {what} is commit {commit}. "
            "Read the code of that commit, then name it; or set model_serving_model_revision to the one you have read."
        )


def chosen(names: Iterable[str], wishes: Wishes, what: str) -> list[str]:
    """The files to fetch for packaging, sorted: weights where there are any, since those can be compiled and checked.

    Raises HubModelError where there is neither weights nor, for ``compiled``, a graph.
    """
    there = {name for name in names if _stays_inside(name)}
    described = [name for name in there if _is_description(name)]
    weights = _safetensors(there)
    if not weights and wishes.runtime == "compiled":
        weights = graph_files(there)
    if not weights and wishes.allow_pickled_weights:
        weights = [name for name in there if _PICKLED_WEIGHTS.fullmatch(name)]
    if not weights:
        pickled = any(_PICKLED_WEIGHTS.fullmatch(name) for name in there)
        raise HubModelError(
            f"{what} has no safetensors weights"
            + (f" and no graph ({' or '.join(GRAPHS)})." if wishes.runtime == "compiled" else ".")
            + (
                " Its weights are pickled, and reading those can run code that is hidden in them. Look for a revision "
                "with safetensors, or set model_serving_allow_pickled_weights."
                if pickled
                else ""
            )
        )
    code = [name for name in there if name.endswith(".py")] if wishes.trust_remote_code else []
    return sorted({*described, *weights, *code})


def chosen_for_container(names: Iterable[str], wishes: Wishes, what: str) -> list[str]:
    """The files that a container fetches when it starts (``model_serving_model_delivery: hub``).

    It compiles nothing, so ``compiled`` needs a graph in the repository. Raises HubModelError where there is none.
    """
    there = {name for name in names if _stays_inside(name)}
    if wishes.runtime != "compiled":
        return chosen(there, wishes, what)
    graph = graph_files(there)
    if not graph:
        raise HubModelError(
            f"{what} has no graph ({' or '.join(GRAPHS)}), and a container compiles nothing. Set "
            "model_serving_model_delivery to s3 or image, or set image_runtime to toolkit."
        )
    return sorted({*(name for name in there if _is_description(name)), *graph})


def graph_files(there: set[str]) -> list[str]:
    """The first graph with the files that belong to it; none where there is no graph."""
    for graph in GRAPHS:
        if graph in there:
            beside = (f"{graph}_data", f"{graph}.data", COMPILATION)
            return [graph, *(name for name in beside if name in there)]
    return []


def total_size(files: Iterable[Mapping[str, object]]) -> int:
    """The bytes of the given files, as far as the hub says."""
    return sum(size for file in files if isinstance(size := file["size"], int))


def _stays_inside(name: str) -> bool:
    """Whether a name that somebody else chose leads to a file below the directory it is fetched into."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _is_description(name: str) -> bool:
    path = PurePosixPath(name)
    if path.name.startswith(".") or path.suffix not in _DESCRIPTIONS:
        return False
    return all(_FOLDERS.fullmatch(folder) for folder in path.parts[:-1])


def _safetensors(there: set[str]) -> list[str]:
    """The weights that transformers would load: one file, or the shards that an index names; else what there is."""
    inside = [name for name in there if name.endswith(".safetensors") and _FOLDERS.fullmatch(name.partition("/")[0])]
    top = [name for name in there if name.endswith(".safetensors") and "/" not in name]
    if "model.safetensors" in top:
        return ["model.safetensors", *inside]
    shards = [name for name in top if _SHARD.fullmatch(name)]
    return [*(shards or top), *(inside if top else [])]
