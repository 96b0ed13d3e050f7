"""A broadcast, from its form to its end, in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browsers.console import judge, sign_in
from tests.e2e.one_process import OneProcess, one_process


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    with one_process(tmp_path_factory.mktemp("broadcasts")) as started:
        client = started.service.client
        template = {"parts": {"en": {"email": {"subject": "News", "text": "Read them."}}}}
        assert client.put("/api/v1/templates/news/draft", json=template).is_success
        assert client.post("/api/v1/templates/news/publish").is_success
        assert client.put("/api/v1/topics/weekly", json={"title": "Weekly"}).is_success
        members = {"members": [{"user_id": "a-name-that-is-longer-than-a-telephone-is-wide"}]}
        assert client.put("/api/v1/topics/weekly/members", json=members).is_success
        yield started


def test_a_broadcast_is_looked_at_sent_and_followed_to_its_end(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/broadcasts")
    judge(tab)
    tab.get_by_role("link", name="New broadcast").click()
    tab.get_by_label("Template").fill("news")
    tab.get_by_role("button", name="Look at whom it reaches").click()
    expect(tab.get_by_label("Topic", exact=True)).to_have_attribute("aria-invalid", "true")
    judge(tab)
    tab.get_by_label("Topic", exact=True).fill("weekly")
    tab.get_by_role("button", name="Look at whom it reaches").click()
    expect(tab.get_by_role("heading", name="What would come of it")).to_be_visible()
    judge(tab)
    tab.get_by_role("button", name="Change it").click()
    expect(tab.get_by_label("Topic", exact=True)).to_have_value("weekly")
    tab.get_by_role("button", name="Look at whom it reaches").click()
    tab.get_by_role("button", name="Send it to 1 member").click()
    expect(tab.locator("#broadcast")).to_contain_text("done")
    judge(tab)
    tab.get_by_role("link", name="Broadcasts", exact=True).last.click()
    expect(tab.locator(".rows")).to_contain_text("news")
    judge(tab)
    assert [each for each in complaints if "422" not in each] == []


def test_one_that_waits_is_cancelled(notifier: OneProcess, tab: Page) -> None:
    sign_in(tab, notifier, "/console/broadcasts/new")
    tab.get_by_label("Template").fill("news")
    tab.get_by_label("Topic", exact=True).fill("weekly")
    tab.get_by_label("Not before").fill("2027-10-31T18:00:00+01:00")
    tab.get_by_role("button", name="Look at whom it reaches").click()
    tab.get_by_role("button", name="Send it to 1 member").click()
    expect(tab.get_by_text("It is accepted")).to_be_visible()
    judge(tab)
    tab.get_by_role("link", name="Cancel", exact=True).click()
    judge(tab)
    tab.get_by_role("button", name="Cancel it").click()
    expect(tab.locator("#broadcast")).to_contain_text("cancelled")
