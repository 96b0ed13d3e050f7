"""Suppressions in the console: looked up, added, and lifted by those who may."""

import re
from collections.abc import AsyncIterator, Sequence
from html import unescape
from pathlib import Path

import httpx2
import pytest
from structlog.testing import capture_logs

from notifier.audience.suppression import Suppression
from notifier.notification.model import Channel
from notifier.notification.outcomes import SuppressionReason
from tests.api import Api, serving
from tests.console import flaws_in, post, signed_in, text_of

LIST = "/console/suppressions"
NEW = f"{LIST}/new"
LIFT = f"{LIST}/lift"
ADA = {"type": "email", "recipient": "ada@example.org", "service": "orders"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


@pytest.fixture
async def operator(api: Api) -> httpx2.AsyncClient:
    return await signed_in(api, "admin")


async def suppress(
    api: Api,
    recipient: str = "ada@example.org",
    *,
    reason: str = "manual",
    service: str = "orders",
    channel: Channel = Channel.EMAIL,
    category: str | None = None,
) -> None:
    await api.services.suppressions.add(
        service=service,
        channel=channel,
        recipient=recipient,
        reason=SuppressionReason(reason),
        category=category,
    )


async def listed(api: Api) -> Sequence[Suppression]:
    return await api.services.suppressions.list(service=None, channel=None, limit=99, after=None)


async def test_an_address_is_found_in_any_writing_with_why_it_is_not_sent_to(
    api: Api, operator: httpx2.AsyncClient
) -> None:
    await suppress(api, reason="hard_bounce")
    await suppress(api, "+436601234567", channel=Channel.SMS)
    await suppress(api, "ben@example.org", category="news", service="shop")

    page = text_of(await operator.get(LIST, params={"recipient": " Ada@Example.org "}))
    assert "ada@example.org" in page
    assert "Hard bounce" in page
    assert "ben@example.org" not in page
    number = await operator.get(LIST, params={"recipient": "+43 660 1234567"})
    assert "+436601234567" in text_of(number)
    other = await operator.get(LIST, params={"service": "shop", "type": "email"})
    assert "shop · category news" in text_of(other)
    assert "ada@" not in other.text
    why = text_of(await operator.get(LIST, params={"reason": "hard_bounce"}))
    assert ("ada@example.org" in why, "ben@" in why) == (True, False)
    assert "Nobody on the list matches" in (await operator.get(f"{LIST}?recipient=eve")).text


async def test_a_list_goes_on_where_its_page_ended(api: Api, operator: httpx2.AsyncClient) -> None:
    for number in range(51):
        await suppress(api, f"{number:02}@example.org")

    first = await operator.get(LIST, params={"type": "email"})
    [after] = re.findall(r'<a href="([^"]+)" rel="next">', first.text)
    second = await operator.get(f"{LIST}{unescape(after)}")

    assert ("49@example.org" in first.text, "50@example.org" in first.text) == (True, False)
    assert ("49@example.org" in second.text, "50@example.org" in second.text) == (False, True)


async def test_what_is_wrong_with_a_search_is_said_at_its_field(
    operator: httpx2.AsyncClient,
) -> None:
    page = await operator.get(LIST, params={"type": "fax", "recipient": "ada"})

    assert page.status_code == 422
    assert "expected one of" in flaws_in(page)["type"]
    assert 'value="ada"' in page.text


async def test_a_service_sees_its_own_list_alone(api: Api) -> None:
    await suppress(api)
    await suppress(api, "ben@example.org", service="shop")
    client = await signed_in(api, "read")

    page = await client.get(LIST)

    assert ("ada@" in page.text, "ben@" in page.text) == (True, False)
    assert "ben@" not in (await client.get(LIST, params={"service": "shop"})).text
    assert "Lift" not in page.text
    assert NEW not in page.text
    assert (await client.get(NEW)).status_code == 403
    assert (await post(client, LIFT, ADA)).status_code == 403
    assert len(await listed(api)) == 2


async def test_an_address_is_added_as_the_api_would(api: Api, operator: httpx2.AsyncClient) -> None:
    filled = {**ADA, "recipient": "ada@EXAMPLE.org", "reason": "hard_bounce", "category": "news"}
    answer = await post(operator, NEW, {**filled, "service": "shop"})

    assert answer.status_code == 303
    assert "nothing is sent there any more" in (await operator.get(answer.headers["location"])).text
    [entry] = await listed(api)
    assert (entry.service, entry.recipient, entry.category, entry.reason) == (
        "shop", "ada@example.org", "news", "hard_bounce",
    )  # fmt: skip


async def test_a_form_keeps_what_was_typed_and_says_what_is_wrong_by_field(
    api: Api, operator: httpx2.AsyncClient
) -> None:
    filled = {"type": "email", "recipient": "<ada", "reason": "manual", "category": "A b"}
    answer = await post(operator, NEW, filled)

    assert answer.status_code == 422
    flaws = flaws_in(answer)
    assert flaws.keys() == {"recipient", "category"}
    assert 'value="&lt;ada"' in answer.text
    assert 'value="A b"' in answer.text
    assert await listed(api) == []


async def test_lifting_is_asked_for_with_what_it_means_and_logged_without_the_address(
    api: Api, operator: httpx2.AsyncClient
) -> None:
    await suppress(api, reason="hard_bounce")
    await suppress(api, category="news", reason="hard_bounce")

    asked = text_of(await operator.get(LIFT, params=ADA))
    assert "there was no such mailbox" in asked
    assert "What was suppressed meanwhile stays unsent" in asked
    assert len(await listed(api)) == 2
    with capture_logs() as logs:
        answer = await post(operator, LIFT, {**ADA, "reason": "the mailbox is back"})

    assert "done=lifted" in answer.headers["location"]
    assert [each.category for each in await listed(api)] == ["news"]
    [told] = [each for each in logs if each["event"] == "suppression.removed"]
    assert told["why"] == "the mailbox is back"
    assert "ada@" not in repr(logs)
    assert (await post(operator, LIFT, ADA)).status_code == 404


async def test_what_a_recipient_asked_for_is_lifted_by_an_operator_who_says_why(
    api: Api, operator: httpx2.AsyncClient
) -> None:
    await suppress(api, reason="unsubscribed")
    service = await signed_in(api, "send", "read")

    assert (await post(service, LIFT, {**ADA, "reason": "they asked"})).status_code == 403
    silent = await post(operator, LIFT, ADA)
    assert silent.status_code == 422
    assert "say why" in flaws_in(silent)["reason"]
    telling = await post(operator, LIFT, {**ADA, "reason": "ada@example.org asked"})
    assert "without an address" in flaws_in(telling)["reason"]
    assert 'value="ada@example.org asked"' in telling.text
    assert len(await listed(api)) == 1

    assert (await post(operator, LIFT, {**ADA, "reason": "by phone"})).status_code == 303
    assert await listed(api) == []
