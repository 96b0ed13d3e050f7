"""The console in a browser: its frame, and who may come in."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browsers.console import judge, sign_in
from tests.e2e.one_process import OneProcess, one_process

_NEWS = {
    "default_locale": "en",
    "parts": {"en": {"email": {"subject": "News", "text": "What is on this week."}}},
}


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    """A one-process mode with a broadcast that waits for its time."""
    with one_process(tmp_path_factory.mktemp("console")) as started:
        client = started.service.client
        client.put("/api/v1/templates/news/draft", json=_NEWS)
        client.post("/api/v1/templates/news/publish")
        later = (datetime.now(UTC) + timedelta(days=30)).isoformat()
        wish = {"type": "email", "template": "news", "all": True, "send_at": later}
        answer = client.post("/api/v1/broadcasts", json=wish)
        assert answer.status_code == 202, answer.text
        yield started


def elsewhere(tab: Page, html: str) -> None:
    """Show a page of somebody else's site."""
    url = "http://elsewhere.example/"
    tab.route(url, lambda route: route.fulfill(body=html, content_type="text/html"))
    tab.goto(url)


def test_whoever_has_a_key_comes_in_and_goes_out(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    tab.goto(f"{notifier.url}/console")
    judge(tab)
    sign_in(tab, notifier, "/console/broadcasts?after=")
    expect(tab.get_by_role("heading", name="Broadcasts")).to_be_visible()
    assert tab.url.endswith("/console/broadcasts?after=")
    judge(tab)

    tab.get_by_role("button", name="Sign out").click()

    expect(tab.get_by_text("You are signed out.")).to_be_visible()
    judge(tab)
    assert complaints == []


def test_a_wrong_key_is_said_where_it_was_typed(notifier: OneProcess, tab: Page) -> None:
    tab.goto(f"{notifier.url}/console")
    tab.get_by_label("API key").fill("not a key")
    tab.get_by_role("button", name="Sign in").click()

    expect(tab.get_by_label("API key")).to_have_accessible_description(re.compile("no key"))
    judge(tab)


def test_all_of_it_works_without_scripts(notifier: OneProcess, plain_tab: Page) -> None:
    sign_in(plain_tab, notifier, "/console/broadcasts")
    expect(plain_tab.get_by_text("scheduled")).to_be_visible()

    plain_tab.get_by_role("button", name="Sign out").click()

    expect(plain_tab.get_by_label("API key")).to_be_visible()


def test_what_is_not_there_is_said_in_the_frame(notifier: OneProcess, tab: Page) -> None:
    sign_in(tab, notifier)

    tab.goto(f"{notifier.url}/console/nowhere")

    expect(tab.get_by_role("heading", name="There is no such thing")).to_be_visible()
    judge(tab)
    tab.get_by_role("link", name="To the start of the console").click()
    expect(tab.get_by_role("heading", name="Overview")).to_be_visible()


def test_who_changed_what_is_listed_and_narrowed_down(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    notifier.service.client.post("/api/v1/providers/sandbox/pause", json={"reason": "a look"})
    sign_in(tab, notifier, "/console/audit")
    expect(tab.get_by_text("publishTemplate")).to_be_visible()
    judge(tab)

    tab.get_by_label("Action").fill("pauseProvider")
    tab.get_by_role("button", name="Show").click()

    expect(tab.get_by_text("/api/v1/providers/sandbox/pause")).to_be_visible()
    expect(tab.get_by_text("publishTemplate")).to_have_count(0)
    judge(tab)
    tab.get_by_role("link", name="Show all").click()
    expect(tab.get_by_text("publishTemplate")).to_be_visible()
    notifier.service.client.post("/api/v1/providers/sandbox/resume")
    assert complaints == []


def test_the_first_key_leads_past_the_sections(notifier: OneProcess, tab: Page) -> None:
    sign_in(tab, notifier)

    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="To the content")).to_be_focused()
    tab.keyboard.press("Enter")

    expect(tab.locator("main")).to_be_focused()


def test_wide_screens_show_all_sections_and_where_one_is(notifier: OneProcess, tab: Page) -> None:
    sign_in(tab, notifier, "/console/broadcasts")
    sections = tab.get_by_role("navigation", name="Sections")
    expect(sections).to_have_count(1)
    expect(sections.get_by_role("link", name="Broadcasts")).to_have_attribute(
        "aria-current", "page"
    )

    sections.get_by_role("link", name="Suppressions").click()

    expect(tab.get_by_role("heading", name="Suppressions")).to_be_visible()


def test_a_phone_without_scripts_has_the_sections_in_a_menu(
    notifier: OneProcess, plain_tab: Page
) -> None:
    plain_tab.set_viewport_size({"width": 390, "height": 800})
    sign_in(plain_tab, notifier, "/console/broadcasts")
    expect(plain_tab.get_by_role("link", name="Suppressions")).to_have_count(0)

    plain_tab.locator("summary", has_text="Menu").click()
    plain_tab.get_by_role("link", name="Suppressions").click()

    expect(plain_tab.get_by_role("heading", name="Suppressions")).to_be_visible()
    expect(plain_tab.locator("summary", has_text="Menu")).to_contain_text("Suppressions")


def test_the_menu_of_a_phone_is_readable(notifier: OneProcess, tab: Page) -> None:
    sign_in(tab, notifier, "/console/broadcasts")
    tab.set_viewport_size({"width": 390, "height": 800})

    tab.locator("summary", has_text="Menu").click()

    expect(tab.get_by_role("link", name="Audit")).to_be_visible()
    judge(tab)


def test_a_list_of_what_is_under_way_is_kept_up_to_date(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/broadcasts")

    with tab.expect_response(lambda response: response.url.endswith("/broadcasts")) as again:
        pass

    assert again.value.request.headers["hx-request"] == "true"
    expect(tab.get_by_text("scheduled")).to_be_visible()
    expect(tab.get_by_role("heading", name="Broadcasts")).to_have_count(1)
    assert complaints == []


def test_a_link_on_another_site_finds_whoever_is_signed_in(notifier: OneProcess, tab: Page) -> None:
    sign_in(tab, notifier)
    elsewhere(tab, f'<a href="{notifier.url}/console/broadcasts">Look at it</a>')

    tab.get_by_role("link", name="Look at it").click()

    expect(tab.get_by_role("heading", name="Broadcasts")).to_be_visible()


def test_a_form_on_another_site_posts_nothing(notifier: OneProcess, tab: Page) -> None:
    sign_in(tab, notifier)
    page = (
        f'<form method="post" action="{notifier.url}/console/sign-out"><button>Go</button></form>'
    )
    tab.route(
        "http://elsewhere.example/",
        lambda route: route.fulfill(body=page, content_type="text/html"),
    )
    tab.goto("http://elsewhere.example/")

    tab.get_by_role("button", name="Go").click()

    expect(tab.get_by_role("heading", name="This form did not come from a page")).to_be_visible()
    tab.goto(f"{notifier.url}/console/broadcasts")
    expect(tab.get_by_role("button", name="Sign out")).to_be_visible()
