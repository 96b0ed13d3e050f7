"""Operators at the door of the console: passwords, throttling, and what is noted of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from notifier.access.operators import Role
from notifier.access.throttling import MOST, Count
from notifier.api.console.door import COOKIE, DEVICE_COOKIE
from notifier.audit import AuditFilter, AuditOutcome
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

OVERVIEW = "/console/overview"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, key_cache_s=0) as it:
        yield it


async def noted(api: Api) -> list[tuple[str, str | None, AuditOutcome]]:
    at_the_door = AuditFilter(action=f"POST {SIGN_IN}")
    found = await api.stores.audit.list(at_the_door, limit=99, after=None)
    return [(each.act.actor, each.act.service, each.outcome) for each in found]


async def test_an_operator_signs_in_and_goes_where_they_wanted(api: Api) -> None:
    await operator(api)

    answer = await try_password(api.client, "anna", next=OVERVIEW)

    assert answer.headers["location"] == OVERVIEW
    cookies = answer.headers.get_list("set-cookie")
    assert {each.partition("=")[0] for each in cookies} == {COOKIE, DEVICE_COOKIE}
    for cookie in cookies:
        assert {"HttpOnly", "Path=/console", "SameSite=strict"} <= set(cookie.split("; "))
        assert PASSWORD not in cookie
    page = await api.client.get(OVERVIEW)
    assert page.status_code == 200
    assert "anna" in text_of(page)


async def test_a_login_is_typed_in_capitals_on_phones(api: Api) -> None:
    await operator(api)

    assert (await try_password(api.client, " Anna ")).status_code == 303


@pytest.mark.parametrize("login", ["anna", "nobody", "", PASSWORD])
async def test_what_does_not_go_together_is_said_without_saying_which(api: Api, login: str) -> None:
    await operator(api)

    answer = await try_password(api.client, login, "a wrong password")

    assert answer.status_code == 401
    assert list(flaws_in(answer)) == ["password"]
    assert "a wrong password" not in answer.text
    assert COOKIE not in str(answer.headers.get_list("set-cookie"))


async def test_sign_ins_are_in_the_audit_log_and_never_what_was_typed(api: Api) -> None:
    await operator(api)

    with capture_logs() as logs:
        await try_password(api.client, "a password in the wrong field", "x")
        await try_password(api.client, "anna", "a wrong password")
        await try_password(api.client, "anna")

    assert await noted(api) == [
        ("operator:anna", "orders", AuditOutcome.DONE),
        ("operator:anna", "orders", AuditOutcome.REFUSED),
        ("unknown", None, AuditOutcome.REFUSED),
    ]
    assert "wrong" not in repr(logs)
    assert PASSWORD not in repr(logs)
    assert [each["event"] for each in logs if str(each["event"]).startswith("console.")] == [
        "console.refused", "console.refused", "console.signed_in",
    ]  # fmt: skip


async def test_who_guesses_has_to_wait_and_the_operators_own_browser_does_not(api: Api) -> None:
    mine = await entered(api)
    for _ in range(MOST[Count.LOGIN]):
        assert (await try_password(api.client, "anna", "a guess")).status_code == 401

    answer = await try_password(api.client, "anna")

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "900"
    refused = [each for each in await noted(api) if each[2] is AuditOutcome.REFUSED]
    assert len(refused) == MOST[Count.LOGIN]
    assert "Wait a quarter of an hour" in answer.text
    assert (await try_password(mine, "anna")).status_code == 303


async def test_who_is_let_in_no_longer_is_out_at_once(api: Api) -> None:
    client = await entered(api)
    assert (await client.get(OVERVIEW)).status_code == 200

    await api.services.access.operators.disable("anna")

    assert (await client.get(OVERVIEW)).headers["location"].startswith(SIGN_IN)
    assert (await try_password(api.client, "anna")).status_code == 401


async def test_a_cookie_that_was_copied_ends_when_somebody_signs_out(api: Api) -> None:
    client = await entered(api)
    thief = client_of(api.app)
    thief.cookies.update(client.cookies)
    assert (await thief.get(OVERVIEW)).status_code == 200

    await post(client, "/console/sign-out", {})

    assert (await thief.get(OVERVIEW)).headers["location"].startswith(SIGN_IN)


async def test_another_role_holds_from_the_next_page_on(api: Api) -> None:
    client = await entered(api, role=Role.VIEWER)
    assert (await client.get("/console/keys")).status_code == 403

    await api.services.access.operators.assign(
        "anna", Role.ADMIN, "orders", sees_every_service=False
    )

    assert (await client.get("/console/keys")).status_code == 200


async def test_keys_open_the_console_until_that_is_turned_off(tmp_path: Path) -> None:
    async with serving(tmp_path, signs_in_by_key=False) as api:
        key = await api.key("orders", "admin")
        answer = await api.client.post(SIGN_IN, data={"key": key.text})
        shown = await api.client.get(SIGN_IN)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert 'name="key"' not in shown.text
    assert "notifier operators add" in shown.text


async def test_the_page_asks_for_what_there_is(api: Api) -> None:
    before = await api.client.get(SIGN_IN)
    await operator(api)
    after = await api.client.get(SIGN_IN)

    assert 'name="login"' not in before.text
    assert 'name="login"' in after.text
    assert "<summary>Sign in with an API key</summary>" in after.text


async def test_the_access_log_names_an_operator_and_no_key(api: Api) -> None:
    client = await entered(api)

    with capture_logs() as logs:
        await client.get(OVERVIEW)

    [line] = [each for each in logs if each["event"] == "http.request"]
    assert (line["operator"], line["key_id"], line["service"]) == ("anna", None, "orders")


async def test_what_an_operator_does_is_noted_as_theirs(api: Api) -> None:
    client = await entered(api, role=Role.OPERATOR)
    id = await api.send()

    await post(client, f"/console/notifications/{id}/cancel", {})

    of_it = AuditFilter(
        actor="operator:anna", action="POST /console/notifications/{id:uuid}/cancel"
    )
    [entry] = await api.stores.audit.list(of_it, limit=9, after=None)
    assert entry.outcome is AuditOutcome.DONE
    page = text_of(await client.get(f"/console/notifications/{id}"))
    assert "by operator:anna" in page


@pytest.mark.parametrize(
    ("role", "sees"),
    [(Role.VIEWER, False), (Role.AUTHOR, False), (Role.OPERATOR, True), (Role.ADMIN, True)],
)
async def test_what_notifications_say_is_shown_to_roles_that_act(
    api: Api, role: Role, *, sees: bool
) -> None:
    client = await entered(api, role=role)
    id = await api.send(content="Only for Anna.", html="<p>Only for Anna.</p>")

    page = await client.get(f"/console/notifications/{id}")
    framed = await client.get(f"/console/notifications/{id}/html")

    assert page.status_code == 200
    assert ("Only for Anna." in page.text) is sees
    assert ("Your role does not show" in text_of(page)) is not sees
    assert framed.status_code == (200 if sees else 404)


async def test_an_operator_of_a_service_sees_nothing_of_others(api: Api) -> None:
    id = await api.send()
    shop = await entered(api, "ben", Role.OPERATOR, "shop")
    every = client_of(api.app)
    await operator(api, "eve", Role.VIEWER, "shop", every=True)
    await try_password(every, "eve")

    assert (await shop.get(f"/console/notifications/{id}")).status_code == 404
    assert (await every.get(f"/console/notifications/{id}")).status_code == 200


async def test_sessions_of_keys_are_as_before(api: Api) -> None:
    client = await signed_in(api, "admin")

    page = text_of(await client.get("/console/account"))

    assert "API key" in page
    assert "this one" in page
    assert "Change your password" not in page
