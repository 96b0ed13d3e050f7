"""The pages of templates in a browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.browsers.console import judge, sign_in
from tests.e2e.one_process import OneProcess, one_process

_HTML = (
    "<style>body{color:#111;background:#fff}"
    "@media (prefers-color-scheme: dark)"
    "{body{color:#eee!important;background:#121212!important}}</style>"
    "<p>Hello {{ name }}</p>"
)
_BOOKED = {
    "schema": {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    },
    "examples": [{"name": "Ada"}, {"name": "Grace"}],
    "parts": {
        "en": {
            "email": {"subject": "Booked", "text": "Hello {{ name }}", "html": _HTML},
            "sms": {"text": "Booked, {{ name }}"},
        }
    },
}
_MAIL_WIDTH = 600
"""Of mails as nearly all are made, in pixels."""


@pytest.fixture(scope="module")
def notifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneProcess]:
    """A one-process mode that knows a template."""
    with one_process(tmp_path_factory.mktemp("templates")) as started:
        client = started.service.client
        assert client.put("/api/v1/templates/booked/draft", json=_BOOKED).is_success
        assert client.post("/api/v1/templates/booked/publish").is_success
        yield started


def mail(tab: Page) -> FrameLocator:
    """The mail, as the preview shows it."""
    return tab.frame_locator("iframe.mail")


def edit(tab: Page, notifier: OneProcess, place: str = "") -> None:
    """Open the editor."""
    sign_in(tab, notifier, "/console/templates")
    tab.get_by_role("link", name="booked").click()
    tab.get_by_role("link", name="Edit", exact=True).click()
    if place:
        tab.get_by_role("link", name=place).click()
    expect(tab.get_by_role("heading", name="Preview")).to_be_visible()


def test_everybody_can_read_and_fill_in_the_editor_and_what_leads_there(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    edit(tab, notifier)
    # What is written is shown in a frame that runs nothing, axe included.
    judge(tab, off=["frame-tested"])
    tab.get_by_label("Text", exact=True).fill("Hello\n{{ name | nmae }}")
    expect(tab.get_by_text("Line 2")).to_be_visible()
    judge(tab)
    tab.get_by_role("link", name="Settings").click()
    expect(tab.get_by_role("heading", name="Settings of booked")).to_be_visible()
    judge(tab)
    tab.get_by_role("link", name="booked").click()
    judge(tab)
    for page in ("Publish", "Send a test", "Archive"):
        tab.get_by_role("link", name=page, exact=True).click()
        expect(tab.get_by_role("heading", level=1)).to_contain_text(page.split()[0])
        judge(tab)
        tab.get_by_role("link", name="booked").first.click()
    tab.get_by_role("link", name="how it differs from what is sent").click()
    judge(tab)
    tab.get_by_role("link", name="booked").click()
    tab.get_by_role("link", name="Version 1").click()
    judge(tab)
    tab.goto(f"{notifier.url}/console/templates")
    judge(tab)
    tab.get_by_role("link", name="New template").click()
    judge(tab)
    assert complaints == []


def test_a_draft_that_changed_is_compared_published_and_taken_back(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    edit(tab, notifier)
    tab.get_by_label("Subject", exact=True).fill("Reserved")
    tab.get_by_role("button", name="Save the draft").click()
    tab.get_by_role("link", name="Publish").click()
    tab.get_by_role("link", name="How it differs from version 1").click()
    expect(tab.get_by_text("+Reserved")).to_be_visible()
    judge(tab)
    tab.go_back()
    tab.get_by_role("button", name="Publish it").click()
    expect(tab.get_by_text("It is published")).to_be_visible()

    tab.get_by_role("link", name="Publish version 1 again").click()
    tab.get_by_role("button", name="Publish it").click()

    expect(tab.get_by_text("as version 3")).to_be_visible()
    assert complaints == []


def test_everybody_can_read_and_fill_in_categories_and_the_brand(
    notifier: OneProcess, tab: Page
) -> None:
    sign_in(tab, notifier, "/console/categories/set")
    tab.get_by_label("Key").fill("news")
    tab.get_by_label("Kind").select_option("marketing")
    tab.get_by_label("At most").fill("none")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_role("alert")).to_contain_text("expected a number")
    judge(tab)
    tab.get_by_label("At most").fill("3")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_text("The category is as you set it.")).to_be_visible()
    judge(tab)
    tab.get_by_role("link", name="Remove news").click()
    judge(tab)

    tab.goto(f"{notifier.url}/console/brand")
    judge(tab)
    tab.get_by_label("Colour", exact=True).fill("#0a5c36")
    tab.get_by_role("button", name="Save").click()
    expect(tab.get_by_role("heading", name="The brand is saved")).to_be_visible()
    judge(tab)


def test_the_preview_follows_what_is_written_at_every_width_and_in_the_dark(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    edit(tab, notifier)
    html = tab.get_by_label("HTML", exact=True)
    expect(mail(tab).get_by_text("Hello Ada")).to_be_visible()

    html.fill(_HTML.replace("Hello", "Good morning"))

    expect(mail(tab).get_by_text("Good morning Ada")).to_be_visible()
    expect(html).to_be_focused()
    frame = tab.locator("iframe.mail")
    body = mail(tab).locator("body")
    assert body.evaluate("() => innerWidth") >= _MAIL_WIDTH
    tab.get_by_label("Phone").check()
    expect(frame).to_have_css("width", "375px")
    expect(body).to_have_css("background-color", "rgb(255, 255, 255)")
    tab.get_by_label("Dark").check()
    expect(body).to_have_css("background-color", "rgb(18, 18, 18)")
    assert complaints == []


def test_findings_come_and_go_beside_the_source_while_it_is_written(
    notifier: OneProcess, tab: Page, complaints: list[str]
) -> None:
    edit(tab, notifier, "en · SMS")
    text = tab.get_by_label("Text", exact=True)
    expect(tab.get_by_text("1 message in gsm7")).to_be_visible()

    text.fill("Booked\n{{ name")

    beside = tab.locator("#text-findings")
    expect(beside).to_contain_text("Line 2")
    expect(text).to_have_accessible_description(re.compile("Line 2"))
    text.fill("Booked, {{ name }}")
    expect(beside).to_be_empty()
    expect(tab.get_by_text("Booked, Ada")).to_be_visible()
    assert complaints == []


def test_a_draft_is_previewed_and_saved_without_scripts(
    notifier: OneProcess, plain_tab: Page
) -> None:
    edit(plain_tab, notifier, "en · SMS")
    plain_tab.get_by_label("Text", exact=True).fill("Thanks, {{ name }}")
    plain_tab.get_by_role("button", name="Preview").click()
    expect(plain_tab.get_by_text("Thanks, Ada")).to_be_visible()

    plain_tab.get_by_role("button", name="Save the draft").click()

    expect(plain_tab.get_by_text("The draft is saved.")).to_be_visible()
    expect(plain_tab.get_by_label("Text", exact=True)).to_have_value("Thanks, {{ name }}")
