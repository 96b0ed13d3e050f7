"""Dead letters and replays in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browsers.console import judge, sign_in
from tests.e2e.one_process import OneProcess, one_process

_MOST_LOOKS = 200
_SEND = "/api/v1/notifications/send"
_MAIL = {"type": "email", "recipient": "ada@example.com", "subject": "Parcel", "content": "Left."}
_REFUSING = {
    "NOTIFIER_EMAIL__PROVIDERS": "smtp",
    "NOTIFIER_SMTP__PORT": "1",
    "NOTIFIER_EMAIL__MAX_ATTEMPTS": "1",
}


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    """A one-process mode whose mail server is not there."""
    with one_process(tmp_path_factory.mktemp("letters"), _REFUSING) as started:
        for _ in range(2):
            assert started.service.client.post(_SEND, json=_MAIL).status_code == 202
        yield started


def test_a_group_is_narrowed_replayed_and_followed(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/dead-letters")
    for _ in range(_MOST_LOOKS):
        if tab.get_by_text("connection_refused").count():
            break
        tab.reload()
    judge(tab)

    tab.get_by_role("link", name="Only this group").click()
    expect(tab.get_by_label("Error code")).to_have_value("connection_refused")
    tab.get_by_label("How many in a second").fill("none")
    tab.get_by_role("button", name="Try them again").click()
    expect(tab.get_by_label("How many in a second")).to_have_attribute("aria-invalid", "true")
    judge(tab)
    tab.get_by_label("How many in a second").fill("100")
    tab.get_by_role("button", name="Try them again").click()

    expect(tab.get_by_role("heading", name="Replays")).to_be_visible()
    expect(tab.get_by_text("done")).to_be_visible()
    judge(tab)

    tab.get_by_role("link", name="Dead letters").click()
    expect(tab.get_by_role("heading", name="Dead letters")).to_be_visible()
    assert [each for each in complaints if "422" not in each] == []


def test_letters_are_changed_and_sent_anew(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/dead-letters")
    for _ in range(_MOST_LOOKS):
        if tab.get_by_text("connection_refused").count():
            break
        tab.reload()
    tab.get_by_role("link", name="Change them and send anew").click()
    judge(tab)
    tab.get_by_role("button", name="See what it would come to").click()
    expect(tab.get_by_role("alert")).to_contain_text("say what is otherwise")
    judge(tab)
    tab.get_by_label("Other variables").fill('{"url"')
    tab.get_by_role("button", name="See what it would come to").click()
    expect(tab.get_by_label("Other variables")).to_have_attribute("aria-invalid", "true")
    tab.get_by_label("Other variables").fill('{"url": "https://shop.example"}')
    tab.get_by_role("button", name="See what it would come to").click()
    expect(tab.get_by_role("status")).to_contain_text("would be sent anew")
    judge(tab)
    tab.get_by_role("button", name="Change and send").click()
    expect(tab.get_by_role("status")).to_contain_text("sent anew")
    judge(tab)
    assert [each for each in complaints if "422" not in each] == []
