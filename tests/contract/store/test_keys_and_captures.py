from dataclasses import replace
from datetime import timedelta

import pytest

from notifier.errors import StoreRefusedError
from notifier.notification.model import Channel
from tests.contract.store.stores import Stores, a_message, a_submission, utc


async def add(stores: Stores, id: str, **changes: object) -> None:
    values: dict[str, object] = {"service": "orders", "scopes": ["send", "read"], "digest": "d"}
    await stores.keys.add(id=id, **{"expires_at": None, **values, **changes})  # type: ignore[arg-type]


async def test_a_key_is_found_as_it_was_added(stores: Stores) -> None:
    expires_at = utc("2999-01-01T00:00:00Z")
    await add(stores, "k1", expires_at=expires_at)

    key = await stores.keys.find("k1")

    assert key is not None
    assert (key.service, key.scopes, key.digest) == (
        "orders",
        frozenset({"send", "read"}),
        "d",
    )
    assert (key.expires_at, key.revoked_at, key.is_usable) == (expires_at, None, True)
    assert await stores.keys.find("k2") is None


async def test_an_expired_key_is_not_usable(stores: Stores) -> None:
    await add(stores, "first")
    key = await stores.keys.find("first")
    assert key is not None
    await add(stores, "k", expires_at=key.created_at + timedelta(seconds=60))

    usable = []
    for _ in range(2):
        found = await stores.keys.find("k")
        assert found is not None
        usable.append(found.is_usable)
        await stores.pass_time(61)

    assert usable == [True, False]


async def test_a_revoked_key_stays_revoked_since_the_first_time(stores: Stores) -> None:
    await add(stores, "k")

    assert await stores.keys.revoke("k")
    revoked = await stores.keys.find("k")
    assert await stores.keys.revoke("k")

    assert revoked is not None
    assert not revoked.is_usable
    assert await stores.keys.find("k") == revoked
    assert not await stores.keys.revoke("unknown")


async def test_keys_are_listed_oldest_first(stores: Stores) -> None:
    for key_id in ("b", "c", "a"):
        await add(stores, key_id)
        await stores.pass_time(1)

    assert [key.id for key in await stores.keys.list()] == ["b", "c", "a"]


async def test_a_key_id_is_used_once(stores: Stores) -> None:
    await add(stores, "k")

    with pytest.raises(StoreRefusedError):
        await add(stores, "k")


async def test_captures_are_shown_newest_first(stores: Stores) -> None:
    messages = [
        a_message(a_submission(channel=channel))
        for channel in (Channel.EMAIL, Channel.SMS, Channel.EMAIL)
    ]
    for message in messages:
        await stores.captures.add(message)

    captured = await stores.captures.page(limit=9, before=None, channel=None)

    assert [each.notification_id for each in captured] == [each.id for each in messages[::-1]]
    assert (captured[0].subject, captured[0].text) == (messages[0].subject, messages[0].text)
    assert {each.action_url for each in captured} == {"/orders/42"}
    emails = await stores.captures.page(limit=1, before=captured[0].seq, channel=Channel.EMAIL)
    assert [each.notification_id for each in emails] == [messages[0].id]


async def test_of_a_sensitive_message_the_content_is_not_captured(stores: Stores) -> None:
    message = replace(a_message(a_submission(sensitive=True)), html="<b>secret</b>")

    await stores.captures.add(message)

    (capture,) = await stores.captures.page(limit=9, before=None, channel=None)
    assert (capture.subject, capture.text, capture.html) == (None, None, None)
    assert capture.action_url is None
    assert capture.sensitive
    assert capture.recipient == message.recipient
