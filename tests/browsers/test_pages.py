"""Notifier's own pages, served by the one-process mode."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browsers.axe import violations
from tests.browsers.listener import Listener, listening
from tests.browsers.looks import USUAL, looks, overflow
from tests.e2e.client import IN_APP, MAIL, SMS
from tests.e2e.one_process import OneProcess, one_process
from tests.patience import AT_ALL_S
from tests.servers.processes import wait_until

_WIDTHS = (390, 1280)
_OFF = (
    # In the frame is what somebody wants to send, and no script may run there, not even axe. The
    # ready-made mails are looked at by themselves.
    "frame-tested",
)
_SANDBOX = "/api/v1/sandbox/messages"
_HTML = '<!doctype html><html lang="en"><title>Order</title><h1>Your order</h1><p>Hello.'
# And how much of each is folded up.
_STATES: Mapping[str, tuple[Mapping[str, object], int]] = {
    "a mail": ({**MAIL, "html": _HTML}, 2),
    "an SMS": (SMS, 0),
    "an in-app notification": (IN_APP, 0),
    "a sensitive mail": ({**MAIL, "sensitive": True}, 0),
}


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A one-process mode, and the page that shows what it sent."""

    notifier: OneProcess

    @property
    def url(self) -> str:
        """Of the page."""
        return f"{self.notifier.url}/sandbox"

    def send(self, notification: Mapping[str, object], **changes: object) -> int:
        """Send one; returns its number among what was captured."""
        service = self.notifier.service
        id = service.send(notification, **changes)
        assert service.await_status(id)["status"] == "sent"
        return next(int(item["seq"]) for item in service.get(_SANDBOX)["items"] if item["id"] == id)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox in which nothing is."""
    with one_process(tmp_path_factory.mktemp("empty")) as started:
        yield Sandbox(started)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox that the module's tests share."""
    with one_process(tmp_path_factory.mktemp("shared")) as started:
        yield Sandbox(started)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A web server to which a mail wants to lead."""
    with listening() as server:
        yield server


def row(tab: Page, seq: int) -> Locator:
    """A message in the list."""
    return tab.locator(f'#list button[data-key="{seq}"]')


def judge(tab: Page, complaints: list[str]) -> None:
    """Fail for what is wrong with a page at any width, in light or in dark."""
    for look in looks(tab, _WIDTHS):
        assert violations(tab, off=_OFF) == [], look
        assert overflow(tab) == 0, look
    for look in looks(tab, _WIDTHS, USUAL):
        assert violations(tab, off=_OFF, undecided=False) == [], f"{look}, to be scrolled"
    assert complaints == []


def test_the_empty_sandbox_says_what_to_do(
    empty: Sandbox, tab: Page, complaints: list[str]
) -> None:
    tab.goto(empty.url)

    expect(tab.get_by_role("heading", name="Nothing was sent yet")).to_be_visible()
    expect(tab.get_by_text("Live", exact=True)).to_be_visible()
    judge(tab, complaints)


@pytest.mark.parametrize("state", _STATES)
def test_everybody_can_read_what_the_sandbox_shows(
    sandbox: Sandbox, tab: Page, complaints: list[str], state: str
) -> None:
    notification, folded = _STATES[state]
    seq = sandbox.send(notification)

    tab.goto(f"{sandbox.url}#{seq}")

    expect(row(tab, seq)).to_have_attribute("aria-current", "true")
    expect(tab.locator("summary")).to_have_count(folded)
    for each in tab.locator("summary").all():
        each.click()
    judge(tab, complaints)


def test_a_link_opens_its_message(sandbox: Sandbox, tab: Page, complaints: list[str]) -> None:
    wanted, other = (sandbox.send(MAIL, subject=subject) for subject in ("Wanted", "Newer"))

    tab.goto(f"{sandbox.url}#{wanted}")
    expect(tab.get_by_role("heading", name="Wanted")).to_be_visible()
    tab.evaluate("(seq) => { location.hash = seq }", str(other))
    expect(tab.get_by_role("heading", name="Newer")).to_be_visible()

    assert complaints == []


def test_a_search_leaves_what_is_like_it(
    sandbox: Sandbox, tab: Page, complaints: list[str]
) -> None:
    wanted, other = (sandbox.send(SMS, content=text) for text in ("Blue heron", "Red kite"))
    tab.goto(sandbox.url)
    expect(row(tab, other)).to_be_visible()

    tab.get_by_label("Search").fill("heron")

    expect(row(tab, other)).to_have_count(0)
    expect(row(tab, wanted)).to_be_visible()
    tab.get_by_label("Search").fill("no such bird")
    expect(tab.get_by_text("No message is like that.")).to_be_visible()
    assert complaints == []


def test_the_focus_stays_where_it_is_when_messages_arrive(
    sandbox: Sandbox, tab: Page, complaints: list[str]
) -> None:
    older, newer = (sandbox.send(SMS) for _ in range(2))
    tab.goto(sandbox.url)
    row(tab, newer).focus()
    tab.keyboard.press("ArrowDown")
    expect(row(tab, older)).to_be_focused()

    arrived = sandbox.send(SMS)

    expect(row(tab, arrived)).to_be_visible()
    expect(row(tab, older)).to_be_focused()
    tab.keyboard.press("Enter")
    expect(row(tab, older)).to_have_attribute("aria-current", "true")
    assert complaints == []


def test_the_description_is_shown_and_comes_from_here_alone(
    empty: Sandbox, tab: Page, complaints: list[str]
) -> None:
    """What Swagger UI makes of it is not ours to judge."""
    requested: list[str] = []
    tab.on("request", lambda request: requested.append(request.url))

    tab.goto(f"{empty.notifier.url}/docs")

    expect(tab.locator("#operations-Notifications-sendNotification")).to_be_visible()
    assert {url for url in requested if not url.startswith(empty.notifier.url)} == set()
    assert tab.url == f"{empty.notifier.url}/docs"
    assert complaints == []


_HOSTILE = """<!doctype html><html lang="en"><head><title>Hostile</title>
<base href="{url}/base/"><link rel="stylesheet" href="{url}/link">
<link rel="preconnect" href="{url}"><link rel="prefetch" href="{url}/prefetch">
<link rel="preload" as="image" href="{url}/preload"><link rel="icon" href="{url}/icon">
<meta http-equiv="refresh" content="0; url={url}/refresh">
<style>@import "{url}/import"; body {{ background: url({url}/background) }}
@font-face {{ font-family: f; src: url({url}/font) }} p {{ font-family: f }}</style>
<script>console.log("a script ran"); fetch("{url}/fetch")</script>
<script src="{url}/script"></script></head>
<body onload="console.log('a script ran'); new Image().src = '{url}/onload'"><p>Hello</p>
<img alt="" src="{url}/img" srcset="{url}/srcset 2x"><img alt="" src="relative">
<img alt="" src="data:," onerror="console.log('a script ran')">
<video src="{url}/video" poster="{url}/poster" autoplay></video>
<audio src="{url}/audio" autoplay></audio>
<svg><image href="{url}/svg" /><script>console.log("a script ran")</script></svg>
<iframe src="{url}/iframe"></iframe><iframe srcdoc="<img src='{url}/srcdoc'>"></iframe>
<object data="{url}/object"></object><embed src="{url}/embed">
<input type="image" alt="" src="{url}/input"><table background="{url}/table"><tr><td></table>
<form action="{url}/form" id="form"></form>
<script>document.getElementById("form").submit()</script>
</body></html>"""
_RAN = "a script ran"


def test_a_hostile_mail_reaches_nobody_and_runs_nothing(
    sandbox: Sandbox, listener: Listener, tab: Page
) -> None:
    told: list[str] = []
    tab.on("console", lambda message: told.append(message.text))
    html = _HOSTILE.format(url=listener.url)
    seq = sandbox.send(MAIL, html=html, literal=True)
    polls = 0

    tab.goto(f"{sandbox.url}#{seq}")

    expect(tab.frame_locator("iframe").get_by_text("Hello")).to_be_visible()
    while polls < 2:  # by when whatever it wants to load was asked for
        with tab.expect_response(lambda response: _SANDBOX in response.url):
            polls += 1
    assert listener.connections == 0, listener.paths
    assert _RAN not in told


def test_elsewhere_a_hostile_mail_reaches_whom_it_wants_and_runs(
    listener: Listener, tab: Page
) -> None:
    """Else its being quiet in the sandbox would mean nothing."""
    tab.goto(listener.url)

    with tab.expect_console_message(lambda message: message.text == _RAN):
        tab.set_content(_HOSTILE.format(url=listener.url), wait_until="commit")

    wait_until(lambda: len(listener.paths) > 5, timeout_s=AT_ALL_S, what="visits")
