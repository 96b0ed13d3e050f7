"""The pages of operators, of whoever is signed in, and the link to set a password by."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from notifier.access.invitations import HOLDS_S
from notifier.access.operators import Operator, Role
from notifier.api.console.account import agent_words
from notifier.audit import AuditFilter
from tests.api import Api, client_of, serving
from tests.console import (
    PASSWORD,
    SIGN_IN,
    entered,
    flaws_in,
    operator,
    post,
    signed_in,
    text_of,
    try_password,
)

OPERATORS = "/console/operators"
ACCOUNT = "/console/account"
WELCOME = "/console/welcome"
ANOTHER = "staple battery horse"
DAY_S = 86_400


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, key_cache_s=0) as it:
        yield it


@pytest.fixture
async def admin(api: Api) -> httpx2.AsyncClient:
    return await entered(api, "root")


async def found(api: Api, login: str) -> Operator:
    it = await api.services.access.operators.find(login)
    assert it is not None
    return it


async def add(client: httpx2.AsyncClient, **changes: str) -> httpx2.Response:
    filled = {"login": "anna", "role": "author", "service": "orders", "every": "", **changes}
    return await post(client, f"{OPERATORS}/new", filled)


def link_in(answer: httpx2.Response) -> str:
    """The path and the query of the link that a page shows."""
    [link] = re.findall(r'id="link" value="([^"]+)"', answer.text)
    parts = urlsplit(link.replace("&#x2f;", "/"))
    assert f"{parts.scheme}://{parts.netloc}" == "http://notifier"
    return f"{parts.path}?{parts.query}"


async def set_password(
    client: httpx2.AsyncClient, link: str, new: str = ANOTHER, again: str | None = None
) -> httpx2.Response:
    token = link.partition("token=")[2]
    return await client.post(WELCOME, data={"token": token, "new": new, "again": again or new})


async def test_who_is_invited_sets_a_password_once_and_signs_in(
    api: Api, admin: httpx2.AsyncClient
) -> None:
    made = await add(admin)
    link = link_in(made)
    anna = client_of(api.app)

    shown = await anna.get(link)
    answer = await set_password(anna, link)

    assert made.headers["cache-control"] == "no-store"
    assert 'value="anna"' in shown.text
    assert answer.headers["location"] == f"{SIGN_IN}?done=set"
    assert (await try_password(anna, "anna", ANOTHER)).status_code == 303
    assert (await anna.get(link)).status_code == 410
    assert (await set_password(anna, link)).status_code == 410
    entries = await api.stores.audit.list(
        AuditFilter(action=f"POST {WELCOME}"), limit=9, after=None
    )
    assert [each.act.actor for each in entries] == ["operator:anna"]
    assert "token" not in entries[0].act.target


async def test_a_link_is_over_after_a_day(api: Api, admin: httpx2.AsyncClient) -> None:
    link = link_in(await add(admin))

    api.clock.days_on = (HOLDS_S + 60) / DAY_S

    answer = await client_of(api.app).get(link)
    assert answer.status_code == 410
    assert "This link holds no longer" in answer.text


@pytest.mark.parametrize(
    ("new", "again", "field"), [("short", "short", "new"), (ANOTHER, "something else", "again")]
)
async def test_what_is_wrong_with_a_password_is_said_at_its_field(
    api: Api, admin: httpx2.AsyncClient, new: str, again: str, field: str
) -> None:
    link = link_in(await add(admin))

    answer = await set_password(client_of(api.app), link, new, again)

    assert answer.status_code == 422
    assert list(flaws_in(answer)) == [field]
    assert new not in answer.text
    assert (await found(api, "anna")).password is None


async def test_a_page_of_somebody_elses_sets_no_password(
    api: Api, admin: httpx2.AsyncClient
) -> None:
    token = link_in(await add(admin)).partition("token=")[2]
    fields = {"token": token, "new": ANOTHER, "again": ANOTHER}

    answer = await api.client.post(WELCOME, data=fields, headers={"Origin": "https://evil.example"})

    assert answer.status_code == 403
    assert (await found(api, "anna")).password is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"login": "Anna"}, "login"),
        ({"login": "anna@example.com"}, "login"),
        ({"login": "root"}, "login"),
        ({"role": "owner"}, "role"),
        ({"service": ""}, "service"),
    ],
)
async def test_what_is_wrong_with_an_operator_is_said_at_its_field(
    api: Api, admin: httpx2.AsyncClient, changes: dict[str, str], field: str
) -> None:
    answer = await add(admin, **changes)

    assert answer.status_code == 422
    assert list(flaws_in(answer)) == [field]
    assert len(await api.services.access.operators.list()) == 1


async def test_operators_are_listed_with_what_they_may(admin: httpx2.AsyncClient) -> None:
    await add(admin, every="yes")

    listed = text_of(await admin.get(OPERATORS))
    one = text_of(await admin.get(f"{OPERATORS}/anna"))

    assert "anna author every service invited" in listed
    assert "root admin every service active" in listed
    assert "writes and publishes templates" in one
    assert (await admin.get(f"{OPERATORS}/nobody")).status_code == 404


async def test_an_operator_gets_another_role(api: Api, admin: httpx2.AsyncClient) -> None:
    await add(admin)

    form = await admin.get(f"{OPERATORS}/anna/change")
    answer = await post(
        admin, f"{OPERATORS}/anna/change", {"role": "operator", "service": "shop", "every": ""}
    )

    assert 'type="radio" name="role" value="author" checked' in form.text
    assert answer.headers["location"] == f"{OPERATORS}?done=assigned"
    anna = await found(api, "anna")
    assert (anna.role, anna.sees) == (Role.OPERATOR, "shop")


async def test_operators_are_disabled_enabled_signed_out_and_removed(
    api: Api, admin: httpx2.AsyncClient
) -> None:
    anna = await entered(api, "anna", Role.VIEWER)

    async def is_in() -> bool:
        return (await anna.get("/console/overview")).status_code == 200

    async def move(name: str) -> None:
        asked = await admin.get(f"{OPERATORS}/anna/{name}")
        assert asked.status_code == 200
        answer = await post(admin, f"{OPERATORS}/anna/{name}", {})
        assert answer.headers["location"] == f"{OPERATORS}?done={name}"
        assert "note" in (await admin.get(answer.headers["location"])).text

    assert await is_in()
    await move("end")
    assert not await is_in()
    assert (await try_password(anna, "anna")).status_code == 303
    await move("disable")
    assert not await is_in()
    assert "anna viewer orders disabled" in text_of(await admin.get(OPERATORS))
    await move("enable")
    assert (await try_password(anna, "anna")).status_code == 303
    await move("remove")
    assert not await is_in()
    assert (await admin.get(f"{OPERATORS}/anna")).status_code == 404


@pytest.mark.parametrize("name", ["disable", "end", "remove"])
async def test_nobody_locks_themselves_out(api: Api, admin: httpx2.AsyncClient, name: str) -> None:
    answer = await post(admin, f"{OPERATORS}/root/{name}", {})
    changed = await post(admin, f"{OPERATORS}/root/change", {"role": "viewer", "service": "orders"})

    assert answer.status_code == 403
    assert list(flaws_in(changed)) == ["role"]
    assert (await found(api, "root")).role is Role.ADMIN
    assert f"{OPERATORS}/root/{name}" not in (await admin.get(f"{OPERATORS}/root")).text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.AUTHOR])
async def test_only_an_admin_sees_or_changes_operators(api: Api, role: Role) -> None:
    client = await entered(api, role=role)

    assert (await client.get(OPERATORS)).status_code == 403
    assert (await add(client, login="ben")).status_code == 403
    assert OPERATORS not in (await client.get("/console/overview")).text


async def test_people_change_their_password_and_are_signed_out_elsewhere(api: Api) -> None:
    here = await entered(api)
    there = client_of(api.app)
    await try_password(there, "anna")

    answer = await post(
        here, f"{ACCOUNT}/password", {"old": PASSWORD, "new": ANOTHER, "again": ANOTHER}
    )

    assert answer.headers["location"] == f"{ACCOUNT}?done=password"
    assert (await here.get(ACCOUNT)).status_code == 200
    assert (await there.get(ACCOUNT)).status_code == 303
    assert (await try_password(there, "anna")).status_code == 401
    assert (await try_password(there, "anna", ANOTHER)).status_code == 303


async def test_a_session_alone_sets_no_password_and_guesses_none(api: Api) -> None:
    client = await entered(api)
    filled = {"old": "a guess", "new": ANOTHER, "again": ANOTHER}

    answers = [await post(client, f"{ACCOUNT}/password", filled) for _ in range(11)]
    right = await post(client, f"{ACCOUNT}/password", {**filled, "old": PASSWORD})

    assert {each.status_code for each in (*answers, right)} == {422}
    assert list(flaws_in(right)) == ["old"]
    assert (await try_password(client, "anna")).status_code == 303


async def test_people_see_where_they_are_signed_in_and_end_it(api: Api) -> None:
    here = await entered(api)
    there, third = client_of(api.app), client_of(api.app)
    there.headers["User-Agent"] = "<b>a phone</b>"
    for client in (there, third):
        await try_password(client, "anna")

    page = await here.get(ACCOUNT)
    [first] = re.findall(
        r'/account/sessions/([^/"]+)/end"><input[^>]*>\s*<button[^>]*>End it', page.text
    )[:1]
    assert "&lt;b&gt;a phone" in page.text
    assert page.text.count("this one") == 1
    await post(here, f"{ACCOUNT}/sessions/{first}/end", {})
    left = [await client.get(ACCOUNT) for client in (there, third)]
    assert sorted(each.status_code for each in left) == [200, 303]

    await post(here, f"{ACCOUNT}/sessions/end", {})

    assert {(await client.get(ACCOUNT)).status_code for client in (there, third)} == {303}
    assert (await here.get(ACCOUNT)).status_code == 200


async def test_nobody_ends_a_session_of_somebody_else(api: Api) -> None:
    anna, ben = await entered(api), await entered(api, "ben")
    [session] = await api.services.access.sessions.list(login="ben")

    answer = await post(anna, f"{ACCOUNT}/sessions/{session.id}/end", {})

    assert answer.status_code == 404
    assert (await ben.get(ACCOUNT)).status_code == 200


async def test_a_key_has_no_password_to_change(api: Api) -> None:
    client = await signed_in(api, "admin")
    await operator(api)

    assert (await client.get(f"{ACCOUNT}/password")).status_code == 404


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
         "Chrome on Linux"),
        ("Mozilla/5.0 (Linux; Android 15) Gecko/140.0 Firefox/140.0", "Firefox on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18 like Mac OS X) Version/18.0 Safari/604.1",
         "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("curl/8", "curl/8"),
        ("", "something that does not say what it is"),
    ],
)  # fmt: skip
def test_a_browser_is_told_by_its_name(agent: str, words: str) -> None:
    assert agent_words(agent) == words
