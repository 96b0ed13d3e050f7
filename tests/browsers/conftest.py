"""One browser for all tests, and a page of its own for each."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.patience import AT_ALL_S
from tests.servers.chromium import private_chromium
from tests.servers.needed import needed

expect.set_options(timeout=AT_ALL_S * 1000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The session's Chromium."""
    with needed(), private_chromium() as chromium:
        yield chromium


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """An empty page, with nothing kept of another test's."""
    with browser.new_context() as context:
        context.set_default_timeout(AT_ALL_S * 1000)
        yield context.new_page()


@pytest.fixture
def plain_tab(browser: Browser) -> Iterator[Page]:
    """An empty page that runs no scripts."""
    with browser.new_context(java_script_enabled=False) as context:
        yield context.new_page()


@pytest.fixture
def complaints(tab: Page) -> list[str]:
    """What the page's console tells of trouble: a policy that was broken is told there too."""
    told: list[str] = []

    def keep(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            told.append(message.text)

    tab.on("console", keep)
    tab.on("pageerror", lambda error: told.append(str(error)))
    return told
