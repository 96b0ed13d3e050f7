"""Topics in the console: which there are, and who is told."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import pytest

from notifier.audience.topic import Member
from tests.api import Api, serving
from tests.console import signed_in, text_of

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
