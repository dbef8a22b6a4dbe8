# SPDX-License-Identifier: GPL-3.0-or-later
"""All the parts of a running local cloud, put together."""

from __future__ import annotations

import time

from .autoscaling.operations import ApplicationAutoScaling
from .call_log import CallLog
from .codebuild.operations import CodeBuild
from .containers.image_sweep import ImageSweep
from .containers.launcher import Launchers
from .containers.sweep import sweep
from .ecr.service import Ecr
from .faults.book import FaultBook
from .iam.authorization import Authorization
from .ministack_backend import Ministack
from .sagemaker.endpoint_manager import EndpointManager
from .sagemaker.operations import SageMakerControlPlane
from .sagemaker.runtime import SageMakerRuntime
from .settings import DEFAULT_ACCOUNT, Settings
from .store import Store


class Cloud:
    """The services in front of ministack, and what they share."""

    def __init__(self, settings: Settings, ministack: Ministack) -> None:
        self.settings = settings
        self.started = time.time()
        self.ministack = ministack
        self.calls = CallLog(settings.calls_file)
        self.faults = FaultBook()
        self._store = Store(settings.state_dir / "sagemaker.sqlite3")
        self.iam = Authorization(settings, self._store)
        self._launchers = launchers = Launchers(settings, ministack)
        self.endpoints = EndpointManager(self._store, launchers, self.faults)
        self.runtime = SageMakerRuntime(self.endpoints, self._store, ministack, settings.enforce_iam)
        self.autoscaling = ApplicationAutoScaling(self._store, self.endpoints, ministack, settings)
        self.iam.registered_variants = self.autoscaling.registered_variants
        self.sagemaker = SageMakerControlPlane(self._store, launchers, self.endpoints, self.autoscaling)
        self.codebuild = CodeBuild(self._store, ministack, settings)
        self.ecr = Ecr(settings, ministack)
        self.ecr_registry, self.ecr_tokens = self.ecr.registry, self.ecr.tokens
        self.ecr_registry.refusal = self.iam.registry_refusal
        self.ecr_registry.refusal = self.iam.registry_refusal
        self._image_sweep = ImageSweep(
            settings.images_dir, launchers.images_in_use, lambda: not self.endpoints.summary()["returning"]
        )

    def open(self) -> None:
        """Bring back what was there when the cloud was last stopped or killed."""
        sweep(self.settings.endpoints_dir)
        self._launchers.remove_leftovers()
        self.ecr.open()
        self.codebuild.open()
        self.endpoints.restore()
        self._image_sweep.open()
        self.runtime.open()
        self.autoscaling.start()

    async def close(self) -> None:
        """Stop every container. What the services remember is already on disk."""
        await self.autoscaling.stop()
        await self.codebuild.close()
        await self.runtime.close()
        await self.endpoints.shut_down()
        self._image_sweep.close()
        self.ecr.close()
        self._store.close()
        self.calls.close()

    @property
    def store(self) -> Store:
        """What our services remember, for pages that show it."""
        return self._store

    @staticmethod
    def act_for_owner_of_api(api_id: str) -> str | None:
        """Let the rest of this request act in the account that the HTTP API belongs to; which one, if there is one.

        On AWS an API's id is enough to find it. ministack looks in the caller's account alone, and a caller of a URL
        signs nothing; so an API of any but the default account would not be found.
        """
        from ministack.core import responses
        from ministack.services import apigateway

        for (account, _region, known), _api in apigateway._apis.all_items():
            if known == api_id:
                responses.set_request_account_id(account)
                return str(account)
        return None

    def account_of(self, access_key: str) -> str:
        """The account that an access key acts in, by ministack's rules.

        A key of 12 digits is the account, a role's temporary key acts in the role's account, any other in the
        default one; where permissions are enforced, an IAM user's key acts in the user's account.
        """
        if known := self.iam.account_of(access_key):
            return known
        from ministack.core import responses

        responses.set_request_account_id(access_key)
        current: str = responses.get_account_id()
        return current or DEFAULT_ACCOUNT
