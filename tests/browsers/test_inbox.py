"""The web component for inboxes, in a page that its sandbox has and in one of another origin."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browsers.axe import violations
from tests.browsers.looks import looks, overflow
from tests.e2e.client import IN_APP
from tests.e2e.one_process import OneProcess, one_process
from tests.servers.processes import LOOPBACK

_WIDTHS = (390, 1280)
_POLICY = (
    "default-src 'none'; script-src {notifier} 'self'; connect-src {notifier} 'self'; "
    "img-src data:; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_PAGE = """<!doctype html><html lang="{lang}" dir="{dir}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<title>Shop</title>
<link rel="icon" href="data:,">
<script type="module" src="{notifier}/notifier-inbox.js"></script>
<script type="module" src="/page.js"></script></head>
<body><main><h1>Shop</h1><notifier-inbox></notifier-inbox></main></body></html>"""
_SCRIPT = """document.querySelector("notifier-inbox").addEventListener("tokenrequest", (event) => {
  document.documentElement.dataset.reason = event.detail.reason;
  event.detail.respondWith(fetch("/token" + location.search).then((answer) => answer.json()));
});"""


class Shop(ThreadingHTTPServer):
    """A page of another origin, with a backend that makes tokens for its user."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Visit)
        self.notifier: OneProcess | None = None
        self.expires_in_s = 900

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{LOOPBACK}:{self.server_address[1]}"


