"""Coming into the console, being turned away, and what it says when something fails."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from structlog.testing import capture_logs

from notifier.access.sessions import IDLE_S
from notifier.api.console.door import COOKIE
from notifier.api.console.entering import SIGN_OUT
from notifier.broadcasts.broadcast import Broadcast, Whom
from notifier.errors import StoreUnavailableError
from notifier.notification.model import Channel, Lane
from tests.api import Api, client_of, serving
from tests.console import SIGN_IN, post, signed_in, token_in

DAY_S = 86_400
BROADCASTS = "/console/broadcasts"
OUT = f"/console{SIGN_OUT}"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, key_cache_s=0) as it:
        yield it


async def announce(api: Api, service: str, template: str) -> None:
    broadcast = Broadcast(
        id=api.services.new_id(),
        service=service,
        channel=Channel.EMAIL,
        lane=Lane.BULK,
        template=template,
        version_id=api.services.new_id(),
        whom=Whom(topic="<b>news</b>"),
        variables={},
    )
    await api.services.broadcasts.accept(broadcast)


def groups_in(html: str) -> dict[str, list[str]]:
    """The titles of a page's sections by the group in which its navigation has them."""
    wide = re.search(r'<nav class="wide".*?</nav>', html, re.DOTALL)
    assert wide
    groups = re.findall(r"<span>([^<]*)</span>(.*?)</ul>", wide[0], re.DOTALL)
    return {title: re.findall(r"<a [^>]*>([^<]*)<", links) for title, links in groups}


async def test_a_key_opens_the_sections_of_its_scopes_with_a_cookie_no_script_can_read(
    api: Api,
) -> None:
    key = await api.key("orders", "broadcasts")

    answer = await api.client.post(SIGN_IN, data={"key": key.text})

    assert answer.headers["location"] == "/console"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Path=/console", "SameSite=strict"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert key.text not in cookie
    home = await api.client.get("/console")
    assert home.headers["location"] == BROADCASTS


async def test_the_navigation_shows_what_the_scopes_of_the_key_open_and_no_empty_group(
    api: Api,
) -> None:
    page = await (await signed_in(api, "broadcasts", "recipients")).get(BROADCASTS)

    assert groups_in(page.text) == {"Traffic": ["Broadcasts"], "People": ["People", "Topics"]}
    assert page.text.count('aria-current="page">Broadcasts') == 2  # for wide and for narrow screens


async def test_an_admin_is_shown_all_groups_in_their_order(api: Api) -> None:
    page = await (await signed_in(api, "admin")).get(BROADCASTS)

    assert list(groups_in(page.text)) == ["Traffic", "Authoring", "People", "System"]


async def test_the_log_says_who_came_and_went_and_never_with_which_key(api: Api) -> None:
    key = await api.key("orders", "broadcasts")

    with capture_logs() as logs:
        await api.client.post(SIGN_IN, data={"key": key.text})
        await post(api.client, OUT, {})

    told = [each for each in logs if str(each["event"]).startswith("console.")]
    assert [(each["event"], each["service"]) for each in told] == [
        ("console.signed_in", "orders"), ("console.signed_out", "orders"),
    ]  # fmt: skip
    assert told[0]["key_id"] == key.id
    assert key.text not in repr(logs)
    assert {each.get("route") for each in logs} >= {SIGN_IN, OUT}


async def test_a_session_over_tls_is_never_sent_without(api: Api) -> None:
    key = await api.key("orders", "broadcasts")

    answer = await api.client.post(f"https://notifier{SIGN_IN}", data={"key": key.text})

    assert "Secure" in answer.headers["set-cookie"].split("; ")


@pytest.mark.parametrize("presented", ["", "some words", "another"])
async def test_what_is_no_key_is_said_at_its_field(api: Api, presented: str) -> None:
    other = f"{(await api.key('orders', 'broadcasts')).text[:-1]}-"
    key = other if presented == "another" else presented

    answer = await api.client.post(SIGN_IN, data={"key": key, "next": BROADCASTS})

    assert answer.status_code == 401
    assert 'aria-describedby="key-flaw"' in answer.text
    assert "set-cookie" not in answer.headers
    if key:
        assert key not in answer.text


