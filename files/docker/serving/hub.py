# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the model lies: in the model directory, or on the Hugging Face hub for a container that was given none."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

from serving import log
from serving.errors import ModelLoadError
from serving.model_directory import GRAPHS, ModelDirectory
from serving.settings import PICKLE_SENTENCE, Settings
from serving.sums import sha256_of, verify_sums

# Text files that a tokenizer, a config or a chat template consists of.
_DESCRIPTIONS = frozenset({".json", ".txt", ".model", ".jinja"})

# The folders that sentence-transformers (1_Pooling, 2_Dense) and transformers' chat templates have. What lies in
# others, code/inference.py among it, is somebody else's.
_FOLDERS = re.compile(r"\d+_\w+|additional_chat_templates")

_PICKLED_WEIGHTS = re.compile(r"pytorch_model(-\d+-of-\d+)?\.bin")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def locate_model(settings: Settings, weights: bool = False) -> ModelDirectory:
    """The directory to serve from: the model directory, or where that is empty a copy of HF_MODEL_ID.

    A directory that came with SHA256SUMS is compared with them first.

    Args:
        settings: model_dir, model_id, model_revision and what may be loaded.
        weights: whether the runtime wants weights (`toolkit`) and not a graph (`compiled`).

    Raises:
        ModelLoadError: there is no model, it is not what was packaged, or the hub does not give it.
    """
    directory = ModelDirectory(settings.model_dir)
    if not directory.is_empty:
        if verify_sums(directory.path):
            log.info("model_verified", directory=str(directory.path))
        return directory
    if settings.model_id is None:
        raise ModelLoadError(
            f"There is no model: {settings.model_dir} is empty and HF_MODEL_ID is not set. "
            "Give the SageMaker Model an artifact (model_data_url) or set HF_MODEL_ID."
        )
    return ModelDirectory(_fetch(settings, settings.model_id, weights))


def _fetch(settings: Settings, model_id: str, weights: bool) -> Path:
    # Imported here: most containers are given an artifact and never need it.
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()

    revision = settings.model_revision
    what = f"{model_id} at revision {revision}"
    try:
        info = HfApi(token=False).model_info(model_id, revision=revision, files_metadata=True)
        commit = str(info.sha)
        if _COMMIT.fullmatch(revision) and commit != revision:
            raise ModelLoadError(f"The hub answered with commit {commit} when asked for {what}.")
        names = {sibling.rfilename for sibling in info.siblings or ()}
        chosen = _chosen(names, settings, commit, what, weights)
        log.info("model_fetch", model_id=model_id, revision=revision, commit=commit, files=len(chosen))
        # The commit, not the revision: what was listed is what is fetched, even if the branch moves in between.
        directory = Path(snapshot_download(model_id, revision=commit, allow_patterns=chosen, token=False))
        _verify(directory, info.siblings or (), chosen)
        (directory / "source.json").write_text(json.dumps({"model_id": model_id, "commit": commit}), encoding="utf-8")
        return directory
    except HFValidationError:
        raise ModelLoadError(f"HF_MODEL_ID is {model_id!r}; it must look like 'organisation/name'.") from None
    except GatedRepoError:
        raise ModelLoadError(
            f"The hub gives {what} only to those who accepted its terms, by a token. A container has none: package "
            "the model (model_serving_model_delivery s3 or image)."
        ) from None
    except RevisionNotFoundError:
        raise ModelLoadError(f"The hub has no revision {revision} of {model_id} (HF_MODEL_REVISION).") from None
    except RepositoryNotFoundError:
        raise ModelLoadError(f"The hub has no public model {model_id} (HF_MODEL_ID).") from None
    except ModelLoadError:
        raise
    except Exception as error:
        # What its HTTP client raises has no base of huggingface_hub's, and the client has changed between releases.
        raise ModelLoadError(f"The hub could not be reached for {what}: {type(error).__name__}.") from error


def _chosen(names: set[str], settings: Settings, commit: str, what: str, weights: bool) -> list[str]:
    """The files to fetch: descriptions, and the weights or the graph that the runtime serves.

    Python files and pickled weights would run code that somebody else wrote. They are fetched where the deployer has
    named the very commit, or said so in words.
    """
    chosen = {name for name in names if _is_description(name)}
    if not weights:
        return sorted(chosen | _graph(names, what))
    tensors = {name for name in names if name.endswith(".safetensors") and _is_near(name)}
    if not tensors and settings.allow_pickle == PICKLE_SENTENCE:
        tensors = {name for name in names if _PICKLED_WEIGHTS.fullmatch(name)}
    if not tensors:
        raise ModelLoadError(
            f"{what} has no safetensors weights; pickled weights are not loaded, because they can run code."
        )
    if settings.trust_remote_code == commit:
        chosen |= {name for name in names if name.endswith(".py") and "/" not in name}
    return sorted(chosen | tensors)


def _graph(names: set[str], what: str) -> set[str]:
    for graph in GRAPHS:
        if graph in names:
            # A graph past 2 GB keeps its tensors in a file beside it.
            return {graph, f"{graph}_data", f"{graph}.data"} & names
    raise ModelLoadError(
        f"{what} has no graph ({' or '.join(GRAPHS)}), and a container compiles none. Package the model "
        "(model_serving_model_delivery s3 or image), or set image_runtime to toolkit."
    )


def _is_near(name: str) -> bool:
    return all(_FOLDERS.fullmatch(folder) for folder in PurePosixPath(name).parts[:-1])


def _is_description(name: str) -> bool:
    return PurePosixPath(name).suffix in _DESCRIPTIONS and _is_near(name)


def _verify(directory: Path, siblings: Any, chosen: list[str]) -> None:
    """Compare what was fetched with the SHA-256 that the hub lists for large files; git names the small ones."""
    for sibling in siblings:
        wanted = getattr(sibling.lfs, "sha256", None)
        if sibling.rfilename in chosen and wanted and sha256_of(directory / sibling.rfilename) != wanted:
            raise ModelLoadError(f"{sibling.rfilename} arrived from the hub with another SHA-256 than the hub lists.")
