"""The pages of schedules in a browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browsers.console import judge, sign_in
from tests.e2e.one_process import OneProcess, one_process

_NEWS = {
    "default_locale": "en",
    "schema": {
        "type": "object",
        "properties": {"issue": {"type": "integer"}},
        "required": ["issue"],
    },
    "examples": [{"issue": 7}],
    "parts": {"en": {"email": {"subject": "Issue {{ issue }}", "text": "What is on."}}},
}
_ADA = {"addresses": [{"channel": "email", "address": "ada@example.org", "is_primary": True}]}


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    """A one-process mode that knows a template and somebody to send it to."""
    with one_process(tmp_path_factory.mktemp("schedules")) as started:
        client = started.service.client
        client.put("/api/v1/templates/news/draft", json=_NEWS)
        assert client.post("/api/v1/templates/news/publish").is_success
        assert client.put("/api/v1/recipients/ada", json=_ADA).is_success
        yield started


@pytest.fixture
def plain_tab(browser: Browser) -> Iterator[Page]:
    """An empty page that runs no scripts."""
    with browser.new_context(java_script_enabled=False) as context:
        yield context.new_page()


def times(tab: Page) -> Locator:
    """When it comes next, as a page shows it."""
    return tab.locator("ol.times li")


def fill_in(tab: Page, name: str) -> None:
    """Fill in what a schedule needs."""
    tab.get_by_label("Name").fill(name)
    tab.get_by_label("Every week").check()
    tab.get_by_label("Thursday").check()
    tab.get_by_label("Time", exact=True).fill("17:45")
    tab.get_by_label("Time zone").fill("Europe/Vienna")
    tab.get_by_label("Template").fill("news")
    tab.get_by_label("User id, address or topic").fill("ada")
    more = tab.locator("main details")
    if more.get_attribute("open") is None:
        more.locator("summary").click()
    tab.get_by_label("Variables", exact=True).fill('{"issue": 7}')


def add(tab: Page, notifier: OneProcess, name: str) -> None:
    """Add a schedule, and be on its page."""
    sign_in(tab, notifier, "/console/schedules/new")
    fill_in(tab, name)
    tab.get_by_role("button", name="Add it").click()
    expect(tab.get_by_text("The schedule was added.")).to_be_visible()


def test_everybody_can_read_and_fill_in_all_pages(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/schedules/new")
    tab.get_by_label("As a cron says").check()
    judge(tab)
    fill_in(tab, "Read by everybody, with-a-name-that-is-longer-than-a-telephone-is-wide")
    judge(tab)
    tab.get_by_role("button", name="Add it").click()
    expect(tab.get_by_text("The schedule was added.")).to_be_visible()
    judge(tab)

    for action, heading in (("Run now", "Run"), ("Delete", "Delete")):
        tab.get_by_role("link", name=action).click()
        expect(tab.get_by_role("heading", name=f"{heading} “Read by everybody")).to_be_visible()
        judge(tab)
        tab.get_by_role("link", name="Cancel").click()

    tab.get_by_role("link", name="Schedules").first.click()
    expect(tab.get_by_role("link", name="New schedule")).to_be_visible()
    judge(tab)
    assert complaints == []


def test_the_times_follow_what_is_filled_in(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    sign_in(tab, notifier, "/console/schedules/new")
    tab.get_by_label("Time zone").fill("Europe/Vienna")

    tab.get_by_label("Every week").check()
    tab.get_by_label("Time", exact=True).fill("06:07")
    expect(times(tab).first).to_have_text(re.compile(r"^Mon .* 06:07 \+0[12]:00$"))
    tab.get_by_label("As a cron says").check()
    expect(tab.get_by_text("expected five fields")).to_be_visible()
    tab.get_by_label("Cron", exact=True).fill("*/5 * * * *")

    expect(tab.get_by_text("Every fifth minute")).to_be_visible()
    expect(times(tab)).to_have_count(10)
    expect(tab.get_by_label("Time", exact=True)).to_be_hidden()
    expect(tab.get_by_label("Cron", exact=True)).to_be_focused()
    tab.get_by_text("Variables, beginning and end, missed times").click()
    tab.get_by_label("Ends").fill("2020-01-01T10:00")
    expect(tab.get_by_text("It never comes.")).to_be_visible()
    assert complaints == []


def test_flaws_are_said_at_their_fields_and_lead_there(notifier: OneProcess, tab: Page) -> None:
    sign_in(tab, notifier, "/console/schedules/new")
    fill_in(tab, "Wrong")
    tab.get_by_label("Time zone").fill("Europe/Wien")
    tab.get_by_label("Variables", exact=True).fill("{")

    tab.get_by_role("button", name="Add it").click()

    expect(tab.get_by_role("alert")).to_contain_text("Nothing is saved yet")
    expect(tab).to_have_title("Wrong: New schedule · notifier")
    zone = tab.get_by_label("Time zone")
    expect(zone).to_have_attribute("aria-invalid", "true")
    expect(zone).to_have_accessible_description(re.compile("expected a name such as Europe/Vienna"))
    expect(zone).to_have_value("Europe/Wien")
    expect(tab.get_by_label("Variables", exact=True)).to_be_visible()
    judge(tab)
    tab.get_by_role("alert").get_by_role("link", name="Variables").click()
    expect(tab.get_by_label("Variables", exact=True)).to_be_focused()


def test_a_schedule_is_changed_paused_sent_and_deleted_by_the_keyboard(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    def press(role: str, name: str) -> None:
        tab.get_by_role(role, name=name, exact=True).focus()  # type: ignore[arg-type]  # a role
        tab.keyboard.press("Enter")

    add(tab, notifier, "By keyboard")
    press("link", "Change")
    tab.get_by_label("Time", exact=True).fill("18:00")
    press("button", "Save")
    expect(tab.get_by_text("The changes are saved.")).to_be_visible()
    expect(times(tab).first).to_contain_text("18:00")

    press("button", "Pause")
    expect(tab.get_by_role("heading", name="Would come next")).to_be_visible()
    press("button", "Resume")
    expect(tab.get_by_text("It goes on from now.")).to_be_visible()

    press("link", "Run now")
    press("button", "Run now")
    expect(tab.get_by_text("run by hand")).to_be_visible()

    press("link", "Delete")
    expect(tab.get_by_text("What was sent stays.")).to_be_visible()
    press("button", "Delete")
    expect(tab.get_by_text("The schedule was deleted.")).to_be_visible()
    expect(tab.get_by_text("By keyboard")).to_have_count(0)
    assert complaints == []


def test_all_of_it_works_without_scripts(notifier: OneProcess, plain_tab: Page) -> None:
    sign_in(plain_tab, notifier, "/console/schedules/new")
    fill_in(plain_tab, "Without scripts")
    plain_tab.get_by_role("button", name="Show when it comes").click()
    expect(times(plain_tab).first).to_contain_text("17:45")
    plain_tab.get_by_role("button", name="Add it").click()
    expect(plain_tab.get_by_text("The schedule was added.")).to_be_visible()

    plain_tab.get_by_role("link", name="Schedules").first.click()
    plain_tab.get_by_role("button", name="Pause Without scripts").click()
    expect(plain_tab.get_by_text("It is paused: it is due no more.")).to_be_visible()
    plain_tab.get_by_role("link", name="Without scripts").click()
    plain_tab.get_by_role("link", name="Delete").click()
    plain_tab.get_by_role("button", name="Delete").click()

    expect(plain_tab.get_by_text("The schedule was deleted.")).to_be_visible()


def test_whoever_was_signed_out_meanwhile_is_told_where_the_times_are(
    notifier: OneProcess, tab: Page
) -> None:
    sign_in(tab, notifier, "/console/schedules/new")
    tab.context.clear_cookies()

    tab.get_by_label("Time", exact=True).fill("05:00")

    expect(tab.get_by_text("Your session has ended")).to_be_visible()
    expect(tab.get_by_label("Time", exact=True)).to_have_value("05:00")
