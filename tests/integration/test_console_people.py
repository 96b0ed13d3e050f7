"""People in the console: looked up, shown, and erased by those who mean it."""

from collections.abc import AsyncIterator
from datetime import time
from html import unescape
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from notifier.audience.changing import Wishes
from notifier.audience.choice_change import Source
from notifier.audience.erasure import Erasure
from notifier.audience.quiet_hours import QuietHours
from notifier.audit import AuditFilter
from tests.api import Api, serving
from tests.console import flaws_in, post, signed_in, text_of
from tests.people import a_profile, an_address

PEOPLE = "/console/people"
ADA = f"{PEOPLE}/u-7"
ERASE = f"{ADA}/erase"
MEANT = {"typed": "u-7", "reason": "user_request"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        await it.services.people.put_all(
            "orders", [a_profile("u-7"), a_profile("a/b c", an_address("ben@example.org"))]
        )
        await it.services.people.put_all("shop", [a_profile("s-1", an_address("eve@example.org"))])
        yield it


@pytest.fixture
async def client(api: Api) -> httpx2.AsyncClient:
    return await signed_in(api, "recipients")


async def test_people_are_found_by_address_and_led_to_by_their_id(
    client: httpx2.AsyncClient,
) -> None:
    everybody = await client.get(PEOPLE)
    assert "ada@example.org" in everybody.text
    assert "eve@example.org" not in everybody.text
    found = await client.get(PEOPLE, params={"address": "BEN@example.org"})
    assert ("a/b c" in text_of(found), "u-7" in text_of(found)) == (True, False)
    assert "matches this" in (await client.get(PEOPLE, params={"address": "eve@example.org"})).text
    wrong = await client.get(PEOPLE, params={"channel": "fax"})
    assert (wrong.status_code, [*flaws_in(wrong)]) == (422, ["channel"])

    led = await client.get(PEOPLE, params={"user_id": "u-7"})
    assert led.headers["location"] == ADA


async def test_an_operator_sees_the_people_of_every_service(api: Api) -> None:
    operator = await signed_in(api, "admin")

    assert "eve@example.org" in (await operator.get(PEOPLE)).text
    of_shop = await operator.get(PEOPLE, params={"service": "shop"})
    assert ("eve@" in of_shop.text, "ada@" in of_shop.text) == (True, False)
    led = await operator.get(PEOPLE, params={"user_id": "s-1", "service": "shop"})
    assert "eve@example.org" in (await operator.get(led.headers["location"])).text


async def test_a_page_tells_addresses_choices_and_how_they_came_to_be(
    api: Api, client: httpx2.AsyncClient
) -> None:
    hours = QuietHours(time(22), time(7), frozenset({"mon"}))
    wishes = Wishes(choices={("news", "email"): False}, quiet_hours=hours, sets_quiet_hours=True)
    await api.services.preferences.change("orders", "u-7", wishes, Source.PAGE)

    page = text_of(await client.get(ADA))

    assert "ada@example.org Email primary" in page
    assert "22:00 to 07:00, mon" in page
    assert "news by Email no" in page
    assert "on the page that a link leads to" in page
    assert 'Attribute plan "pro"' in page
    html = unescape((await client.get(ADA)).text)
    assert "/console/notifications?user_id=u-7&service=orders" in html


async def test_somebody_whose_id_is_no_plain_name_has_a_page(client: httpx2.AsyncClient) -> None:
    led = await client.get(PEOPLE, params={"user_id": "a/b c"})

    assert led.headers["location"] == f"{PEOPLE}/a%2Fb%20c"
    assert "ben@example.org" in (await client.get(led.headers["location"])).text


async def test_nobody_and_those_of_others_are_not_there(
    api: Api, client: httpx2.AsyncClient
) -> None:
    assert (await client.get(f"{PEOPLE}/nobody")).status_code == 404
    assert (await client.get(f"{PEOPLE}/s-1")).status_code == 404
    assert (await client.get(f"{PEOPLE}/s-1?service=shop")).status_code == 403
    reader = await signed_in(api, "read")
    assert (await reader.get(ADA)).status_code == 403


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"typed": ""}, "typed"),
        ({"typed": "U-7"}, "typed"),
        ({"reason": ""}, "reason"),
        ({"reason": "asked by <ada>"}, "reason"),
        ({"reason": "for u-7"}, "reason"),
    ],
)
async def test_nobody_is_erased_unless_it_is_meant(
    api: Api, client: httpx2.AsyncClient, changes: dict[str, str], field: str
) -> None:
    answer = await post(client, ERASE, {**MEANT, **changes})

    assert answer.status_code == 422
    assert flaws_in(answer).keys() == {field}
    assert (await api.services.keeping.erasures.under_way()).count == 0


async def test_erasing_begins_with_a_typed_confirmation_and_shows_how_far_it_is(
    api: Api, client: httpx2.AsyncClient
) -> None:
    asked = text_of(await client.get(ERASE))
    assert "This cannot be undone" in asked

    begun = await post(client, ERASE, {**MEANT, "forget_suppression": "yes"})

    path = begun.headers["location"]
    page = text_of(await client.get(path))
    assert "under way" in page
    assert "user_request" in page
    erasure = await api.services.keeping.erasures.find(
        UUID(path.rpartition("/")[2]), service="orders"
    )
    assert isinstance(erasure, Erasure)
    assert erasure.forget_suppression
    noted = await api.services.keeping.audit.list(AuditFilter(), limit=1, after=None)
    assert noted[0].act.action.startswith("POST /console/people/")
    assert "u-7" not in noted[0].act.target
    other = await signed_in(api, "recipients", service="shop")
    assert (await other.get(path)).status_code == 404
