"""The overview in a browser: whether it goes on by itself, and how it looks."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browsers.console import judge, sign_in
from tests.e2e.one_process import OneProcess, one_process

_MAIL = {
    "type": "email",
    "recipient": "ada@example.com",
    "subject": "Parcel",
    "content": "It left us today.",
}
_SEND = "/api/v1/notifications/send"


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    """A one-process mode that sent something."""
    with one_process(tmp_path_factory.mktemp("overview")) as started:
        for priority in ("high", "normal"):
            wish = {**_MAIL, "priority": priority}
            assert started.service.client.post(_SEND, json=wish).status_code == 202
        yield started


def test_the_overview_shows_how_it_goes_and_goes_on(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier)
    expect(tab.get_by_role("heading", name="Overview")).to_be_visible()
    expect(tab.get_by_role("row", name="Email high")).to_be_visible()
    judge(tab)
    link = tab.get_by_role("link", name="suppressed")
    link.focus()

    notifier.service.client.post(_SEND, json={**_MAIL, "priority": "bulk"})

    expect(tab.get_by_role("row", name="Email bulk")).to_be_visible()
    expect(tab.get_by_text("3 accepted = ")).to_be_visible()
    expect(link).to_be_focused()
    assert complaints == []


def test_a_state_leads_to_the_notifications_that_are_in_it(notifier: OneProcess, tab: Page) -> None:
    sign_in(tab, notifier)

    tab.get_by_role("link", name="sent", exact=True).click()

    expect(tab.get_by_role("heading", name="Notifications")).to_be_visible()