async def test_whoever_guesses_keys_is_told_to_wait(tmp_path: Path) -> None:
    async with serving(tmp_path, failed_logins_per_minute=1) as api:
        guess = f"ntf_{'x' * 16}_{'y' * 43}"
        answers = [await api.client.post(SIGN_IN, data={"key": guess}) for _ in range(2)]

    assert [each.status_code for each in answers] == [401, 429]
    assert "<h1>Too many requests</h1>" in answers[1].text
    assert "retry-after" in answers[1].headers


async def test_a_key_without_a_scope_for_any_page_is_told_which_it_lacks(api: Api) -> None:
    key = await api.key("orders", "send")

    answer = await api.client.post(SIGN_IN, data={"key": key.text})

    assert answer.status_code == 403
    assert "broadcasts" in answer.text
    assert "set-cookie" not in answer.headers


async def test_whoever_is_not_signed_in_is_led_there_and_back(api: Api) -> None:
    key = await api.key("orders", "broadcasts")

    asked = await api.client.get(f"{BROADCASTS}?after=x")
    shown = await api.client.get(asked.headers["location"])
    answer = await api.client.post(SIGN_IN, data={"key": key.text, "next": f"{BROADCASTS}?after=x"})

    assert asked.headers["location"] == f"{SIGN_IN}?next=%2Fconsole%2Fbroadcasts%3Fafter%3Dx"
    assert "after" in shown.text
    assert answer.headers["location"] == f"{BROADCASTS}?after=x"


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example", "https://evil.example", "/console/\\evil", "/docs", "/console/\r\nX: y"],
)
async def test_signing_in_leads_nowhere_else(api: Api, wanted: str) -> None:
    key = await api.key("orders", "broadcasts")

    answer = await api.client.post(SIGN_IN, data={"key": key.text, "next": wanted})

    assert answer.headers["location"] == "/console"


async def test_a_session_ends_with_its_key(api: Api) -> None:
    key = await api.key("orders", "broadcasts")
    await api.client.post(SIGN_IN, data={"key": key.text})
    assert (await api.client.get(BROADCASTS)).status_code == 200

    await api.services.keys.revoke(key.id)

    answer = await api.client.get(BROADCASTS)
    assert answer.headers["location"].startswith(SIGN_IN)


async def test_a_session_that_nobody_uses_ends_and_one_in_use_goes_on(api: Api) -> None:
    client = await signed_in(api, "broadcasts")
    api.clock.days_on = IDLE_S / 2 / DAY_S
    assert (await client.get(BROADCASTS)).status_code == 200

    api.clock.days_on = (IDLE_S + 1) / DAY_S
    assert (await client.get(BROADCASTS)).status_code == 200

    api.clock.days_on = 3 * IDLE_S / DAY_S
    assert (await client.get(BROADCASTS)).status_code == 303


async def test_signing_out_has_the_browser_forget_the_session(api: Api) -> None:
    client = await signed_in(api, "broadcasts")

    answer = await post(client, OUT, {})

    assert answer.headers["location"] == f"{SIGN_IN}?done=out"
    assert (await client.get(BROADCASTS)).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://notifier"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize("path", [OUT, SIGN_IN])
async def test_pages_of_others_can_post_nothing(
    api: Api, headers: dict[str, str], path: str
) -> None:
    client = await signed_in(api, "broadcasts")
    key = await api.key("orders", "broadcasts")
    token = token_in((await client.get(BROADCASTS)).text)

    answer = await client.post(path, data={"token": token, "key": key.text}, headers=headers)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://notifier"}]
)
async def test_its_own_pages_can(api: Api, headers: dict[str, str]) -> None:
    client = await signed_in(api, "broadcasts")
    client.headers.update(headers)

    assert (await post(client, OUT, {})).status_code == 303


async def test_a_form_without_the_sessions_token_changes_nothing(api: Api) -> None:
    mine, other = await signed_in(api, "broadcasts"), await signed_in(api, "broadcasts")
    token = token_in((await other.get(BROADCASTS)).text)

    for fields in ({"other": ""}, {"token": ""}, {"token": token}):
        assert (await mine.post(OUT, data=fields)).status_code == 403

    assert (await mine.get(BROADCASTS)).status_code == 200


