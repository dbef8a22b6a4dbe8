# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching a model from the Hugging Face hub, for a container that was given no artifact."""

from __future__ import annotations

from pathlib import Path

from serving import log
from serving.errors import ModelLoadError
from serving.model_directory import GRAPHS, ModelDirectory
from serving.settings import Settings

# Text files that a tokenizer or a config consists of. Python files and pickled weights are never fetched:
# both would run code that somebody else wrote.
_DESCRIPTIONS = ("*.json", "*.txt", "*.model")


def locate_model(settings: Settings) -> ModelDirectory:
    """The directory to serve from: the model directory, or where that is empty a copy of HF_MODEL_ID.

    Raises:
        ModelLoadError: there is no model, or the hub does not give it.
    """
    directory = ModelDirectory(settings.model_dir)
    if not directory.is_empty:
        return directory
    if settings.model_id is None:
        raise ModelLoadError(
            f"There is no model: {settings.model_dir} is empty and HF_MODEL_ID is not set. "
            "Give the SageMaker Model an artifact (model_data_url) or set HF_MODEL_ID."
        )
    return ModelDirectory(_fetch(settings.model_id, settings.model_revision))


def _fetch(model_id: str, revision: str) -> Path:
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

    what = f"{model_id} at revision {revision}"
    try:
        info = HfApi().model_info(model_id, revision=revision)
        files = [sibling.rfilename for sibling in info.siblings or ()]
        patterns = [*_DESCRIPTIONS, *_model_files(files, what)]
        log.info("model_fetch", model_id=model_id, revision=revision, commit=info.sha)
        # The commit, not the revision: what was listed is what is fetched, even if the branch moves in between.
        return Path(snapshot_download(model_id, revision=info.sha, allow_patterns=patterns))
    except HFValidationError:
        raise ModelLoadError(f"HF_MODEL_ID is {model_id!r}; it must look like 'organisation/name'.") from None
    except GatedRepoError:
        raise ModelLoadError(f"The hub gives {what} only to those who accepted its terms.") from None
    except RevisionNotFoundError:
        raise ModelLoadError(f"The hub has no revision {revision} of {model_id} (HF_MODEL_REVISION).") from None
    except RepositoryNotFoundError:
        raise ModelLoadError(f"The hub has no public model {model_id} (HF_MODEL_ID).") from None
    except ModelLoadError:
        raise
    except Exception as error:
        # What its HTTP client raises has no base of huggingface_hub's, and the client has changed between releases.
        raise ModelLoadError(f"The hub could not be reached for {what}: {type(error).__name__}.") from error


def _model_files(files: list[str], what: str) -> list[str]:
    """Which of a repository's big files to fetch: the graph where there is one, else the safetensors weights."""
    for graph in GRAPHS:
        if graph in files:
            # A graph past 2 GB keeps its tensors in a file beside it.
            return [graph, f"{graph}_data", f"{graph}.data"]
    if any(name.endswith(".safetensors") and "/" not in name for name in files):
        return ["*.safetensors"]
    raise ModelLoadError(
        f"{what} has neither a graph ({' or '.join(GRAPHS)}) nor safetensors weights; "
        "pickled weights are not loaded, because they can run code."
    )
