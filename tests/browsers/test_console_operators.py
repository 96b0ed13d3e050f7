"""Operators, from their invitation to the end of their sessions, in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsers.console import judge, sign_in
from tests.e2e.one_process import OneProcess, one_process

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    with one_process(tmp_path_factory.mktemp("operators")) as started:
        yield started


def enter(tab: Page, notifier: OneProcess, password: str = PASSWORD) -> None:
    """Sign in as anna, by the keyboard alone."""
    tab.goto(f"{notifier.url}/console/sign-in")
    expect(tab.get_by_label("Login")).to_be_focused()
    tab.keyboard.type("anna")
    tab.keyboard.press("Tab")
    tab.keyboard.type(password)
    tab.keyboard.press("Enter")


def test_an_operator_is_invited_comes_in_and_looks_after_it(
    notifier: OneProcess, tab: Page, browser: Browser, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/operators")
    judge(tab)
    tab.get_by_role("link", name="New operator").click()
    tab.get_by_label("Login").fill("Anna")
    tab.get_by_role("button", name="Add them").click()
    expect(tab.get_by_label("Login")).to_have_attribute("aria-invalid", "true")
    judge(tab)
    tab.get_by_label("Login").fill("anna")
    tab.get_by_label("Service", exact=True).fill("orders")
    tab.get_by_role("button", name="Add them").click()
    judge(tab)
    link = tab.get_by_label("Link").input_value()
    with browser.new_context() as context:
        hers = context.new_page()
        hers.goto(link)
        judge(hers)
        hers.get_by_label("New password").fill("short")
        hers.get_by_role("button", name="Set it").click()
        expect(hers.get_by_label("New password")).to_have_attribute("aria-invalid", "true")
        judge(hers)
        hers.get_by_label("New password").fill(PASSWORD)
        hers.get_by_label("The same again").fill(PASSWORD)
        hers.get_by_role("button", name="Set it").click()
        expect(hers.get_by_text("Your password is set")).to_be_visible()
        judge(hers)
        enter(hers, notifier, "a wrong password")
        expect(hers.get_by_label("Password")).to_be_focused()
        judge(hers)
        enter(hers, notifier)
        hers.get_by_role("link", name="anna").click()
        expect(hers.get_by_text("this one")).to_be_visible()
        judge(hers)
        hers.get_by_role("link", name="Change your password").click()
        judge(hers)
        tab.get_by_role("link", name="I have copied it").click()
        tab.get_by_role("link", name="anna").click()
        judge(tab)
        tab.get_by_role("link", name="Sign them out").click()
        judge(tab)
        tab.get_by_role("button", name="Sign them out").click()
        expect(tab.get_by_text("They are signed out everywhere.")).to_be_visible()
        hers.reload()
        expect(hers.get_by_role("heading", name="Sign in")).to_be_visible()
    assert [each for each in complaints if "422" not in each] == []


def test_a_key_still_opens_the_console_behind_a_fold(notifier: OneProcess, tab: Page) -> None:
    tab.goto(f"{notifier.url}/console/sign-in")
    expect(tab.get_by_label("API key")).to_be_hidden()
    tab.get_by_text("Sign in with an API key").click()
    tab.get_by_label("API key").fill(notifier.key)
    judge(tab)
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("button", name="Sign out")).to_be_visible()
