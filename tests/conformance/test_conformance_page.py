# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/conformance.md says what the tests say."""

from __future__ import annotations

from conformance_page import PAGE, modules, page, rules_of
from conformance_source import source
from conformance_words import AWS_WORDS, refusals

RULE = source("The project's own: differences are listed with who is right, and unknown words of AWS's are named")


@RULE
def test_the_page_is_what_the_tests_say() -> None:
    assert PAGE.read_text() == page(), "run tests/conformance/conformance_page.py"


@RULE
def test_every_test_names_a_public_place() -> None:
    nameless = [name for module in modules().values() for name, places, _ in rules_of(module) if not places]
    assert not nameless


@RULE
def test_every_quotation_of_aws_is_one_that_is_used() -> None:
    used = refusals()
    assert used
    assert [words for words in AWS_WORDS if not any(refusal.startswith(words) for refusal in used)] == []
