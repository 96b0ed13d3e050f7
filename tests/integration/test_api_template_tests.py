"""Tests of templates: sent for real, marked, and to nobody but whom the operator allows."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from notifier.audience.allowed import AllowedRecipients
from notifier.delivery.ports import Claimed
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane, Message
from tests.api import PREFIX, Api, serving
from tests.clock import SystemClock

BOOKED = "/api/v1/templates/booking.confirmed"
CONTENT: Mapping[str, Any] = {
    "schema": {"properties": {"name": {"type": "string"}}, "required": ["name"]},
    "examples": [{"name": "Ada"}, {"name": "Bo {{ braces }}"}],
    "parts": {
        "en": {
            "email": {
                "subject": "For {{ name }}",
                "preheader": "In short",
                "text": "Hello {{ name }}: {{ '{{ {% {#' }} and {{ notification.id }}",
                "html": "<p>Hello {{ name }} {{ '{{{' }}</p>",
            },
            "sms": {"text": "Hello {{ name }}"},
        },
        "de": {
            "email": {"subject": "Für {{ name }}", "text": "Hallo {{ name }}"},
        },
    },
}
MAIL: Mapping[str, Any] = {"type": "email", "to": "ada@example.com"}


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    allowed = AllowedRecipients.read(["ada@example.com", "@evently.example"])
    async with serving(tmp_path, test_recipients=allowed) as it:
        it.client.headers.update(await it.headers("orders", "read", "templates"))
        await write(it)
        yield it


async def write(api: Api, **changes: object) -> None:
    answer = await api.client.put(f"{BOOKED}/draft", json={**CONTENT, **changes})
    assert answer.status_code == 200, answer.text


async def try_out(api: Api, key: str | None = None, **changes: object) -> httpx2.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await api.client.post(f"{BOOKED}/test", json={**MAIL, **changes}, headers=headers)


async def message_of(api: Api, answer: httpx2.Response) -> Message:
    """Claim it as a worker does, and fill it."""
    assert answer.status_code == 202, answer.text
    id, channel = UUID(answer.json()["id"]), Channel(answer.json()["type"])
    claimed = await api.stores.leases.claim(
        Envelope(id=id, channel=channel, lane=Lane.NORMAL, attempt=0),
        lease_token=uuid4(),
        lease_s=60,
        leased_by="test",
    )
    assert isinstance(claimed, Claimed)
    return await api.stores.composer(SystemClock()).message(claimed)


def faults(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {each["pointer"]: each["detail"] for each in answer.json()["errors"]}


async def test_a_draft_is_sent_as_it_would_be_and_is_marked(api: Api) -> None:
    answer = await try_out(api, draft=True)
    message = await message_of(api, answer)

    id = answer.json()["id"]
    assert message.subject == "[Test] For Ada"
    assert message.text == f"Hello Ada: {{{{ {{% {{# and {id}"
    assert "<p>Hello Ada {{{</p>" in (message.html or "")
    assert message.recipient == "ada@example.com"
    shown = (await api.client.get(answer.headers["location"])).json()
    assert shown["id"] == id
    assert shown["metadata"] == {"test_of": "booking.confirmed", "test_version": "draft"}
    assert shown["priority"] == "normal"


async def test_what_was_filled_is_not_filled_again(api: Api) -> None:
    message = await message_of(api, await try_out(api, example=1))

    assert message.subject == "[Test] For Bo {{ braces }}"


async def test_braces_of_any_kind_are_sent_as_they_are(api: Api) -> None:
    name = "{# no comment #} {% no tag %} {{ no variable }}"

    message = await message_of(api, await try_out(api, variables={"name": name}))

    assert message.subject == f"[Test] For {name}"
    assert name in message.text


async def test_what_is_kept_of_a_test_is_what_is_sent(api: Api) -> None:
    answer = await try_out(api, example=1)
    message = await message_of(api, answer)

    shown = (await api.client.get(answer.headers["location"])).json()

    assert (shown["content"], shown["subject"]) == (message.text, message.subject)
    assert (shown["literal"], shown["variables"]) == (True, None)


async def test_a_partial_is_not_sent_as_a_test(api: Api) -> None:
    text = {"en": {"email": {"text": "Yours"}}}
    await write(api, partial=True, parts=text, schema={}, examples=[])
    await api.client.post(f"{BOOKED}/publish")

    for answer in (await try_out(api), await try_out(api, version=1)):
        assert faults(answer) == {"": "it is a partial: others take it in, and it is not sent"}


async def test_a_version_is_sent_whatever_the_draft_says(api: Api) -> None:
    await api.client.post(f"{BOOKED}/publish")
    await write(api, parts={"en": {"sms": {"text": "Other"}}})

    answer = await try_out(api, version=1, locale="de-AT", variables={"name": "Eva"})

    assert (await message_of(api, answer)).text == "Hallo Eva"
    found = await api.client.get(f"{PREFIX}?metadata.test_of=booking.confirmed")
    (item,) = found.json()["items"]
    assert item["metadata"] == {"test_of": "booking.confirmed", "test_version": "1"}


async def test_a_test_is_queued_and_counted_as_any_other(api: Api) -> None:
    await try_out(api)

    status = await api.client.get(PREFIX)
    depth = await api.queue.depth(Channel.EMAIL, Lane.NORMAL)

    assert [each["status"] for each in status.json()["items"]] == ["pending"]
    assert depth is not None
    assert depth.ready == 1


async def test_a_test_goes_to_nobody_but_whom_the_operator_allows(api: Api) -> None:
    refused = await try_out(api, to="bo@example.com")
    number = await try_out(api, type="sms", to="+491701234567")
    domain = await try_out(api, to="Anyone@EVENTLY.example")

    words = faults(refused)["/to"]
    assert "NOTIFIER_API__TEST_RECIPIENTS" in words
    assert "bo@" not in refused.text
    assert set(faults(number)) == {"/to"}
    assert domain.status_code == 202


async def test_without_a_list_the_refusal_says_who_is_to_make_one(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.client.headers.update(await api.headers("orders", "templates"))
        await write(api)
        answer = await try_out(api)

    assert "an operator names addresses and domains" in faults(answer)["/to"]


async def test_where_nothing_leaves_a_test_goes_to_anybody(tmp_path: Path) -> None:
    async with serving(tmp_path, captured=frozenset([Channel.SMS])) as api:
        api.client.headers.update(await api.headers("orders", "templates"))
        await write(api)
        sms = await try_out(api, type="sms", to="+491701234567")
        mail = await try_out(api)

    assert sms.status_code == 202
    assert mail.status_code == 422


async def test_a_draft_with_errors_is_not_sent(api: Api) -> None:
    parts = {"en": {"email": {"subject": "Hi", "text": "Hi", "html": "<a href='http://x'>x</a>"}}}
    await write(api, parts=parts)

    answer = await try_out(api)

    assert answer.status_code == 422
    assert "link" in {each["code"] for each in answer.json()["findings"]}
    assert (await api.client.get(PREFIX)).json()["items"] == []


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"variables": {"nme": "Ada"}}, "/variables/name"),
        ({"example": 7}, "/example"),
        ({"draft": True, "version": 1}, "/draft"),
        ({"to": "nobody"}, "/to"),
        ({"to": None}, "/to"),
        ({"type": "fax"}, "/type"),
        ({"subject": "Mine"}, "/subject"),
    ],
)
async def test_what_is_wrong_with_a_test_is_named(
    api: Api, changes: dict[str, Any], pointer: str
) -> None:
    assert pointer in faults(await try_out(api, **changes))


async def test_a_test_of_what_there_is_not_is_refused(api: Api) -> None:
    no_version = await try_out(api, version=9)
    no_part = await try_out(api, type="in_app", to="ada@example.com")
    no_template = await api.client.post("/api/v1/templates/none/test", json=MAIL)

    assert no_version.status_code == no_template.status_code == 404
    assert (no_part.status_code, no_part.json()["findings"][0]["code"]) == (422, "part-missing")


async def test_an_order_to_send_a_test_is_carried_out_once(api: Api) -> None:
    answers = [await try_out(api, key="once") for _ in range(2)]
    await write(api, parts={"en": {"email": {"subject": "Hi", "text": "{{ nobody }}"}}})
    answers.append(await try_out(api, key="once"))

    assert [each.status_code for each in answers] == [202] * 3
    assert len({each.json()["id"] for each in answers}) == 1
    assert len((await api.client.get(PREFIX)).json()["items"]) == 1


async def test_who_may_only_send_sends_no_test(api: Api) -> None:
    headers = await api.headers("orders", "send", "read")

    answer = await api.client.post(f"{BOOKED}/test", json=MAIL, headers=headers)

    assert answer.status_code == 403