async def test_forms_are_the_only_bodies_taken(api: Api) -> None:
    client = await signed_in(api, "broadcasts")
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert (await client.post(OUT, json={})).status_code == 415
    assert (await client.post(OUT, content=b"a=%00", headers=form)).status_code == 400
    assert (await client.post(OUT, content=b"a=%ff", headers=form)).status_code == 400
    assert (await client.post(OUT, content=b"a=b&" * 300, headers=form)).status_code == 400
    assert (await client.post(OUT, content=b"a" * 300_000, headers=form)).status_code == 413


async def test_what_is_not_there_is_said_in_the_frame(api: Api) -> None:
    client = await signed_in(api, "broadcasts")

    for answer in (
        await client.get("/console/nowhere"),
        await client.get("/console/"),
        await client.get(f"{BROADCASTS}?after=x"),
        await client.post(BROADCASTS, data={}),
    ):
        assert answer.status_code == 404
        assert "<h1>There is no such thing</h1>" in answer.text
        assert "Sign out" in answer.text


async def test_a_failure_is_said_in_the_frame_and_to_a_script_in_a_line(api: Api) -> None:
    client = await signed_in(api, "broadcasts")

    async def fail(**_: object) -> None:
        raise StoreUnavailableError("the database is away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api.services.broadcasts, "list", fail)
        page = await client.get(BROADCASTS)
        part = await client.get(BROADCASTS, headers={"HX-Request": "true"})

    assert (page.status_code, part.status_code) == (503, 503)
    assert "<h1>notifier cannot answer now</h1>" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src")
    assert part.text.startswith('<p class="note bad" role="alert">The database is away.')


async def test_a_script_is_told_that_the_session_has_ended(api: Api) -> None:
    answer = await api.client.get(BROADCASTS, headers={"HX-Request": "true"})

    assert answer.status_code == 401
    assert "Your session has ended" in answer.text


async def test_a_link_from_elsewhere_is_followed_once_more_with_the_cookie(api: Api) -> None:
    """Browsers keep the cookie back at first."""
    answer = await api.client.get(BROADCASTS, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0">' in answer.text


async def test_without_the_console_there_is_none(tmp_path: Path) -> None:
    async with serving(tmp_path, has_console=False) as api:
        answer = await api.client.get("/console")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_it_works_below_another_application(api: Api) -> None:
    key = await api.key("orders", "broadcasts")
    outer = Starlette(routes=[Mount("/notify", api.app)])
    async with client_of(outer) as client:
        shown = await client.get("/notify/console")
        entered = await client.post(f"/notify{SIGN_IN}", data={"key": key.text})
        home = await client.get(entered.headers["location"])
        page = await client.get(home.headers["location"])

    assert shown.headers["location"] == f"/notify{SIGN_IN}"
    assert "Path=/notify/console" in entered.headers["set-cookie"]
    assert home.headers["location"] == f"/notify{BROADCASTS}"
    assert 'aria-current="page"' in page.text


async def test_a_service_sees_its_own_broadcasts_and_an_admin_those_of_all(api: Api) -> None:
    await announce(api, "orders", "spring")
    await announce(api, "shop", "autumn")

    own = await (await signed_in(api, "broadcasts")).get(BROADCASTS)
    every = await (await signed_in(api, "admin")).get(BROADCASTS)

    assert "spring" in own.text
    assert "autumn" not in own.text
    assert "· shop" in every.text
    assert "topic &lt;b&gt;news&lt;&#x2f;b&gt;" in own.text


async def test_more_broadcasts_than_a_page_holds_are_on_the_next(api: Api) -> None:
    for number in range(51):
        await announce(api, "orders", f"issue-{number}")
    client = await signed_in(api, "broadcasts")

    first = await client.get(BROADCASTS)
    found = re.search(r'href="([^"]+)" rel="next"', first.text)
    assert found
    second = await client.get(f"{BROADCASTS}{found[1]}", headers={"HX-Request": "true"})

    assert "issue-0<" not in first.text
    assert "issue-0<" in second.text
    assert second.text.startswith("<section")
