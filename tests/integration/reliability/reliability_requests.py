# SPDX-License-Identifier: GPL-3.0-or-later
"""Users of an endpoint, who ask again as soon as they are answered and count what did not work."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from local_cloud_process import LocalCloud


class Requests:
    """Threads that ask for as long as the block runs. A failure of one is a failure of the test."""

    def __init__(self, cloud: LocalCloud, endpoint: str, *, threads: int = 1, pause: float = 0.0) -> None:
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._endpoint, self._pause = endpoint, pause
        self._done, self._changed = threading.Event(), threading.Condition()
        self._runtime = boto3.client(
            "sagemaker-runtime",
            endpoint_url=cloud.url,
            region_name="us-east-1",
            aws_access_key_id=cloud.access_key,
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}, max_pool_connections=threads, read_timeout=120),
        )
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def __enter__(self) -> Requests:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()
        if kind is None:
            assert self.failures == [], f"{len(self.failures)} of {self.total + len(self.failures)} requests failed"
            assert self.total > 0

    @property
    def total(self) -> int:
        return sum(self.answers.values())

    def wait_for(self, generation: str) -> None:
        """Wait until that generation answers somebody from now on, or until a request fails."""
        with self._changed:
            seen = self.answers[generation]
            assert self._changed.wait_for(lambda: self.answers[generation] > seen or self.failures, timeout=60)

    def _ask(self) -> None:
        while not self._done.is_set():
            try:
                answer = self._runtime.invoke_endpoint(
                    EndpointName=self._endpoint, ContentType="application/json", Body=b"{}"
                )
                generation = str(json.loads(answer["Body"].read())["generation"])
            except (ClientError, BotoCoreError) as error:
                with self._changed:
                    self.failures.append(str(error))
                    self._changed.notify_all()
                continue
            with self._changed:
                self.answers[generation] += 1
                self._changed.notify_all()
            self._done.wait(self._pause)
