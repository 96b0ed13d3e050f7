"""The overview in a browser: whether it goes on by itself, and how it looks."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browsers.console import judge, sign_in
from tests.e2e.one_process import OneProcess, one_process

_MAIL = {
    "type": "email",
    "recipient": "ada@example.com",
    "subject": "Parcel",
    "content": "It left us today.",
}
_AFTER_HTMX = """() => new Promise(done => {
    const is_there = () => window.htmx && document.readyState !== "loading";
    const look = () => setTimeout(is_there() ? done : look, 10);
    look();
})"""
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
    with tab.expect_request("**/overview/stream"):
        sign_in(tab, notifier)
    expect(tab.get_by_role("heading", name="Overview")).to_be_visible()
    # Were it not for the stream, it would be renewed twice a minute.
    tab.route("**/console/overview", lambda route: route.abort())
    expect(tab.get_by_role("row", name="Email high")).to_be_visible()
    judge(tab)
    link = tab.get_by_role("link", name="suppressed")
    link.focus()

    notifier.service.client.post(_SEND, json={**_MAIL, "priority": "bulk"})

    expect(tab.get_by_role("row", name="Email bulk")).to_be_visible()
    expect(tab.get_by_text("3 accepted = ")).to_be_visible()
    expect(link).to_be_focused()
    assert complaints == []


def test_the_stream_begins_however_late_its_script_comes(notifier: OneProcess, tab: Page) -> None:
    sign_in(tab, notifier, "/console/notifications")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    tab.route("**/hx-sse.min.js", hold)
    tab.goto(f"{notifier.url}/console/overview", wait_until="commit")
    tab.evaluate(_AFTER_HTMX)

    with tab.expect_request("**/overview/stream"):
        held[0].continue_()


def test_a_state_leads_to_the_notifications_that_are_in_it(notifier: OneProcess, tab: Page) -> None:
    sign_in(tab, notifier)

    tab.get_by_role("link", name="sent", exact=True).click()

    expect(tab.get_by_role("heading", name="Notifications")).to_be_visible()


def test_the_chart_is_zoomed_by_dragging_and_by_buttons_and_leads_back(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier)
    chart, told = tab.locator("#over-time"), tab.locator("#over-time-told")
    expect(chart.locator("canvas")).to_be_visible()
    expect(told).to_contain_text("by the minute")
    judge(tab)
    tab.set_viewport_size({"width": 1280, "height": 1600})

    tab.get_by_role("button", name="7 days").click()
    expect(told).to_contain_text("by the hour")
    expect(tab.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    box = chart.locator(".u-over").bounding_box()
    assert box is not None
    tab.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 50)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] - 2, box["y"] + 50, steps=5)
    tab.mouse.up()
    expect(told).to_contain_text("by the minute")
    zoomed = _length_s(tab)
    assert 0.05 * 7 * 86_400 < zoomed < 0.15 * 7 * 86_400
    expect(tab.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "false")

    before = told.inner_text()
    tab.get_by_role("button", name="Zoom in").click()
    expect(told).not_to_have_text(before)
    assert 0.4 * zoomed < _length_s(tab) < 0.6 * zoomed
    chart.locator(".u-over").dblclick()
    expect(told).to_contain_text("by the hour")
    assert complaints == []


def _length_s(tab: Page) -> float:
    chart = tab.locator("#over-time")
    since, before = (chart.get_attribute(f"data-{name}") for name in ("since", "before"))
    return float(before or 0) - float(since or 0)


def test_without_scripts_the_overview_is_whole_and_has_no_empty_chart(
    notifier: OneProcess, plain_tab: Page
) -> None:
    sign_in(plain_tab, notifier)

    expect(plain_tab.get_by_role("row", name="Email high")).to_be_visible()
    expect(plain_tab.get_by_role("heading", name="Over time")).to_be_hidden()
