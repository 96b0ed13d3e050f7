"""Notifications in the console, in a browser: searching while typing, and one of them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browsers.console import judge, sign_in
from tests.e2e.one_process import OneProcess, one_process

PAGE = "/console/notifications"
_MAIL = {
    "type": "email",
    "subject": "Your order",
    "content": "It is on its way.",
    "html": "<p style='color:#093'>It is on its <b>way</b>.</p>",
}


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    """A one-process mode with mails to two people."""
    with one_process(tmp_path_factory.mktemp("notifications")) as started:
        for name in ("anna", "eve"):
            answer = started.service.client.post(
                "/api/v1/notifications/send", json={**_MAIL, "recipient": f"{name}@example.com"}
            )
            assert answer.status_code == 202, answer.text
        yield started


def test_a_list_follows_what_is_typed_and_its_address_finds_it_again(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, PAGE)
    expect(tab.get_by_role("link", name="eve@example.com")).to_be_visible()
    judge(tab)

    tab.get_by_label("Recipient").press_sequentially("anna@example.com")

    expect(tab.get_by_role("link", name="eve@example.com")).to_have_count(0)
    expect(tab.get_by_role("link", name="anna@example.com")).to_be_visible()
    expect(tab.get_by_label("Recipient")).to_be_focused()
    expect(tab).to_have_url(re.compile(r"\?recipient=anna%40example\.com$"))
    tab.reload()
    expect(tab.get_by_label("Recipient")).to_have_value("anna@example.com")
    expect(tab.get_by_role("link", name="eve@example.com")).to_have_count(0)
    tab.get_by_text("Channel, priority").click()
    judge(tab)
    tab.get_by_label("SMS").check()
    expect(tab.get_by_text("No notification matches this.")).to_be_visible()
    judge(tab)
    assert complaints == []


def test_what_is_wrong_is_said_while_it_is_typed(notifier: OneProcess, tab: Page) -> None:
    sign_in(tab, notifier, PAGE)

    tab.get_by_label("Id", exact=True).fill("no id")

    expect(tab.get_by_text("expected an id")).to_be_visible()
    judge(tab)


def test_a_search_needs_no_script(notifier: OneProcess, plain_tab: Page) -> None:
    sign_in(plain_tab, notifier, PAGE)

    plain_tab.get_by_label("Recipient").fill("eve@example.com")
    plain_tab.get_by_role("button", name="Search").click()

    expect(plain_tab.get_by_role("link", name="eve@example.com")).to_be_visible()
    expect(plain_tab.get_by_role("link", name="anna@example.com")).to_have_count(0)


def test_one_shows_its_timeline_and_its_mail_and_is_taken_back_after_a_question(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    later = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    wish = {**_MAIL, "recipient": "later@example.com", "send_at": later}
    notifier.service.client.post("/api/v1/notifications/send", json=wish)
    sign_in(tab, notifier, f"{PAGE}?recipient=later@example.com")
    tab.get_by_role("link", name="later@example.com").click()
    expect(tab.get_by_text("Accepted", exact=True).first).to_be_visible()
    expect(tab.frame_locator("iframe").get_by_text("way")).to_be_visible()
    judge(tab, off=["frame-tested"])

    tab.get_by_role("link", name="Take back").click()
    judge(tab)
    tab.get_by_role("button", name="Take it back").click()

    expect(tab.get_by_text("It was taken back: it is not sent.")).to_be_visible()
    expect(tab.get_by_text("Taken back", exact=True)).to_be_visible()
    judge(tab, off=["frame-tested"])
    assert complaints == []


def test_what_one_said_is_sent_elsewhere_and_leads_back(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, f"{PAGE}?recipient=eve@example.com&status=sent")
    tab.get_by_role("link", name="eve@example.com").click()
    tab.get_by_role("link", name="Send elsewhere").click()
    judge(tab)
    tab.get_by_label("To", exact=True).fill("nobody")
    tab.get_by_role("button", name="Send", exact=True).click()
    expect(tab.get_by_label("To", exact=True)).to_have_accessible_description(re.compile("email"))
    judge(tab)

    tab.get_by_label("To", exact=True).fill("eve@home.example")
    tab.get_by_role("button", name="Send", exact=True).click()

    expect(tab.get_by_role("heading", name="eve@home.example")).to_be_visible()
    expect(tab.get_by_text("It is sent to this address, too.")).to_be_visible()
    tab.get_by_role("link", name="another one").click()
    expect(tab.get_by_text("Sent anew, or to another address")).to_be_visible()
    judge(tab, off=["frame-tested"])
    assert [each for each in complaints if "422" not in each] == []


def test_all_that_match_are_a_file(notifier: OneProcess, tab: Page) -> None:
    sign_in(tab, notifier, f"{PAGE}?recipient=anna@example.com")

    with tab.expect_download() as download:
        tab.get_by_role("link", name="CSV").click()

    assert download.value.suggested_filename == "notifications.csv"
    table = download.value.path().read_text(encoding="utf-8")
    assert [line.split(",")[5] for line in table.splitlines()] == ["recipient", "anna@example.com"]
