# SPDX-License-Identifier: GPL-3.0-or-later
"""AddTags, ListTags, DeleteTags and the Tags of Create calls by AWS's documented rules."""

from __future__ import annotations

import pytest
from conformance_source import reference, source
from conformance_target import ARN, Target, instances, refusal


def tags(**pairs: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def tags_of(target: Target, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in target.sagemaker.list_tags(ResourceArn=arn)["Tags"]}


@reference("CreateModel: Tags")
def test_tags_come_with_a_model_a_config_and_an_endpoint(aws: Target) -> None:
    name = aws.name("tagged")
    given = {"Tags": tags(stage="test", empty="")}
    arns = [
        aws.create_model(name, **given)["ModelArn"],
        aws.create_config(name, instances(name), **given)["EndpointConfigArn"],
        aws.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, **given)["EndpointArn"],
    ]
    for arn in arns:
        assert tags_of(aws, arn) == {"stage": "test", "empty": ""}


@reference("AddTags")
def test_a_tag_is_added_or_overwritten(aws: Target) -> None:
    arn = aws.create_model(aws.name(), Tags=tags(a="1", b="2"))["ModelArn"]
    aws.sagemaker.add_tags(ResourceArn=arn, Tags=tags(b="3", c="4"))
    assert tags_of(aws, arn) == {"a": "1", "b": "3", "c": "4"}


@reference("AddTags: Response Elements")
def test_adding_tags_answers_the_tags_of_the_resource(aws: Target) -> None:
    arn = aws.create_model(aws.name(), Tags=tags(a="1"))["ModelArn"]
    answer = aws.sagemaker.add_tags(ResourceArn=arn, Tags=tags(b="2"))
    assert sorted(tag["Key"] for tag in answer["Tags"]) == ["a", "b"]


@reference("DeleteTags")
def test_a_tag_is_taken_away_and_one_that_is_not_there_is_no_error(aws: Target) -> None:
    arn = aws.create_model(aws.name(), Tags=tags(a="1", b="2"))["ModelArn"]
    aws.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a", "none"])
    assert tags_of(aws, arn) == {"b": "2"}


@reference("Tag: tag keys must be unique per resource; the case of keys counts")
def test_the_case_of_a_tags_key_counts(aws: Target) -> None:
    arn = aws.create_model(aws.name(), Tags=tags(key="1", Key="2"))["ModelArn"]
    assert tags_of(aws, arn) == {"key": "1", "Key": "2"}


@reference("Tag: tag keys must be unique per resource")
def test_a_key_is_given_once(aws: Target) -> None:
    twice = [*tags(a="1"), *tags(a="2")]
    refusal(lambda: aws.create_model(aws.name(), Tags=twice))


@reference("CreateModel: Tags has at most 50 items")
def test_a_resource_has_50_tags_at_most(aws: Target) -> None:
    fifty = tags(**{f"k{n}": "v" for n in range(50)})
    arn = aws.create_model(aws.name(), Tags=fifty)["ModelArn"]
    assert len(tags_of(aws, arn)) == 50
    message = refusal(lambda: aws.create_model(aws.name(), Tags=[*fifty, *tags(more="v")]))
    assert "at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50" in message
    refusal(lambda: aws.sagemaker.add_tags(ResourceArn=arn, Tags=tags(more="v")))
    aws.sagemaker.add_tags(ResourceArn=arn, Tags=tags(k0="other"))


@source("AWS General Reference: tag naming limits, the prefix aws: is reserved")
@pytest.mark.parametrize("key", ["aws:mine", "AWS:mine", "aws:cloudformation:stack-name"])
def test_keys_of_awss_own_are_refused(aws: Target, key: str) -> None:
    refusal(lambda: aws.create_model(aws.name(), Tags=tags(**{key: "v"})))
    arn = aws.create_model(aws.name())["ModelArn"]
    refusal(lambda: aws.sagemaker.add_tags(ResourceArn=arn, Tags=tags(**{key: "v"})))


@reference("Tag")
@pytest.mark.parametrize(
    ("key", "value", "path"),
    [
        ("k" * 129, "v", "tags.1.member.key"),
        ("", "v", "tags.1.member.key"),
        ("k", "v" * 257, "tags.1.member.value"),
        ("semi;colon", "v", "tags.1.member.key"),
        ("k", "line\nbreak", "tags.1.member.value"),
    ],
)
def test_a_tags_key_and_value_have_limits(aws: Target, key: str, value: str, path: str) -> None:
    message = refusal(lambda: aws.create_model(aws.name(), Tags=tags(**{key: value})))
    assert f"at '{path}' failed to satisfy constraint: Member must " in message


@reference("Tag: letters, separators and numbers of any script, and _.:/=+-@")
def test_a_tag_may_be_of_any_script(aws: Target) -> None:
    pairs = {"modelhost:stage/x=1+2-3@_.": "größe 尺寸 мера ٣", "été": "½"}
    arn = aws.create_model(aws.name(), Tags=tags(**pairs))["ModelArn"]
    assert tags_of(aws, arn) == pairs


@reference("ListTags: MaxResults is 50 or more")
def test_a_page_of_tags_has_50_or_more(aws: Target) -> None:
    arn = aws.create_model(aws.name(), Tags=tags(a="1"))["ModelArn"]
    assert "NextToken" not in aws.sagemaker.list_tags(ResourceArn=arn, MaxResults=50)
    message = refusal(lambda: aws.sagemaker.list_tags(ResourceArn=arn, MaxResults=49))
    assert "at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 50" in message


@reference("ListTags: NextToken is what the response before included")
@pytest.mark.parametrize("token", ["x", "-1", "1e3", "٣", "9" * 30])
def test_a_token_of_no_page_of_tags_is_refused(local: Target, token: str) -> None:
    arn = local.create_model(local.name(), Tags=tags(a="1"))["ModelArn"]
    refusal(lambda: local.sagemaker.list_tags(ResourceArn=arn, NextToken=token))


@reference("ListTags: ResourceArn")
@pytest.mark.parametrize(
    "arn", [f"{ARN}:model/none", f"{ARN}:endpoint/none", "arn:aws:sagemaker:eu-west-1:000000000000:model/none"]
)
def test_what_is_not_there_has_no_tags(aws: Target, arn: str) -> None:
    refusal(lambda: aws.sagemaker.list_tags(ResourceArn=arn))
    refusal(lambda: aws.sagemaker.add_tags(ResourceArn=arn, Tags=tags(a="1")))


@reference("ListTags: ResourceArn")
def test_an_arn_is_one_of_sagemakers(aws: Target) -> None:
    message = refusal(lambda: aws.sagemaker.list_tags(ResourceArn="arn:aws:s3:::bucket"))
    assert "at 'resourceArn' failed to satisfy constraint: Member must satisfy regular expression pattern" in message


@reference("DeleteModel")
def test_tags_go_with_their_resource(aws: Target) -> None:
    name = aws.name("again")
    arn = aws.create_model(name, Tags=tags(a="1"))["ModelArn"]
    aws.sagemaker.delete_model(ModelName=name)
    assert tags_of(aws, aws.create_model(name)["ModelArn"]) == {}
    assert arn.endswith(name)
