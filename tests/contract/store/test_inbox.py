import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered, Unfinished
from notifier.notification.model import Message
from notifier.store.inbox import inbox_items, inboxes
from notifier.store.kit.database import Work
from tests.contract.store.stores import Stores, a_message, a_submission, open_stores
from tests.patience import AT_ALL_S

ADA = ("orders", "ada")


def to(recipient: str = "ada", **changes: object) -> Message:
    message = a_message(a_submission(recipient=recipient))
    return replace(message, **changes)  # type: ignore[arg-type]  # various fields


async def test_an_item_is_shown_as_it_was_delivered(stores: Stores) -> None:
    message = to(html="<b>hello</b>", action_url="/orders/42")

    await stores.inbox.deliver(message)

    (item,) = await stores.inbox.page(*ADA, limit=9, before=None, unread_only=False)
    assert (item.seq, item.notification_id, item.read_at) == (1, message.id, None)
    assert (item.subject, item.text, item.html) == (message.subject, message.text, message.html)
    assert (item.action_url, item.metadata) == ("/orders/42", message.metadata)


async def test_a_message_delivered_again_and_at_once_is_one_item(stores: Stores) -> None:
    message, other = to(), to()

    async with open_stores(stores.url) as process:
        await asyncio.gather(
            *(
                each.inbox.deliver(item)
                for each in (stores, process)
                for item in (message, message, other)
            )
        )
    await stores.inbox.deliver(message)

    items = await stores.inbox.since(*ADA, 0, limit=99)
    assert [item.seq for item in items] == [1, 2]
    assert {item.notification_id for item in items} == {message.id, other.id}
    assert await stores.inbox.unread_count(*ADA) == 2


async def test_an_inbox_that_somebody_changes_keeps_nobody_else_waiting(
    postgres_store_url: str,
) -> None:
    async with open_stores(postgres_store_url) as stores, asyncio.timeout(AT_ALL_S):
        await stores.inbox.deliver(to())
        async with stores.database._writer.begin() as connection:  # noqa: SLF001
            await connection.execute(select(inboxes).with_for_update())
            waiting = [asyncio.create_task(stores.inbox.deliver(to())) for _ in range(3)]
            together = [stores.inbox.deliver(to("bob")) for _ in range(3)]
            await asyncio.gather(*together)
            await stores.inbox.deliver(replace(to("bob"), service="payments"))
            assert not any(task.done() for task in waiting)

        await asyncio.gather(*waiting)
        assert await stores.inbox.unread_count(*ADA) == 4


async def test_numbers_count_up_by_one_in_each_inbox(stores: Stores) -> None:
    async with open_stores(stores.url) as process:
        await asyncio.gather(
            *(
                each.inbox.deliver(to(recipient))
                for each in (stores, process)
                for recipient in ("ada", "bob", "eve") * 10
            )
        )

    for recipient in ("ada", "bob", "eve"):
        items = await stores.inbox.since("orders", recipient, 0, limit=99)
        assert [item.seq for item in items] == list(range(1, 21))
    assert await stores.inbox.heads([ADA, ("orders", "bob"), ("orders", "nobody")]) == {
        ADA: 20,
        ("orders", "bob"): 20,
    }


async def test_a_stream_that_resumes_misses_nothing(stores: Stores) -> None:
    seen: list[int] = []

    async def follow() -> None:
        while len(seen) < 60:
            items = await stores.inbox.since(*ADA, seen[-1] if seen else 0, limit=7)
            seen.extend(item.seq for item in items)

    async with open_stores(stores.url) as process, asyncio.timeout(AT_ALL_S):
        await asyncio.gather(
            follow(),
            *(each.inbox.deliver(to()) for each in (stores, process) for _ in range(30)),
        )

    assert seen == list(range(1, 61))


async def test_pages_go_backwards(stores: Stores) -> None:
    for _ in range(5):
        await stores.inbox.deliver(to())

    newest = await stores.inbox.page(*ADA, limit=2, before=None, unread_only=False)
    older = await stores.inbox.page(*ADA, limit=9, before=newest[-1].seq, unread_only=False)

    assert [item.seq for item in newest] == [5, 4]
    assert [item.seq for item in older] == [3, 2, 1]


