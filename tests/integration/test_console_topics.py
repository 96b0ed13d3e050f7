"""Topics in the console: which there are, and who is told."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest

from notifier.audience.topic import Member, Topic
from notifier.idempotency import NotFound
from tests.api import Api, serving
from tests.console import flaws_in, post, signed_in, text_of

TOPICS = "/console/topics"
MEMBERS = f"{TOPICS}/members"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        for service in ("orders", "shop"):
            await it.services.topics.set(service=service, key=f"{service}.news", title="News")
        members = [Member(f"u-{number:02}", {"seat": number}) for number in range(51)]
        await it.services.topics.add("orders", "orders.news", members)
        yield it


async def test_topics_lead_to_their_members_and_those_to_people(api: Api) -> None:
    client = await signed_in(api, "recipients")

    page = await client.get(TOPICS)
    assert ("orders.news" in page.text, "shop.news" in page.text) == (True, False)
    [path] = re.findall(r'class="name" href="([^"]+)"', page.text)
    first = await client.get(unescape(path))
    assert "News: 51 members" in text_of(first)
    assert "/console/people/u-00?service=orders" in unescape(first.text)
    assert "seat" in text_of(first)
    [after] = re.findall(r'<a href="([^"]+)" rel="next">', first.text)
    second = text_of(await client.get(f"{MEMBERS}{unescape(after)}"))
    assert ("u-50" in second, "u-49" in second) == (True, False)


async def test_topics_of_others_are_not_there(api: Api) -> None:
    client = await signed_in(api, "recipients")

    other = {"topic": "shop.news", "service": "shop"}
    assert (await client.get(MEMBERS, params=other)).status_code == 403
    assert (await client.get(MEMBERS, params={"topic": "nothing"})).status_code == 404
    operator = await signed_in(api, "admin")
    assert "Nobody is told about it" in (await operator.get(MEMBERS, params=other)).text
    assert (await (await signed_in(api, "read")).get(TOPICS)).status_code == 403


async def test_a_topic_is_added_gets_another_title_and_is_removed(api: Api) -> None:
    client = await signed_in(api, "recipients")
    which = {"topic": "orders.late", "service": "orders"}

    first = await post(client, f"{TOPICS}/set", {"key": "orders.late", "title": "Late orders"})
    assert "done=set" in first.headers["location"]
    assert "Late orders" in text_of(await client.get(TOPICS))
    assert 'value="Late orders"' in (await client.get(f"{TOPICS}/set", params=which)).text
    await post(client, f"{TOPICS}/set", {"key": "orders.late", "title": "Delays"})
    found = await api.services.topics.get("orders", "orders.late")
    assert isinstance(found, Topic)
    assert found.title == "Delays"

    asked = text_of(await client.get(f"{TOPICS}/remove", params=which))
    assert "0 members" in asked
    removed = await post(client, f"{TOPICS}/remove", which)
    assert "done=removed" in removed.headers["location"]
    assert isinstance(await api.services.topics.get("orders", "orders.late"), NotFound)


async def test_members_are_added_and_dropped(api: Api) -> None:
    client = await signed_in(api, "recipients")
    which = {"topic": "orders.news", "service": "orders"}

    added = await post(client, f"{MEMBERS}/add", {**which, "user_ids": "ada\n\n bob \nada"})
    shown = text_of(await client.get(added.headers["location"]))
    assert "News: 53 members" in shown
    assert "They are told about it from now on." in shown
    asked = text_of(await client.get(f"{MEMBERS}/drop", params={**which, "user_id": "ada"}))
    assert "Tell them no more?" in asked
    await post(client, f"{MEMBERS}/drop", {**which, "user_id": "ada"})
    assert await api.services.topics.count("orders", "orders.news") == 52


async def test_what_is_wrong_with_a_topic_or_its_members_is_said_by_field(api: Api) -> None:
    client = await signed_in(api, "recipients")
    which = {"topic": "orders.news", "service": "orders"}

    answer = await post(client, f"{TOPICS}/set", {"key": "No key", "title": ""})
    assert answer.status_code == 422
    assert set(flaws_in(answer)) == {"key", "title"}
    nobody = await post(client, f"{MEMBERS}/add", {**which, "user_ids": " "})
    assert "1 to 1,000" in flaws_in(nobody)["user_ids"]
    too_long = await post(client, f"{MEMBERS}/add", {**which, "user_ids": f"ada\n{'x' * 201}"})
    assert "201 characters" in flaws_in(too_long)["user_ids"]
    assert await api.services.topics.count("orders", "orders.news") == 51


async def test_topics_of_others_are_changed_by_operators_alone(api: Api) -> None:
    client, operator = await signed_in(api, "recipients"), await signed_in(api, "admin")
    other = {"topic": "shop.news", "service": "shop"}
    wish = {"service": "shop", "key": "shop.late", "title": "Late"}

    assert (await post(client, f"{MEMBERS}/add", {**other, "user_ids": "ada"})).status_code == 403
    assert (await post(client, f"{TOPICS}/set", wish)).status_code == 403
    assert (await post(operator, f"{TOPICS}/set", wish)).status_code == 303
    assert isinstance(await api.services.topics.get("shop", "shop.late"), Topic)
