"""The pages of what operators look up and change, in a browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browsers.console import judge, sign_in
from tests.e2e.one_process import OneProcess, one_process


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    with one_process(tmp_path_factory.mktemp("directory")) as started:
        yield started


def test_a_suppression_is_added_found_and_lifted(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/suppressions")
    judge(tab)
    tab.get_by_role("link", name="Suppress an address").click()
    tab.get_by_label("Address").fill("nobody")
    tab.get_by_label("Reason").select_option("unsubscribed")
    tab.get_by_role("button", name="Suppress it").click()
    expect(tab.get_by_label("Address")).to_have_attribute("aria-invalid", "true")
    judge(tab)
    tab.get_by_role("alert").get_by_role("link", name="Address").click()
    expect(tab.get_by_label("Address")).to_be_focused()
    tab.get_by_label("Address").fill("a-name-that-is-longer-than-a-telephone-is-wide@example.org")
    tab.get_by_role("button", name="Suppress it").click()
    expect(tab.get_by_text("nothing is sent there any more")).to_be_visible()
    expect(tab.locator(".rows")).to_contain_text("Unsubscribed")
    judge(tab)

    tab.get_by_role("link", name="Lift").click()
    tab.get_by_role("button", name="Lift it").click()
    expect(tab.get_by_role("alert")).to_contain_text("say why it may be sent to again")
    judge(tab)
    tab.get_by_label("Why it may be sent to again").fill("asked by telephone")
    tab.get_by_role("button", name="Lift it").click()
    expect(tab.get_by_text("It is off the list.")).to_be_visible()
    assert [each for each in complaints if "422" not in each] == []


def test_a_key_is_made_shown_once_and_revoked(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/keys")
    judge(tab)
    tab.get_by_role("link", name="New key").click()
    tab.get_by_role("button", name="Make it").click()
    expect(tab.get_by_label("Service", exact=True)).to_have_attribute("aria-invalid", "true")
    judge(tab)
    tab.get_by_label("Service", exact=True).fill("shop")
    tab.get_by_role("button", name="Make it").click()
    expect(tab.get_by_label("API key")).to_have_value(re.compile("ntf_.+"))
    judge(tab)
    tab.get_by_role("link", name="I have copied it").click()
    tab.get_by_role("link", name="Revoke").first.click()
    judge(tab)
    tab.get_by_role("button", name="Revoke it").click()
    expect(tab.get_by_text("The key is revoked")).to_be_visible()
    assert [each for each in complaints if "422" not in each] == []


def test_somebody_is_looked_up_and_erased(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    address = "a-name-that-is-longer-than-a-telephone-is-wide@example.org"
    known = {"addresses": [{"channel": "email", "address": address, "is_primary": True}]}
    assert notifier.service.client.put("/api/v1/recipients/ada", json=known).is_success
    sign_in(tab, notifier, "/console/people")
    judge(tab)
    tab.get_by_label("Address").fill(address.upper())
    tab.get_by_role("button", name="Show").click()
    tab.get_by_role("link", name="ada", exact=True).click()
    judge(tab)
    tab.get_by_role("link", name="Erase").click()
    tab.get_by_role("button", name="Erase for good").click()
    expect(tab.get_by_label("Type the user id")).to_have_attribute("aria-invalid", "true")
    judge(tab)
    tab.get_by_label("Why").fill("user_request")
    tab.get_by_label("Type the user id").fill("ada")
    tab.get_by_role("button", name="Erase for good").click()
    expect(tab.get_by_text("under way")).to_be_visible()
    judge(tab)
    assert [each for each in complaints if "422" not in each] == []


def test_somebody_is_added_and_chosen_for(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/people")
    tab.get_by_role("link", name="Add somebody").click()
    tab.get_by_label("User id").fill("u-8")
    tab.get_by_label("Addresses").fill("email nobody")
    tab.get_by_role("button", name="Add them").click()
    expect(tab.get_by_label("Addresses")).to_have_attribute("aria-invalid", "true")
    judge(tab)
    tab.get_by_label("Addresses").fill("email ben@example.org")
    tab.get_by_role("button", name="Add them").click()
    expect(tab.get_by_role("heading", name="u-8")).to_be_visible()
    judge(tab)
    tab.get_by_role("link", name="Choose for them").click()
    judge(tab)
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_text("by the service")).to_be_visible()
    tab.get_by_role("link", name="Quiet hours").click()
    judge(tab)
    tab.get_by_label("From").fill("22:00")
    tab.get_by_label("To", exact=True).fill("07:00")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_text("22:00 to 07:00")).to_be_visible()
    tab.get_by_role("link", name="Change", exact=True).click()
    judge(tab)
    assert [each for each in complaints if "422" not in each] == []


def test_a_sender_is_set_and_removed(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/senders")
    tab.get_by_role("link", name="Set a sender").click()
    tab.get_by_label("Name").fill("default")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_label("Address", exact=True)).to_have_attribute("aria-invalid", "true")
    judge(tab)
    tab.get_by_label("Address", exact=True).fill("a-name-longer-than-a-telephone@shop.example")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_text("It is saved")).to_be_visible()
    judge(tab)
    tab.get_by_role("link", name="Remove").click()
    judge(tab)
    tab.get_by_role("button", name="Remove it").click()
    expect(tab.get_by_text("nothing new is sent as it")).to_be_visible()
    assert [each for each in complaints if "422" not in each] == []


def test_a_topic_is_added_with_members_and_one_is_dropped(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/topics")
    tab.get_by_role("link", name="Add a topic").click()
    tab.get_by_label("Key").fill("Sale")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_label("Key")).to_have_attribute("aria-invalid", "true")
    judge(tab)
    tab.get_by_label("Key").fill("sale")
    tab.get_by_label("Title").fill("Summer sale")
    tab.get_by_role("button", name="Save").click()
    judge(tab)
    tab.get_by_role("link", name="sale", exact=True).click()
    tab.get_by_role("link", name="Add members").click()
    judge(tab)
    tab.get_by_label("User ids").fill("u-1\nu-2")
    tab.get_by_role("button", name="Add them").click()
    expect(tab.get_by_role("heading", name="Summer sale: 2 members")).to_be_visible()
    expect(tab.get_by_role("link", name="u-1", exact=True)).to_be_visible()
    judge(tab)
    tab.get_by_role("link", name="Drop u-2").click()
    judge(tab)
    tab.get_by_role("button", name="Drop them").click()
    expect(tab.get_by_role("heading", name="Summer sale: 1 member")).to_be_visible()
    assert [each for each in complaints if "422" not in each] == []
