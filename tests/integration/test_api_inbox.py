"""Inboxes over HTTP: reading and marking as read."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.api import Api, serving

INBOX = "/api/v1/inbox"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


async def texts(api: Api, recipient: str, query: str = "") -> list[str]:
    answer = await api.client.get(f"{INBOX}/{recipient}?{query}")
    assert answer.status_code == 200, answer.text
    return [each["text"] for each in answer.json()["items"]]


async def unread(api: Api, recipient: str) -> int:
    count: int = (await api.client.get(f"{INBOX}/{recipient}")).json()["unread_count"]
    return count


async def test_an_inbox_shows_its_items_newest_first_and_page_by_page(api: Api) -> None:
    for number in range(5):
        await api.deliver_in_app("bob", str(number))
    await api.deliver_in_app("alice", "hers")
    await api.deliver_in_app("bob", "of another service", service="payments")

    assert await texts(api, "bob") == ["4", "3", "2", "1", "0"]
    (item,) = (await api.client.get(f"{INBOX}/alice")).json()["items"]
    assert item["action_url"] == "/messages/1"
    seen: list[str] = []
    path: str | None = f"{INBOX}/bob?limit=2"
    while path:
        page = (await api.client.get(path)).json()
        seen += [each["text"] for each in page["items"]]
        path = page["next"]
    assert seen == ["4", "3", "2", "1", "0"]


async def test_one_or_all_items_are_marked_as_read(api: Api) -> None:
    ids = [await api.deliver_in_app("bob", str(number)) for number in range(3)]

    answer = await api.client.post(f"{INBOX}/bob/{ids[0]}/read")
    assert answer.status_code == 204
    assert await unread(api, "bob") == 2
    assert await texts(api, "bob", "unread=true") == ["2", "1"]

    assert (await api.client.post(f"{INBOX}/bob/read")).status_code == 204
    assert await unread(api, "bob") == 0


async def test_marking_again_with_the_same_key_is_answered_again(api: Api) -> None:
    id = await api.deliver_in_app("bob", "hi")
    headers = {"Idempotency-Key": "k"}

    answers = [await api.client.post(f"{INBOX}/bob/{id}/read", headers=headers) for _ in range(2)]
    other = await api.client.post(f"{INBOX}/bob/read", headers=headers)

    assert [each.status_code for each in answers] == [204, 204]
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert other.json()["code"] == "idempotency-key-reused"


async def test_what_is_not_in_the_inbox_is_not_found(api: Api) -> None:
    id = await api.deliver_in_app("bob", "hi")

    for path in (f"{INBOX}/bob/{uuid4()}/read", f"{INBOX}/alice/{id}/read"):
        assert (await api.client.post(path)).status_code == 404


@pytest.mark.parametrize("recipient", ["tenant/42", "a b", "%2F", "stra\xdfe", "a?b", "read"])
async def test_a_recipient_may_hold_whatever_is_printable(api: Api, recipient: str) -> None:
    await api.deliver_in_app(recipient, "hi")

    assert await texts(api, quote(recipient, safe="")) == ["hi"]


async def counts(api: Api, recipient: str = "bob") -> tuple[int, int, int]:
    page = (await api.client.get(f"{INBOX}/{recipient}")).json()
    return page["unread_count"], page["unseen_count"], page["version"]


async def put(api: Api, path: str, body: Mapping[str, str] | None = None) -> int:
    return (await api.client.post(f"{INBOX}/bob{path}", json=body)).status_code


def in_(seconds: float) -> dict[str, str]:
    return {"until": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()}


async def test_what_is_marked_is_counted_and_found_where_it_is(api: Api) -> None:
    ids = [await api.deliver_in_app("bob", str(number)) for number in range(4)]
    assert await counts(api) == (4, 4, 0)

    assert await put(api, "/seen") == 204
    assert await put(api, f"/{ids[0]}/archive") == 204
    assert await put(api, f"/{ids[1]}/snooze", in_(60)) == 204
    assert await put(api, f"/{ids[2]}/read") == 204

    assert await counts(api) == (1, 0, 4)
    assert await texts(api, "bob") == ["3", "2"]
    assert await texts(api, "bob", "unread=true") == ["3"]
    assert await texts(api, "bob", "archived=true") == ["0"]
    assert await texts(api, "bob", "snoozed=true") == ["1"]
    for path in (f"/{ids[0]}/unarchive", f"/{ids[1]}/unsnooze", f"/{ids[2]}/unread"):
        assert await put(api, path) == 204
    assert await texts(api, "bob") == ["3", "2", "1", "0"]
    assert await counts(api) == (3, 0, 7)


async def test_an_item_says_what_was_done_to_it(api: Api) -> None:
    id = await api.deliver_in_app("bob", "hi")
    states = ("read_at", "seen_at", "archived_at", "snoozed_until")

    await put(api, f"/{id}/archive")

    (item,) = (await api.client.get(f"{INBOX}/bob?archived=true")).json()["items"]
    assert [item[each] is not None for each in states] == [True, True, True, False]


async def test_all_is_archived_or_put_away_and_brought_back(api: Api) -> None:
    for number in range(3):
        await api.deliver_in_app("bob", str(number))

    for path, body, shown in (
        ("/archive", None, 0),
        ("/unarchive", None, 3),
        ("/snooze", in_(60), 0),
        ("/unsnooze", None, 3),
    ):
        assert await put(api, path, body) == 204
        assert len(await texts(api, "bob")) == shown


@pytest.mark.parametrize("seconds", [-1, 400 * 86_400])
async def test_nothing_is_snoozed_until_a_time_that_passed_or_for_years(
    api: Api, seconds: float
) -> None:
    await api.deliver_in_app("bob", "hi")

    answer = await api.client.post(f"{INBOX}/bob/snooze", json=in_(seconds))

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/until"
    assert await texts(api, "bob") == ["hi"]


async def test_nothing_is_archived_and_snoozed(api: Api) -> None:
    answer = await api.client.get(f"{INBOX}/bob?archived=true&snoozed=true")

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "snoozed"
