"""The pages of how notifier itself is, in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browsers.console import judge, sign_in
from tests.e2e.one_process import OneProcess, one_process


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    with one_process(tmp_path_factory.mktemp("watching")) as started:
        yield started


def test_a_worker_is_drained_and_taken_back_while_one_looks_on(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/workers")
    worker = tab.locator("#workers li").first
    expect(worker.locator(".state")).to_have_text("running")
    expect(tab.get_by_text("1 worker, 0 of")).to_be_visible()
    judge(tab)

    worker.get_by_role("button", name="Drain").click()
    expect(worker.locator(".state")).to_have_text("drained")
    judge(tab)
    notifier.service.client.post(
        "/api/v1/notifications/send",
        json={"type": "sms", "recipient": "+491701234567", "content": "Held."},
    )

    worker.get_by_role("button", name="Resume").click()
    expect(worker.locator(".state")).to_have_text("running")
    tab.goto(f"{notifier.url}/console/notifications")
    expect(tab.locator(".rows li").first).to_contain_text("sent")
    assert complaints == []


def test_the_health_of_every_part_comes_by_itself_and_again_by_a_click(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/health")
    expect(tab.get_by_text("No part is wrong.")).to_be_visible()
    expect(tab.locator("#parts")).to_contain_text("its schema is what this version needs")
    judge(tab)

    with tab.expect_response("**/console/health/parts"):
        tab.get_by_role("link", name="Look again").click()
    expect(tab.get_by_text("No part is wrong.")).to_be_visible()
    assert complaints == []


def test_without_scripts_a_link_looks_at_every_part(notifier: OneProcess, plain_tab: Page) -> None:
    sign_in(plain_tab, notifier, "/console/health")

    plain_tab.get_by_role("link", name="Look", exact=True).click()

    expect(plain_tab.get_by_text("No part is wrong.")).to_be_visible()
