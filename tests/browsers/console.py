"""The console, as its tests in browsers use it."""

from collections.abc import Collection

from playwright.sync_api import Page, expect

from tests.browsers.axe import violations
from tests.browsers.looks import USUAL, looks, overflow
from tests.e2e.one_process import OneProcess

_WIDTHS = (390, 1280)


def sign_in(tab: Page, notifier: OneProcess, path: str = "/console") -> None:
    """Come in through the door, by the keyboard alone."""
    tab.goto(f"{notifier.url}{path}")
    expect(tab.get_by_label("API key")).to_be_focused()
    tab.keyboard.type(notifier.key)
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("button", name="Sign out")).to_be_visible()


def judge(tab: Page, *, off: Collection[str] = ()) -> None:
    """Fail for what is wrong with a page at any width, in light or in dark, but by `off` rules."""
    for look in looks(tab, _WIDTHS):
        assert violations(tab, off=off) == [], look
        assert overflow(tab) == 0, look
    for look in looks(tab, _WIDTHS, USUAL):
        assert violations(tab, off=off, undecided=False) == [], f"{look}, to be scrolled"
