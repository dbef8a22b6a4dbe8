# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person writes arrives byte for byte, wherever AWS takes it."""

from __future__ import annotations

import json

from reliability_operator import Account, Operator
from reliability_stage import Stage

ENVIRONMENT = {
    "HF_MODEL_ID": "org/Model-Name",
    "camelCase": "keepsCase",
    "lower_case": "x",
    "UPPER": "YES",
    "_underscore": "1.0",
    "EMPTY": "",
    "SPACES": "  around  ",
    "TAB_AND_NEWLINE": "one\ttwo\nthree\n",
    "QUOTES": """'single' "double" `back`""",
    "JSON": '{"a": [1, null, "ü"], "b": "\\\\n"}',
    "UNICODE": "Zürich 東京 🚀",
    "SHELL": "$HOME $(id) %PATH% \\ ; & | > <",
    "JINJA": "{{ not_a_template }} {% neither %}",
    "BOOLEANS": "yes no true False on",
    "NUMBER": "007",
}
TAGS = {
    "camelCase": "KeepsCase",
    "Cost-Center": "0042",
    "empty": "",
    "größe": "Zürich 東京",
    "with space": " around ",
    "a/b:c=d+e-f@g_h.i": "x/y:z=1+2-3@4_5.6",
}


def test_an_environment_arrives_byte_for_byte_and_changes_nothing_the_next_time(
    stage: Stage, operator: Operator
) -> None:
    wish = stage.wish("1", environment=ENVIRONMENT)
    operator.run(wish)
    runtime = stage.cloud.client("sagemaker-runtime")
    seen = json.loads(runtime.invoke_endpoint(EndpointName=stage.name, Body=b"{}")["Body"].read())["environment"]
    assert {key: seen[key] for key in ENVIRONMENT} == ENVIRONMENT
    again = operator.run(wish)
    assert (again["changed"], operator.writes) == (False, [])


def test_tags_arrive_byte_for_byte_on_all_that_is_made(stage: Stage, operator: Operator, account: Account) -> None:
    operator.run(stage.wish("1", tags=TAGS))
    assert TAGS.items() <= account.tags(stage.name).items()
    sagemaker = stage.cloud.client("sagemaker")
    config = sagemaker.describe_endpoint_config(EndpointConfigName=account.live(stage.name))
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    for arn in (config["EndpointConfigArn"], model["ModelArn"]):
        found = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
        assert TAGS.items() <= found.items()
    again = operator.run(stage.wish("1", tags=TAGS))
    assert (again["changed"], operator.writes) == (False, [])


def test_a_change_of_case_alone_is_a_change(stage: Stage, operator: Operator) -> None:
    operator.run(stage.wish("1", environment={"KEY": "value"}))
    assert operator.run(stage.wish("1", environment={"KEY": "Value"}))["changed"]
    assert operator.run(stage.wish("1", environment={"key": "Value"}))["changed"]
