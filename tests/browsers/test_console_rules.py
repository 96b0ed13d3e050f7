"""The pages of rules in a browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browsers.console import judge, sign_in
from tests.e2e.one_process import OneProcess, one_process

_TEMPLATE = {
    "schema": {"type": "object", "properties": {"order_id": {"type": "string"}}},
    "parts": {"en": {"email": {"subject": "Shipped", "text": "{{ order_id }} is on its way"}}},
}
_RULE = {
    "on": "order.shipped",
    "to": "data.user_id",
    "key": "data.order_id",
    "steps": [{"send": ["email"], "template": "order.shipped"}],
}
_ADA = {"addresses": [{"channel": "email", "address": "ada@example.org", "is_primary": True}]}
_EVENT = '{"data": {"user_id": "ada", "order_id": "o-7"}}'


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    """A one-process mode that knows a rule, its template and somebody."""
    with one_process(tmp_path_factory.mktemp("rules")) as started:
        client = started.service.client
        assert client.put("/api/v1/templates/order.shipped/draft", json=_TEMPLATE).is_success
        assert client.post("/api/v1/templates/order.shipped/publish").is_success
        assert client.put("/api/v1/recipients/ada", json=_ADA).is_success
        for on in ("order.sent", "order.shipped"):
            draft = {**_RULE, "on": on}
            assert client.put("/api/v1/rules/shipped/draft", json=draft).is_success
            assert client.post("/api/v1/rules/shipped/publish").is_success
        yield started


def edit(tab: Page, notifier: OneProcess) -> None:
    """Open the editor."""
    sign_in(tab, notifier, "/console/rules")
    tab.get_by_role("link", name="shipped").click()
    tab.get_by_role("link", name="Edit and try").click()
    expect(tab.get_by_role("heading", name="What would come of it")).to_be_visible()


def test_everybody_can_read_and_fill_in_the_pages_of_rules(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    edit(tab, notifier)
    tab.get_by_label("An event that might come").fill(_EVENT)
    expect(tab.get_by_text("o-7 is on its way")).to_be_visible()
    judge(tab)
    tab.get_by_role("link", name="Publish").click()
    expect(tab.get_by_text("It says the same as version 2")).to_be_visible()
    judge(tab)
    tab.get_by_role("link", name="Cancel").click()
    tab.get_by_text("What changed in 2").click()
    judge(tab)
    tab.get_by_role("link", name="Publish version 1 again").click()
    expect(tab.get_by_text("How it differs from version 2")).to_be_visible()
    judge(tab)
    tab.goto(f"{notifier.url}/console/rules")
    judge(tab)
    tab.get_by_role("link", name="New rule").click()
    judge(tab)
    assert complaints == []


def test_what_it_would_do_and_what_is_wrong_follow_what_is_written(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    edit(tab, notifier)
    tab.get_by_label("An event that might come").fill(_EVENT)
    expect(tab.get_by_text("o-7 is on its way")).to_be_visible()
    source = tab.get_by_label("The rule, as JSON")
    written = source.input_value()

    source.fill(written.replace("data.user_id", "user.id"))

    expect(tab.locator("#source-findings")).to_contain_text("Line 3")
    expect(source).to_have_accessible_description(re.compile("Line 3"))
    expect(source).to_be_focused()
    source.fill(written.replace('"steps"', '"when": "data.order_id == \'o-8\'", "steps"'))
    expect(tab.get_by_text("unmatched")).to_be_visible()
    expect(tab.locator("#source-findings")).to_be_empty()
    assert complaints == []


def test_a_rule_is_tried_and_saved_without_scripts(notifier: OneProcess, plain_tab: Page) -> None:
    edit(plain_tab, notifier)
    plain_tab.get_by_label("An event that might come").fill(_EVENT)
    plain_tab.get_by_role("button", name="Try it").click()
    expect(plain_tab.get_by_text("o-7 is on its way")).to_be_visible()

    plain_tab.get_by_role("button", name="Save the draft").click()

    expect(plain_tab.get_by_text("The draft is saved.")).to_be_visible()
