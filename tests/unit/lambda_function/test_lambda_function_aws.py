# SPDX-License-Identifier: GPL-3.0-or-later
"""Which refusals of Lambda are worth another try."""

from __future__ import annotations

import pytest
from ansible_collections.modelhost.sagemaker.plugins.module_utils._lambda_function.aws import retrying
from botocore.exceptions import ClientError

NOT_YET = "The role defined for the function cannot be assumed by Lambda."


class Refusing:
    """Refuses the first calls with the given errors, then answers."""

    def __init__(self, *errors: tuple[str, str]) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            code, message = self.errors.pop(0)
            raise ClientError({"Error": {"Code": code, "Message": message}}, "CreateFunction")
        return "made"


def test_a_role_that_is_not_known_yet_is_waited_for() -> None:
    create = Refusing(("InvalidParameterValueException", NOT_YET), ("InvalidParameterValueException", NOT_YET))
    assert retrying(delay=0.01)(create)() == "made"
    assert create.calls == 3


def test_any_other_refusal_is_final() -> None:
    create = Refusing(("InvalidParameterValueException", "Unzipped size must be smaller than 262144000 bytes"))
    with pytest.raises(ClientError, match="Unzipped size"):
        retrying(delay=0.01)(create)()
    assert create.calls == 1
