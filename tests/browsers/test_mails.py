"""The ready-made templates' mails, as a browser shows them."""

import re

import pytest
from playwright.sync_api import Page, Route

from tests.browsers.axe import violations
from tests.browsers.looks import looks, overflow
from tests.ready_made import LOCALES, NAMES, page_of

_WIDTHS = (320, 600, 800)
_OFF = (
    # A mail is shown within the page of a mail program, which has the landmarks: a second `main`
    # would mislead.
    "landmark-one-main",
    "region",
)
_TEXTS = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const {data, parentElement: within} = walker.currentNode;
    if (data.trim() && within.checkVisibility({visibilityProperty: true}))
      found.push([data.trim(), parseFloat(getComputedStyle(within).fontSize)]);
  }
  return found;
}"""
_LEAST_TEXT, _LEAST_BUTTON = 16, 44

every_mail = pytest.mark.parametrize(
    ("name", "locale"), [(name, locale) for name in NAMES for locale in LOCALES]
)


def show(tab: Page, html: str) -> None:
    """Show a mail as mail programs do at first: no picture is loaded."""

    def refuse(route: Route) -> None:
        route.abort()

    tab.route("**/*", refuse)
    tab.set_content(html)


def small_texts(tab: Page) -> list[str]:
    """The texts to be seen that are smaller than text may be."""
    texts = tab.evaluate(_TEXTS)
    assert texts
    return [text for text, size in texts if size < _LEAST_TEXT]


def button_heights(tab: Page) -> list[float]:
    """How high the buttons are, in pixels."""
    boxes = [each.bounding_box() for each in tab.locator(".button a").all()]
    return [box["height"] for box in boxes if box]


@every_mail
def test_no_mail_is_wider_than_its_window(tab: Page, name: str, locale: str) -> None:
    show(tab, page_of(name, locale))

    assert [look for look in looks(tab, _WIDTHS) if overflow(tab)] == []


@every_mail
def test_its_button_is_for_thumbs_and_its_text_for_reading(
    tab: Page, name: str, locale: str
) -> None:
    show(tab, page_of(name, locale))

    for look in looks(tab, _WIDTHS):
        heights = button_heights(tab)
        assert len(heights) == (0 if name == "otp" else 1), look
        assert all(height >= _LEAST_BUTTON for height in heights), look
        assert small_texts(tab) == [], look


@every_mail
def test_everybody_can_read_it_in_light_and_in_dark(tab: Page, name: str, locale: str) -> None:
    show(tab, page_of(name, locale))

    for look in looks(tab, _WIDTHS):
        assert violations(tab, off=_OFF) == [], look


@every_mail
def test_it_stands_where_a_mail_program_takes_its_styles_away(
    tab: Page, name: str, locale: str
) -> None:
    show(tab, re.sub(r"<style.*?</style>", "", page_of(name, locale), flags=re.DOTALL))

    assert tab.locator("style").count() == 0
    for look in looks(tab, [600]):
        assert overflow(tab) == 0, look
        assert all(height >= _LEAST_BUTTON for height in button_heights(tab)), look
        assert small_texts(tab) == [], look
        assert violations(tab, off=_OFF) == [], look
