# SPDX-License-Identifier: GPL-3.0-or-later
"""All the parts of a running local cloud, put together."""

from __future__ import annotations

from .autoscaling.operations import ApplicationAutoScaling
from .call_log import CallLog
from .containers.launcher import Launchers
from .containers.sweep import sweep
from .ecr.layers import EcrLayers
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
        self.ministack = ministack
        self.calls = CallLog(settings.calls_file)
        self._store = Store(settings.state_dir / "sagemaker.sqlite3")
        self._launchers = launchers = Launchers(settings, ministack)
        self.endpoints = EndpointManager(self._store, launchers)
        self.sagemaker = SageMakerControlPlane(self._store, launchers, self.endpoints)
        self.runtime = SageMakerRuntime(self.endpoints)
        self.autoscaling = ApplicationAutoScaling(self._store)
        self.ecr_layers = EcrLayers(settings, ministack)

    def open(self) -> None:
        """Bring back what was there when the cloud was last stopped or killed."""
        sweep(self.settings.endpoints_dir)
        self._launchers.remove_leftovers()
        self.endpoints.restore()

    async def close(self) -> None:
        """Stop every container. What the services remember is already on disk."""
        await self.endpoints.shut_down()
        self._store.close()
        self.calls.close()

    @staticmethod
    def act_for_owner_of_api(api_id: str) -> None:
        """Let the rest of this request act in the account that the HTTP API belongs to.

        On AWS an API's id is enough to find it. ministack looks in the caller's account alone, and a caller of a URL
        signs nothing; so an API of any but the default account would not be found.
        """
        from ministack.core import responses
        from ministack.services import apigateway

        for (account, _region, known), _api in apigateway._apis.all_items():
            if known == api_id:
                responses.set_request_account_id(account)
                return

    @staticmethod
    def account_of(access_key: str) -> str:
        """The account that an access key acts in, by ministack's rules.

        A key of 12 digits is the account, a role's temporary key acts in the role's account, any other in the
        default one.
        """
        if access_key.isdigit() and len(access_key) == 12:
            return access_key
        from ministack.core import responses

        responses.set_request_account_id(access_key)
        account: str = responses.get_account_id()
        return account or DEFAULT_ACCOUNT
