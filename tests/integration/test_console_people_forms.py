"""People in the console: added, changed, and their wishes noted."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time
from pathlib import Path

import httpx2
import pytest

from notifier.audience.category import Category, Kind
from notifier.audience.person import Address, Person
from notifier.audience.quiet_hours import QuietHours
from notifier.notification.model import Channel
from tests.api import Api, serving
from tests.console import flaws_in, post, signed_in, text_of
from tests.people import a_profile

PEOPLE = "/console/people"
ADD = "/console/add-person"
ADA = f"{PEOPLE}/u-7"
SAID = {
    "locale": "de",
    "time_zone": "Europe/Vienna",
    "addresses": "email ada@example.org\nemail ada@home.example\nsms +491701234567",
    "attributes": '{"plan": "pro"}',
}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        verified = Address(
            channel=Channel.EMAIL,
            address="ada@example.org",
            is_primary=True,
            verified_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        await it.services.people.put("orders", a_profile("u-7", verified))
        for key, can_switch_off in (("news", True), ("codes", False)):
            category = Category(
                service="orders",
                key=key,
                kind=Kind.TRANSACTIONAL,
                can_switch_off=can_switch_off,
            )
            await it.services.categories.set(category)
        yield it


@pytest.fixture
async def client(api: Api) -> httpx2.AsyncClient:
    return await signed_in(api, "recipients")


async def person(api: Api, user_id: str, service: str = "orders") -> Person:
    found = await api.services.people.get(service, user_id)
    assert isinstance(found, Person)
    return found


async def test_somebody_is_added_once(api: Api, client: httpx2.AsyncClient) -> None:
    answer = await post(client, ADD, {**SAID, "user_id": "a/b c"})

    assert "ada@home.example" in text_of(await client.get(answer.headers["location"]))
    added = await person(api, "a/b c")
    assert (added.locale, added.time_zone, added.attributes) == (
        "de", "Europe/Vienna", {"plan": "pro"},
    )  # fmt: skip
    assert [(each.address, each.is_primary) for each in added.addresses] == [
        ("ada@example.org", True), ("ada@home.example", False), ("+491701234567", True),
    ]  # fmt: skip
    again = await post(client, ADD, {**SAID, "user_id": "a/b c", "locale": "en"})
    assert "already" in flaws_in(again)["user_id"]
    assert (await person(api, "a/b c")).locale == "de"


async def test_what_is_wrong_with_somebody_is_said_by_field_and_line(
    client: httpx2.AsyncClient,
) -> None:
    wrong = {
        "user_id": "",
        "locale": "no language!",
        "time_zone": "Mars/Olympus",
        "addresses": "email ada@example.org\nfax 1",
        "attributes": "{",
    }
    assert set(flaws_in(await post(client, ADD, wrong))) == {"attributes"}

    answer = await post(client, ADD, {**wrong, "attributes": ""})

    assert answer.status_code == 422
    assert set(flaws_in(answer)) == {"user_id", "locale", "time_zone", "addresses"}
    assert flaws_in(answer)["addresses"].startswith("line 2: ")
    assert 'value="no language!"' in answer.text


async def test_what_is_said_of_somebody_is_changed_and_what_is_verified_stays_so(
    api: Api, client: httpx2.AsyncClient
) -> None:
    form = await client.get(f"{ADA}/change")
    assert "email ada@example.org" in form.text

    answer = await post(client, f"{ADA}/change", {**SAID, "etag": _etag(form)})

    assert "It is saved." in text_of(await client.get(answer.headers["location"]))
    ada = await person(api, "u-7")
    assert ada.locale == "de"
    verified = {each.address: each.verified_at is not None for each in ada.addresses}
    assert verified == {
        "ada@example.org": True, "ada@home.example": False, "+491701234567": False,
    }  # fmt: skip


async def test_a_change_in_the_meantime_is_told_before_it_is_overwritten(
    api: Api, client: httpx2.AsyncClient
) -> None:
    form = await client.get(f"{ADA}/change")
    await api.services.people.put("orders", a_profile("u-7"))

    told = await post(client, f"{ADA}/change", {**SAID, "etag": _etag(form)})

    assert told.status_code == 422
    assert "in the meantime" in text_of(told)
    assert (await person(api, "u-7")).locale != "de"
    await post(client, f"{ADA}/change", {**SAID, "etag": _etag(told)})
    assert (await person(api, "u-7")).locale == "de"


async def test_a_choice_is_noted_for_somebody(api: Api, client: httpx2.AsyncClient) -> None:
    form = await client.get(f"{ADA}/choose")
    assert 'value="news"' in form.text

    wish = {"category": "news", "channel": "email", "choice": "off"}
    await post(client, f"{ADA}/choose", wish)

    [choice] = (await person(api, "u-7")).choices
    assert (choice.category, choice.channel, choice.is_on) == ("news", "email", False)
    assert "by the service" in text_of(await client.get(ADA))
    await post(client, f"{ADA}/choose", {**wish, "choice": "default"})
    assert list((await person(api, "u-7")).choices) == []


async def test_what_nobody_may_miss_is_not_switched_off(
    api: Api, client: httpx2.AsyncClient
) -> None:
    wish = {"category": "codes", "channel": "*", "choice": "off"}

    answer = await post(client, f"{ADA}/choose", wish)

    assert flaws_in(answer) == {"category": "it cannot be switched off"}
    assert list((await person(api, "u-7")).choices) == []


async def test_quiet_hours_are_set_and_taken_back(api: Api, client: httpx2.AsyncClient) -> None:
    assert (await client.get(f"{ADA}/quiet-hours")).status_code == 200
    hours = {"start": "22:00", "end": "07:00", "weekdays": ["fri", "sat"]}
    await post(client, f"{ADA}/quiet-hours", hours)

    assert (await person(api, "u-7")).quiet_hours == QuietHours(
        time(22), time(7), frozenset({"fri", "sat"})
    )
    assert 'value="22:00"' in (await client.get(f"{ADA}/quiet-hours")).text
    wrong = await post(client, f"{ADA}/quiet-hours", {"start": "22:00", "end": "25:00"})
    assert set(flaws_in(wrong)) == {"end"}
    await post(client, f"{ADA}/quiet-hours", {"start": "", "end": ""})
    assert (await person(api, "u-7")).quiet_hours is None


async def test_people_of_others_are_changed_by_operators_alone(api: Api) -> None:
    await api.services.people.put("shop", a_profile("s-1"))
    client, operator = await signed_in(api, "recipients"), await signed_in(api, "admin")
    wish = {**SAID, "user_id": "s-2", "service": "shop"}

    assert (await post(client, ADD, wish)).status_code == 403
    assert (await client.get(f"{PEOPLE}/s-1/change?service=shop")).status_code == 403
    assert (await client.get(f"{PEOPLE}/nobody/change")).status_code == 404
    assert (await post(operator, ADD, wish)).status_code == 303
    assert (await person(api, "s-2", "shop")).locale == "de"


def _etag(page: httpx2.Response) -> str:
    found = re.search(r'name="etag" value="([^"]+)"', page.text)
    assert found
    return found[1]
