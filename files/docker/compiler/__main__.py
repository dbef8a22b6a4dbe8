# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m compiler SOURCE DESTINATION --task TASK`: compile a model directory."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from compiler.errors import CompileError


def main(argv: list[str] | None = None) -> int:
    """Compile. Returns the exit status: 0, or 1 with a sentence on standard error."""
    options = _arguments(argv)
    # Nothing is fetched: what is compiled is what lies in the directory.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    try:
        # Late, so that --help and a missing directory need no torch.
        if not options.source.is_dir():
            raise CompileError(f"There is no directory {options.source}.")
        from compiler.compile import Options, compile_model

        origin = {"model_id": options.model_id, "commit": options.commit}
        compile_model(
            Options(
                source=options.source,
                destination=options.destination,
                task=options.task,
                calibration=options.calibration,
                precision=options.precision,
                allow_pickle=options.allow_pickle,
                origin={name: value for name, value in origin.items() if value},
                say=lambda line: print(line, flush=True),
            )
        )
    except ModuleNotFoundError as error:
        print(f"The package {error.name} is missing: pip install -r requirements-compiler.txt", file=sys.stderr)
        return 1
    except (CompileError, OSError) as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m compiler", description=__doc__)
    parser.add_argument("source", type=Path, help="a model directory of transformers, with safetensors")
    parser.add_argument("destination", type=Path, help="the directory to write; it must not exist, or be empty")
    parser.add_argument("--task", required=True, help="a task of transformers' pipelines, such as text-classification")
    parser.add_argument("--calibration", type=Path, help="texts like those that will be asked: one a line, or .jsonl")
    parser.add_argument(
        "--precision", choices=("auto", "fp32"), default="auto", help="auto: int8 if it agrees, else fp32"
    )
    parser.add_argument("--allow-pickle", action="store_true", help="read pickled weights, which can run any code")
    parser.add_argument("--model-id", default="", help="where the model comes from, for the report")
    parser.add_argument("--commit", default="", help="the commit that was fetched, for the report")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