class _Visit(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        notifier = self.server.notifier
        assert notifier
        path, _, query = self.path.partition("?")
        user, lang, direction = [*query.split("&"), "en", "ltr"][:3]
        if path == "/token":
            body = {"recipient": user, "expires_in_s": self.server.expires_in_s}
            made = notifier.service.post("/api/v1/inbox/tokens", body)
            self._answer("application/json", made.text)
        elif path == "/page.js":
            self._answer("text/javascript", _SCRIPT)
        else:
            page = _PAGE.format(notifier=notifier.url, lang=lang, dir=direction)
            self._answer("text/html; charset=utf-8", page)

    def _answer(self, type: str, text: str) -> None:
        assert self.server.notifier
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", type)
        self.send_header("Content-Length", str(len(body)))
        policy = _POLICY.format(notifier=self.server.notifier.url)
        self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def _served(shop: Shop) -> Iterator[None]:
    thread = Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        shop.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop whose origin notifier knows."""
    with Shop() as shop:
        settings = {"NOTIFIER_API__ALLOWED_ORIGINS": shop.url}
        with one_process(tmp_path_factory.mktemp("shop"), settings) as notifier:
            shop.notifier = notifier
            with _served(shop):
                yield shop


@dataclass(frozen=True, slots=True)
class User:
    """Somebody in the shop, whom nobody told anything yet."""

    shop: Shop
    name: str

    @property
    def notifier(self) -> OneProcess:
        """Where the inbox is."""
        assert self.shop.notifier
        return self.shop.notifier

    def url(self, lang: str = "en", direction: str = "ltr") -> str:
        """Of the page, for this user."""
        return f"{self.shop.url}/?{self.name}&{lang}&{direction}"

    def send(self, subject: str, text: str = "Hello.", **more: object) -> None:
        """Let something arrive in the inbox."""
        changes: Mapping[str, object] = {"recipient": self.name, "subject": subject, **more}
        id = self.notifier.service.send(IN_APP, content=text, literal=True, **changes)
        assert self.notifier.service.await_status(id)["status"] == "sent"

    def counts(self) -> tuple[int, int]:
        """Unread, and not seen."""
        page = self.notifier.service.get(f"/api/v1/inbox/{self.name}")
        return page["unread_count"], page["unseen_count"]


@pytest.fixture
def user(shop: Shop) -> User:
    shop.expires_in_s = 900
    return User(shop, f"user-{uuid4().hex[:8]}")


def bell(tab: Page) -> Locator:
    return tab.locator("notifier-inbox .bell")


def badge(tab: Page) -> Locator:
    return tab.locator("notifier-inbox .badge")


def subjects(tab: Page) -> Locator:
    return tab.locator("notifier-inbox .subject")


def press(tab: Page, name: str) -> None:
    tab.get_by_role("button", name=name, exact=True).first.click()


def judge(tab: Page, complaints: list[str]) -> None:
    for look in looks(tab, _WIDTHS, 800):
        box = tab.locator("notifier-inbox .panel").bounding_box()
        assert box
        width = tab.viewport_size["width"] if tab.viewport_size else 0
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width, look
        assert violations(tab, undecided=False) == [], look
        assert overflow(tab) == 0, look
    assert complaints == []


@pytest.mark.parametrize(("lang", "direction"), [("en", "ltr"), ("de", "ltr"), ("en", "rtl")])
def test_everybody_can_use_an_inbox(
    user: User, tab: Page, complaints: list[str], lang: str, direction: str
) -> None:
    user.send("Your order", "It is on its way.\nTrack it.", action_url="/orders/42")
    user.send("A" * 120, "B" * 2_000)
    tab.goto(user.url(lang, direction))
    expect(badge(tab)).to_have_text("2")

    bell(tab).click()

    expect(subjects(tab)).to_have_count(2)
    expect(badge(tab)).to_be_hidden()
    judge(tab, complaints)


def test_an_empty_inbox_says_so_in_each_part(user: User, tab: Page, complaints: list[str]) -> None:
    tab.goto(user.url("de"))
    bell(tab).click()

    for part in ("Eingang", "Später", "Archiv"):
        press(tab, part)
        expect(tab.get_by_text("Hier ist nichts.")).to_be_visible()
    judge(tab, complaints)


def test_what_arrives_is_shown_and_announced_at_once(
    user: User, tab: Page, complaints: list[str]
) -> None:
    tab.goto(user.url())
    bell(tab).click()
    expect(tab.get_by_text("Nothing here.")).to_be_visible()

    user.send("News")

    expect(subjects(tab)).to_have_text(re.compile("News"))
    expect(tab.get_by_text("New: News")).to_be_attached()
    assert complaints == []


def test_two_tabs_show_the_same(user: User, tab: Page, complaints: list[str]) -> None:
    for subject in ("First", "Second", "Third"):
        user.send(subject)
    other = tab.context.new_page()
    for each in (tab, other):
        each.goto(user.url())
        expect(badge(each)).to_have_text("3")

    bell(tab).click()
    expect(badge(other)).to_be_hidden()
    bell(other).click()
    press(tab, "Archive")
    expect(subjects(other)).to_have_count(2)
    press(tab, "Mark as read")
    expect(other.locator("li.unread")).to_have_count(1)
    press(other, "Mark all as read")
    expect(tab.locator("li.unread")).to_have_count(0)
    assert user.counts() == (0, 0)
    press(other, "Archived")
    press(other, "Move to inbox")
    expect(subjects(tab)).to_have_count(3)
    assert complaints == []


def test_what_is_snoozed_leaves_and_can_be_brought_back(
    user: User, tab: Page, complaints: list[str]
) -> None:
    user.send("Later")
    tab.goto(user.url())
    bell(tab).click()

    press(tab, "Snooze")
    press(tab, "For an hour")

    expect(tab.get_by_text("Nothing here.")).to_be_visible()
    press(tab, "Snoozed")
    expect(tab.locator("notifier-inbox time")).to_have_text(re.compile("^Back in "))
    judge(tab, complaints)
    press(tab, "Move to inbox")
    press(tab, "Inbox")
    expect(subjects(tab)).to_have_count(1)


def test_a_token_that_expired_is_renewed_unseen(user: User, tab: Page) -> None:
    user.shop.expires_in_s = 2
    tab.goto(user.url())
    bell(tab).click()
    expect(tab.get_by_text("Nothing here.")).to_be_visible()

    expect(tab.locator("html")).to_have_attribute("data-reason", "expired")
    user.send("After")

    expect(subjects(tab)).to_have_text(re.compile("After"))


_HOSTILE = '<img src=x onerror="document.title=`hacked`"><script>document.title="hacked"</script>'
_EVIL = ("javascript:alert(1)", "//evil.example", "/\\evil.example", "/\t/evil.example", "data:,")
_LINKS = {
    "https://example.com/a": "https://example.com/a",
    "/orders/42": "{shop}/orders/42",
}


def test_hostile_content_is_text(user: User, tab: Page, complaints: list[str]) -> None:
    user.send(_HOSTILE, _HOSTILE)
    tab.goto(user.url())
    bell(tab).click()

    expect(subjects(tab)).to_have_text(re.compile(re.escape(_HOSTILE)))
    expect(tab.locator("notifier-inbox img")).to_have_count(0)
    assert tab.title() == "Shop"
    assert complaints == []


def test_only_a_path_or_an_https_address_is_led_to(user: User, tab: Page) -> None:
    """The API refuses others: these come from somewhere between."""
    user.send("Where")
    urls = [*_EVIL, *_LINKS]

    def change(route: Route) -> None:
        page = route.fetch().json()
        (item,) = page["items"]
        page["items"] = [
            {**item, "id": f"{seq}", "seq": seq, "action_url": url} for seq, url in enumerate(urls)
        ]
        route.fulfill(json=page, headers={"Access-Control-Allow-Origin": user.shop.url})

    tab.route(re.compile(r"/inbox/[^/]+\?"), change)
    tab.goto(user.url())
    bell(tab).click()
    expect(subjects(tab)).to_have_count(len(urls))

    mains = tab.locator("notifier-inbox .main").all()
    found = [each.get_attribute("href") for each in mains]
    assert found == [None] * len(_EVIL) + [
        each.format(shop=user.shop.url) for each in _LINKS.values()
    ]


def test_an_inbox_is_used_by_keyboard(user: User, tab: Page, complaints: list[str]) -> None:
    for subject in ("One", "Two", "Three"):
        user.send(subject)
    tab.goto(user.url())
    expect(badge(tab)).to_have_text("3")
    bell(tab).focus()

    tab.keyboard.press("Enter")
    expect(subjects(tab)).to_have_count(3)
    for key in ("ArrowDown", "ArrowDown"):
        tab.keyboard.press(key)
    expect(tab.locator("notifier-inbox .main").nth(1)).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("li.unread")).to_have_count(2)
    expect(tab.locator("notifier-inbox .main").nth(1)).to_be_focused()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(subjects(tab)).to_have_count(2)
    expect(tab.locator("notifier-inbox .main").nth(1)).to_be_focused()
    tab.keyboard.press("Escape")

    expect(bell(tab)).to_be_focused()
    expect(tab.get_by_role("dialog")).to_be_hidden()
    assert complaints == []


def test_a_long_inbox_is_shown_page_by_page(user: User, tab: Page, complaints: list[str]) -> None:
    mails = [{**IN_APP, "recipient": user.name, "content": str(number)} for number in range(45)]
    for id in user.notifier.service.send_batch(mails):
        user.notifier.service.await_status(id)
    tab.goto(user.url())
    expect(badge(tab)).to_have_text("45")
    bell(tab).click()

    for count in (40, 45):
        press(tab, "Show more")
        expect(subjects(tab)).to_have_count(count)

    expect(tab.get_by_role("button", name="Show more")).to_be_hidden()
    assert complaints == []


def test_show_more_is_not_lost_where_something_happens_meanwhile(user: User, tab: Page) -> None:
    held: list[Route] = []
    mails = [{**IN_APP, "recipient": user.name, "content": str(number)} for number in range(45)]
    for id in user.notifier.service.send_batch(mails):
        user.notifier.service.await_status(id)
    tab.goto(user.url())
    bell(tab).click()
    expect(subjects(tab)).to_have_count(20)
    expect(badge(tab)).to_be_hidden()

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    tab.route(lambda url: "limit=" in url, hold_the_first)
    with tab.expect_request(lambda request: "limit=" in request.url):
        press(tab, "Show more")
    with tab.expect_response(lambda answer: "limit=" in answer.url):
        user.notifier.service.post(f"/api/v1/inbox/{user.name}/read", {})
    held[0].continue_()

    expect(subjects(tab)).to_have_count(40)
    expect(tab.locator("notifier-inbox .unread")).to_have_count(0)


def test_more_than_a_page_of_the_api_stays_shown(user: User, tab: Page) -> None:
    mails = [{**IN_APP, "recipient": user.name, "content": str(number)} for number in range(230)]
    for id in user.notifier.service.send_batch(mails):
        user.notifier.service.await_status(id)
    tab.goto(user.url())
    bell(tab).click()
    for count in range(40, 221, 20):
        press(tab, "Show more")
        expect(subjects(tab)).to_have_count(count)

    press(tab, "Mark all as read")

    expect(tab.locator("notifier-inbox .unread")).to_have_count(0)
    user.send("And one more")
    expect(subjects(tab).first).to_have_text("Unread: And one more")
    expect(subjects(tab).nth(219)).to_be_attached()


def test_offline_is_said_and_overcome(user: User, tab: Page) -> None:
    user.send("Before")
    tab.goto(user.url())
    bell(tab).click()
    expect(subjects(tab)).to_have_count(1)

    tab.context.set_offline(True)
    expect(tab.get_by_text("Offline.")).to_be_visible()
    user.send("Meanwhile")
    tab.context.set_offline(False)

    expect(subjects(tab)).to_have_count(2)
    expect(tab.get_by_text("Offline.")).to_be_hidden()


def test_without_a_token_it_says_that_it_cannot(user: User, tab: Page) -> None:
    tab.route("**/token*", lambda route: route.fulfill(status=500, json={}))
    tab.goto(user.url())
    bell(tab).click()

    expect(tab.get_by_text("Notifications cannot be shown now.")).to_be_visible()
    assert violations(tab, undecided=False) == []
    tab.unroute_all()
    press(tab, "Try again")
    expect(tab.get_by_text("Nothing here.")).to_be_visible()


def test_a_page_of_an_unknown_origin_is_shown_nothing(browser: Browser, user: User) -> None:
    user.send("Secret")
    token = user.notifier.service.post("/api/v1/inbox/tokens", {"recipient": user.name}).json()
    with browser.new_context() as context:
        page = context.new_page()
        page.goto("data:text/html,<title>Hostile</title>")
        read = f"""async (token) => fetch("{user.notifier.url}/api/v1/inbox/{user.name}",
            {{headers: {{Authorization: `Bearer ${{token}}`}}}}).then((a) => a.text(), String)"""

        assert "Failed to fetch" in page.evaluate(read, token["token"])


def test_the_demo_works_by_the_link_of_the_greeting(
    user: User, tab: Page, complaints: list[str]
) -> None:
    tab.goto(f"{user.notifier.url}/sandbox/inbox#{user.notifier.key}")

    expect(bell(tab)).to_be_visible()
    assert user.notifier.key not in tab.url
    press(tab, "Send it")

    expect(badge(tab)).to_have_text("1")
    bell(tab).click()
    expect(subjects(tab)).to_have_text(re.compile("Your order"))
    judge(tab, complaints)


def test_the_component_is_kept_by_browsers_and_small(user: User) -> None:
    answer = user.notifier.service.client.get("/notifier-inbox.js")
    again = user.notifier.service.client.get(
        "/notifier-inbox.js", headers={"If-None-Match": answer.headers["etag"]}
    )

    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert (again.status_code, again.content) == (304, b"")
    assert len(answer.content) < 25_600