async def test_reading_one_item_counts_it_once(stores: Stores) -> None:
    first, second = to(), to()
    await stores.inbox.deliver(first)
    await stores.inbox.deliver(second)

    for _ in range(2):
        assert await stores.inbox.mark_read(*ADA, first.id) == Applied()

    assert await stores.inbox.unread_count(*ADA) == 1
    (unread,) = await stores.inbox.page(*ADA, limit=9, before=None, unread_only=True)
    assert unread.notification_id == second.id
    read = (await stores.inbox.since(*ADA, 0, limit=1))[0]
    assert read.read_at is not None


async def test_reading_all_items_leaves_none(stores: Stores) -> None:
    for _ in range(3):
        await stores.inbox.deliver(to())
    await stores.inbox.deliver(to("bob"))

    assert await stores.inbox.mark_read(*ADA, None) == Applied()

    assert await stores.inbox.unread_count(*ADA) == 0
    assert await stores.inbox.unread_count("orders", "bob") == 1
    assert await stores.inbox.mark_read("orders", "nobody", None) == Applied()
    assert await stores.inbox.unread_count("orders", "nobody") == 0


async def test_another_ones_item_is_not_found_and_keeps_no_key(stores: Stores) -> None:
    message = to()
    await stores.inbox.deliver(message)
    key = Idempotency(service="orders", key="k", fingerprint="f", answer="a")
    other = Idempotency(service="orders", key="k", fingerprint="g", answer="a")
    read = stores.inbox.mark_read

    assert await read("orders", "bob", message.id, key) == NotFound()
    assert await read("payments", "ada", message.id) == NotFound()
    assert await read(*ADA, uuid4()) == NotFound()
    assert await read(*ADA, message.id, key) == Applied()
    assert await read(*ADA, message.id, key) == Remembered("a")
    assert await read(*ADA, None, other) == KeyReused()


async def test_reading_very_many_goes_on_step_by_step(stores: Stores) -> None:
    count = 2_200
    await stores.inbox.deliver(to())
    await _fill(stores, count)
    key = Idempotency(service="orders", key="k", fingerprint="f", answer="a")

    assert await stores.inbox.mark_read(*ADA, None, key) == Applied()

    assert await stores.inbox.unread_count(*ADA) == 0
    assert not await stores.inbox.page(*ADA, limit=1, before=None, unread_only=True)
    await stores.inbox.deliver(to())
    assert await stores.inbox.mark_read(*ADA, None, key) == Remembered("a")
    assert await stores.inbox.unread_count(*ADA) == 1


async def test_steps_of_several_readers_of_one_inbox_come_one_after_the_other(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once: list[int] = []
    under_way = 0
    write = stores.database.write

    async def counted(work: Work[object]) -> object:
        nonlocal under_way
        under_way += 1
        at_once.append(under_way)
        try:
            return await write(work)
        finally:
            under_way -= 1

    monkeypatch.setattr(stores.database, "write", counted)

    assert await asyncio.gather(*(stores.inbox.mark_read(*ADA, None) for _ in range(5))) == (
        [Applied()] * 5
    )
    assert at_once == [1] * 5


async def test_what_is_too_much_for_one_call_is_left_to_the_next(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifier.store.inbox._MOST_STEPS", 1)
    await stores.inbox.deliver(to())
    await _fill(stores, 1_500)

    assert await stores.inbox.mark_read(*ADA, None) == Unfinished(501)
    assert await stores.inbox.mark_read(*ADA, None) == Applied()
    assert await stores.inbox.unread_count(*ADA) == 0


async def _fill(stores: Stores, count: int) -> None:
    """Put so many more into an inbox that holds one."""
    service, recipient = ADA
    rows = [
        {
            "service": service,
            "recipient": recipient,
            "seq": number + 2,
            "notification_id": uuid4(),
            "text": "Hello.",
            "created_at": datetime.now(UTC),
        }
        for number in range(count)
    ]

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(insert(inbox_items), rows)
        await connection.execute(update(inboxes).values(last_seq=count + 1, unread=count + 1))

    await stores.database.write(work)
