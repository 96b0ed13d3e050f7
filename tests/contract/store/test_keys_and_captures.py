from dataclasses import replace
from datetime import timedelta

import pytest

from notifier.errors import StoreRefusedError
from notifier.notification.mail import Attached
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


async def test_the_mail_that_a_server_would_get_is_kept_with_a_capture(stores: Stores) -> None:
    message = a_message(a_submission())
    file = Attached(
        name="a.pdf", type="application/pdf", size=3, content_id=None, lines=b"YWJj\r\n"
    )
    source = "Subject: \u00e4\r\n\r\n".encode() + b"x" * 300_000

    await stores.captures.add(replace(message, attached=(file,)), source)

    (listed,) = await stores.captures.page(limit=9, before=None, channel=None)
    found = await stores.captures.find(listed.seq)
    assert (listed.size, listed.source) == (len(source), None)
    assert found is not None
    assert found.source is not None
    assert found.source.startswith("Subject: \u00e4\r\n\r\nxxx")
    assert len(found.source.encode()) == 262_144
    assert [(each.name, each.type, each.size) for each in found.files] == [
        ("a.pdf", "application/pdf", 3)
    ]
    assert await stores.captures.find(listed.seq + 1) is None


async def test_of_a_sensitive_mail_no_source_is_kept(stores: Stores) -> None:
    file = Attached(name="secret.pdf", type="application/pdf", size=3, content_id=None, lines=b"")
    message = replace(a_message(a_submission(sensitive=True)), attached=(file,))

    await stores.captures.add(message, b"Subject: secret\r\n\r\n")

    (listed,) = await stores.captures.page(limit=9, before=None, channel=None)
    found = await stores.captures.find(listed.seq)
    assert found is not None
    assert (found.source, found.files) == (None, [])


@pytest.mark.parametrize(
    ("words", "count"), [("ADA@", 2), ("50%", 1), ("\u00dc", 1), ("order", 2), ("5_", 0), ("zz", 0)]
)
async def test_captures_are_found_by_their_words(stores: Stores, words: str, count: int) -> None:
    message = a_message(a_submission())
    await stores.captures.add(replace(message, text="50% off"))
    await stores.captures.add(replace(message, text="\u00dcber 5 euros"))

    found = await stores.captures.page(limit=9, before=None, channel=None, words=words)

    assert len(found) == count
