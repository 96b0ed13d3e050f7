"""The pages of providers, in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browsers.console import judge, sign_in
from tests.e2e.one_process import OneProcess, one_process


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    with one_process(tmp_path_factory.mktemp("providers")) as started:
        yield started


def test_a_provider_is_greeted_tested_paused_and_resumed(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/providers")
    judge(tab)
    tab.get_by_role("link", name="sandbox", exact=True).click()
    judge(tab)
    tab.get_by_role("button", name="Log in, send nothing").click()
    expect(tab.get_by_text("it calls nobody").first).to_be_visible()
    judge(tab)

    tab.get_by_role("link", name="Send a test").click()
    judge(tab)
    tab.get_by_role("button", name="Send it").click()
    expect(tab.get_by_label("To", exact=True)).to_have_attribute("aria-invalid", "true")
    judge(tab)
    tab.get_by_label("To", exact=True).fill("refused@sandbox.example")
    tab.get_by_role("button", name="Send it").click()
    expect(tab.get_by_role("status")).to_have_text("It was not taken.")
    expect(tab.get_by_text("the sandbox knows no such mailbox")).to_be_visible()
    judge(tab)

    tab.get_by_role("link", name="sandbox", exact=True).click()
    tab.get_by_role("link", name="Pause").click()
    tab.get_by_label("Why").fill("a look at the page")
    tab.get_by_role("button", name="Pause it").click()
    expect(tab.get_by_text("It is paused")).to_be_visible()
    judge(tab)
    tab.get_by_role("button", name="Resume").click()
    expect(tab.get_by_text("It is asked again")).to_be_visible()
    assert [each for each in complaints if "422" not in each] == []
