# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of this checkout in a directory of its own, with stages of its own on a local cloud of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

REPOSITORY = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
SENTENCES = ["I love dogs.", "I am not fond of cats though."]
ANSWER = {"msg": "Request successful.", "body": {"predictions": ["POSITIVE", "NEGATIVE"]}}


@dataclass(frozen=True)
class Run:
    """What a command printed and how it ended. ``changed`` is the recap's number, -1 where there is no recap."""

    code: int
    output: str

    @property
    def changed(self) -> int:
        found = re.search(r"^localhost .*changed=(\d+)", self.output, re.MULTILINE)
        return int(found[1]) if found else -1


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Project:
    """The copy, and what a person does in it."""

    def __init__(self, root: Path) -> None:
        self.root, self.port = root, free_port()
        self.endpoint_url = f"http://127.0.0.1:{self.port}"
        files = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=REPOSITORY, capture_output=True, check=True, text=True,
        ).stdout.split("\0")  # fmt: skip
        for name in filter(None, files):
            source, target = REPOSITORY / name, root / name
            if source.is_symlink() or source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)

    def new_stage(self, name: str, of: str = "local", **settings: Any) -> None:
        """Copies an inventory, as a person does, and points the copy at this project's own local cloud."""
        shutil.copytree(self.root / "inventories" / of, self.root / "inventories" / name)
        venvs = str(REPOSITORY / ".local_cloud" / "venvs")
        own = {"local_cloud_port": self.port, "local_cloud_venvs": venvs, "image_builder": "process"}
        self.change(name, **{**own, **settings})

    def change(self, stage: str, **settings: Any) -> None:
        """Sets keys of a stage file."""
        path = self.root / "inventories" / stage / "group_vars" / "stage.yml"
        lines = [line for line in path.read_text().splitlines() if line.split(":")[0] not in settings]
        path.write_text("\n".join([*lines, *(f"{key}: {json.dumps(value)}" for key, value in settings.items()), ""]))

    def command(self, *arguments: str, env: dict[str, str] | None = None) -> Run:
        """Runs a command of the virtual environment in the copy, without whatever AWS settings this shell has."""
        done = subprocess.run(
            [str(BIN / arguments[0]), *arguments[1:]],
            cwd=self.root, env=self.environment(env), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        return Run(done.returncode, done.stdout + done.stderr)

    def play(self, playbook: str, stage: str, *arguments: str, env: dict[str, str] | None = None) -> Run:
        """Runs a root playbook on a stage and expects it to succeed."""
        run = self.try_play(playbook, stage, *arguments, env=env)
        assert run.code == 0, run.output
        return run

    def try_play(self, playbook: str, stage: str, *arguments: str, env: dict[str, str] | None = None) -> Run:
        """Runs a root playbook on a stage, however it ends."""
        return self.command("ansible-playbook", f"{playbook}.yml", "-i", f"inventories/{stage}", *arguments, env=env)

    def play_together(self, playbook: str, stage: str, number: int) -> list[Run]:
        """Runs a root playbook on a stage that many times at once."""
        processes = [
            subprocess.Popen(
                [str(BIN / "ansible-playbook"), f"{playbook}.yml", "-i", f"inventories/{stage}"],
                cwd=self.root, env=self.environment(), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            for _ in range(number)
        ]  # fmt: skip
        outputs = [process.communicate()[0] for process in processes]
        return [Run(process.returncode, output) for process, output in zip(processes, outputs, strict=True)]

    def break_off(self, playbook: str, stage: str, at: str) -> str:
        """Starts a playbook and presses Ctrl-C when ``at`` is printed; returns what was printed until the end.

        ansible-core 2.19 can deadlock when its worker dies while it hands over a line, so where one Ctrl-C does not
        end it, there is a second one, as from a person.
        """
        process = subprocess.Popen(
            [str(BIN / "ansible-playbook"), f"{playbook}.yml", "-i", f"inventories/{stage}"],
            cwd=self.root, env=self.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        assert process.stdout
        printed = ""
        for line in process.stdout:
            printed += line
            if at in line:
                break
        assert at in printed, printed
        while process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                printed += process.communicate(timeout=10)[0]
        assert process.returncode != 0, printed
        return printed

    def url(self, stage: str) -> str:
        run = self.command(
            "ansible-playbook", "url.yml", "-i", f"inventories/{stage}",
            env={"ANSIBLE_STDOUT_CALLBACK": "modelhost.sagemaker.bare"},
        )  # fmt: skip
        assert run.code == 0, run.output
        return run.output.strip()

    def client(self, service: str, account: str = "000000000000") -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=account,
            aws_secret_access_key="stage-has-no-secret",
        )

    def calls(self, since: int = 0) -> list[dict[str, Any]]:
        """What the local cloud was asked after the given number."""
        with urllib.request.urlopen(f"{self.endpoint_url}/_local_cloud/calls?since={since}") as answer:
            return json.load(answer)["calls"]

    def calls_so_far(self) -> int:
        with urllib.request.urlopen(f"{self.endpoint_url}/_local_cloud/calls?since=0") as answer:
            return json.load(answer)["next"]

    def writes(self, since: int) -> list[str]:
        """The writing calls after the given number, as service:Operation."""
        return [f"{call['service']}:{call['operation']}" for call in self.calls(since) if call["access"] == "write"]

    def environment(self, more: dict[str, str] | None = None) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_"))}
        return {**inherited, **(more or {})}


def ask(url: str, body: Any = None) -> tuple[int, Any]:
    """POSTs to the demo; (status, answer)."""
    data = json.dumps(body if body is not None else {"inputs": SENTENCES}).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


class Traffic:
    """One caller who asks again as soon as it is answered, for as long as the block runs."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.good = 0
        self.bad: list[Any] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                answer = ask(self.url)
            except OSError as error:
                answer = (0, str(error))
            if answer == (200, ANSWER):
                self.good += 1
            else:
                self.bad.append(answer)
            self._stop.wait(0.2)
