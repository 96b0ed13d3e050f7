import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.inbox import InboxHead, Mark, Part
from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered, Unfinished
from notifier.notification.model import Message
from notifier.store.inbox.arrivals import LOCK
from notifier.store.inbox.inboxes import page_of
from notifier.store.inbox.naming import names_of
from notifier.store.inbox.removing import remove
from notifier.store.inbox.tables import inbox_items, inboxes
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
    assert (await stores.inbox.head(*ADA)).unread == 2


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
        assert (await stores.inbox.head(*ADA)).unread == 4


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
    heads = await stores.inbox.heads([ADA, ("orders", "bob"), ("orders", "nobody")])
    assert {each: head.seq for each, head in heads.items()} == {ADA: 20, ("orders", "bob"): 20}


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
        assert await stores.inbox.mark(*ADA, first.id, Mark.READ) == Applied()

    assert (await stores.inbox.head(*ADA)).unread == 1
    (unread,) = await stores.inbox.page(*ADA, limit=9, before=None, unread_only=True)
    assert unread.notification_id == second.id
    read = (await stores.inbox.since(*ADA, 0, limit=1))[0]
    assert read.read_at is not None


async def test_reading_all_items_leaves_none(stores: Stores) -> None:
    for _ in range(3):
        await stores.inbox.deliver(to())
    await stores.inbox.deliver(to("bob"))

    assert await stores.inbox.mark(*ADA, None, Mark.READ) == Applied()

    assert (await stores.inbox.head(*ADA)).unread == 0
    assert (await stores.inbox.head("orders", "bob")).unread == 1
    assert await stores.inbox.mark("orders", "nobody", None, Mark.READ) == Applied()
    assert (await stores.inbox.head("orders", "nobody")).unread == 0


async def test_another_ones_item_is_not_found_and_keeps_no_key(stores: Stores) -> None:
    message = to()
    await stores.inbox.deliver(message)
    key = Idempotency(service="orders", key="k", fingerprint="f", answer="a")
    other = Idempotency(service="orders", key="k", fingerprint="g", answer="a")
    read = partial(stores.inbox.mark, mark=Mark.READ)

    assert await read("orders", "bob", message.id, idempotency=key) == NotFound()
    assert await read("payments", "ada", message.id) == NotFound()
    assert await read(*ADA, uuid4()) == NotFound()
    assert await read(*ADA, message.id, idempotency=key) == Applied()
    assert await read(*ADA, message.id, idempotency=key) == Remembered("a")
    assert await read(*ADA, None, idempotency=other) == KeyReused()


async def test_reading_very_many_goes_on_step_by_step(stores: Stores) -> None:
    count = 2_200
    await stores.inbox.deliver(to())
    await _fill(stores, count)
    key = Idempotency(service="orders", key="k", fingerprint="f", answer="a")

    assert await stores.inbox.mark(*ADA, None, Mark.READ, idempotency=key) == Applied()

    assert (await stores.inbox.head(*ADA)).unread == 0
    assert not await stores.inbox.page(*ADA, limit=1, before=None, unread_only=True)
    await stores.inbox.deliver(to())
    assert await stores.inbox.mark(*ADA, None, Mark.READ, idempotency=key) == Remembered("a")
    assert (await stores.inbox.head(*ADA)).unread == 1


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

    assert await asyncio.gather(*(stores.inbox.mark(*ADA, None, Mark.READ) for _ in range(5))) == (
        [Applied()] * 5
    )
    assert at_once == [1] * 5


async def test_what_is_too_much_for_one_call_is_left_to_the_next(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifier.store.inbox.inboxes._MOST_STEPS", 1)
    await stores.inbox.deliver(to())
    await _fill(stores, 1_500)

    assert await stores.inbox.mark(*ADA, None, Mark.READ) == Unfinished(501)
    assert await stores.inbox.mark(*ADA, None, Mark.READ) == Applied()
    assert (await stores.inbox.head(*ADA)).unread == 0


_IN_AN_HOUR = datetime.now(UTC) + timedelta(hours=1)
_IN_A_DAY = datetime.now(UTC) + timedelta(days=1)
# Of one item, delivered and marked so, one after the other: where it is then, and how it counts.
_STATES: Sequence[tuple[Sequence[Mark], Part, int, int]] = (
    ([], Part.INBOX, 1, 1),
    ([Mark.SEEN], Part.INBOX, 1, 0),
    ([Mark.READ], Part.INBOX, 0, 0),
    ([Mark.READ, Mark.UNREAD], Part.INBOX, 1, 0),
    ([Mark.SEEN, Mark.UNREAD], Part.INBOX, 1, 0),
    ([Mark.UNREAD], Part.INBOX, 1, 1),
    ([Mark.ARCHIVE], Part.ARCHIVED, 0, 0),
    ([Mark.ARCHIVE, Mark.UNREAD], Part.ARCHIVED, 0, 0),
    ([Mark.ARCHIVE, Mark.UNARCHIVE], Part.INBOX, 0, 0),
    ([Mark.ARCHIVE, Mark.UNREAD, Mark.UNARCHIVE], Part.INBOX, 1, 0),
    ([Mark.SNOOZE], Part.SNOOZED, 0, 0),
    ([Mark.SNOOZE, Mark.SEEN, Mark.READ], Part.SNOOZED, 0, 0),
    ([Mark.SNOOZE, Mark.UNSNOOZE], Part.INBOX, 1, 1),
    ([Mark.READ, Mark.SNOOZE, Mark.UNSNOOZE], Part.INBOX, 0, 0),
    ([Mark.SNOOZE, Mark.ARCHIVE], Part.ARCHIVED, 0, 0),
    ([Mark.ARCHIVE, Mark.SNOOZE], Part.SNOOZED, 0, 0),
    ([Mark.UNARCHIVE, Mark.UNSNOOZE], Part.INBOX, 1, 1),
)


async def mark(stores: Stores, which: UUID | None, *marks: Mark) -> None:
    for each in marks:
        until = _IN_AN_HOUR if each is Mark.SNOOZE else None
        assert await stores.inbox.mark(*ADA, which, each, until=until) == Applied()


async def ids(stores: Stores, part: Part = Part.INBOX, *, unread: bool = False) -> list[UUID]:
    found = await stores.inbox.page(*ADA, limit=99, before=None, unread_only=unread, part=part)
    return [item.notification_id for item in found]


async def counts(stores: Stores) -> tuple[int, int]:
    head = await stores.inbox.head(*ADA)
    return head.unread, head.unseen


@pytest.mark.parametrize("state", _STATES, ids=lambda state: "-".join(state[0]) or "new")
async def test_an_item_is_in_one_part_and_counted_there(
    stores: Stores, state: tuple[Sequence[Mark], Part, int, int]
) -> None:
    marks, part, unread, unseen = state
    message, other = to(), to()
    for each in (other, message):
        await stores.inbox.deliver(each)

    for done in marks:
        await mark(stores, message.id, done, done)

    assert await counts(stores) == (unread + 1, unseen + 1)
    assert [each for each in Part if message.id in await ids(stores, each)] == [part]


async def test_each_change_is_a_new_version_and_none_is_none(stores: Stores) -> None:
    message = to()
    await stores.inbox.deliver(message)
    assert (await stores.inbox.head(*ADA)).version == 0

    await mark(stores, message.id, Mark.READ)
    await mark(stores, message.id, Mark.READ, Mark.SEEN, Mark.UNARCHIVE)
    await mark(stores, None, Mark.SEEN, Mark.READ)

    assert await stores.inbox.head(*ADA) == InboxHead(seq=1, version=1, unread=0, unseen=0)
    assert await stores.inbox.head("orders", "nobody") == InboxHead()


async def test_marking_all_leaves_what_is_out_of_the_inbox(stores: Stores) -> None:
    here, archived, snoozed = to(), to(), to()
    for each in (here, archived, snoozed):
        await stores.inbox.deliver(each)
    await mark(stores, archived.id, Mark.ARCHIVE, Mark.UNREAD)
    await mark(stores, snoozed.id, Mark.SNOOZE)

    await mark(stores, None, Mark.READ)

    assert await ids(stores, Part.ARCHIVED, unread=True) == [archived.id]
    assert await ids(stores, Part.SNOOZED, unread=True) == [snoozed.id]
    await mark(stores, None, Mark.ARCHIVE)
    assert await ids(stores) == []
    await mark(stores, None, Mark.UNARCHIVE)
    assert await ids(stores) == [archived.id, here.id]
    await mark(stores, None, Mark.SNOOZE)
    assert await ids(stores, Part.SNOOZED) == [snoozed.id, archived.id, here.id]
    await mark(stores, None, Mark.UNSNOOZE)
    assert await ids(stores) == [snoozed.id, archived.id, here.id]
    assert await counts(stores) == (2, 1)
    await mark(stores, None, Mark.UNREAD)
    assert await counts(stores) == (3, 1)


async def test_a_snoozed_one_comes_back_as_the_newest_once_its_time_has_come(
    stores: Stores,
) -> None:
    early, late, other = to(), to(), to()
    for each in (early, late, other):
        await stores.inbox.deliver(each)
    await mark(stores, None, Mark.READ)
    past = datetime.now(UTC) - timedelta(seconds=5)
    await stores.inbox.mark(*ADA, late.id, Mark.SNOOZE, until=past + timedelta(seconds=1))
    await stores.inbox.mark(*ADA, early.id, Mark.SNOOZE, until=past)
    assert await ids(stores) == [other.id]

    assert await stores.inbox.wake() == 2

    assert await ids(stores) == [late.id, early.id, other.id]
    assert await counts(stores) == (2, 2)
    news = await stores.inbox.since(*ADA, 3, limit=9)
    assert [(item.seq, item.notification_id) for item in news] == [(4, early.id), (5, late.id)]
    assert all(item.snoozed_until is None and item.read_at is None for item in news)
    assert await stores.inbox.wake() == 0


async def test_nobody_is_woken_before_the_time(stores: Stores) -> None:
    message = to()
    await stores.inbox.deliver(message)
    await mark(stores, message.id, Mark.SNOOZE)

    assert await stores.inbox.wake() == 0

    (item,) = await stores.inbox.page(
        *ADA, limit=9, before=None, unread_only=False, part=Part.SNOOZED
    )
    assert abs((item.snoozed_until or _IN_A_DAY) - _IN_AN_HOUR) < timedelta(milliseconds=2)


async def test_several_wake_each_of_them_once_while_more_arrives(stores: Stores) -> None:
    for _ in range(30):
        await stores.inbox.deliver(to())
    past = datetime.now(UTC) - timedelta(seconds=5)
    await stores.inbox.mark(*ADA, None, Mark.SNOOZE, until=past)

    async with open_stores(stores.url) as process:
        await asyncio.gather(
            *(each.inbox.wake() for each in (stores, process) for _ in range(3)),
            *(stores.inbox.deliver(to()) for _ in range(10)),
        )
    while await stores.inbox.wake():
        pass

    head = await stores.inbox.head(*ADA)
    assert (head.seq, head.unread, head.unseen) == (70, 40, 40)
    assert len(set(await ids(stores))) == 40


async def test_waking_leaves_an_inbox_that_somebody_changes_for_later(
    postgres_store_url: str,
) -> None:
    past = datetime.now(UTC) - timedelta(seconds=5)
    async with open_stores(postgres_store_url) as stores, open_stores(postgres_store_url) as other:
        for recipient in ("ada", "bob"):
            await stores.inbox.deliver(to(recipient))
            await stores.inbox.mark("orders", recipient, None, Mark.SNOOZE, until=past)

        async def woken_meanwhile(connection: AsyncConnection) -> int:
            await connection.execute(LOCK, {"rows": names_of([ADA])})
            return await other.inbox.wake()

        assert await stores.database.write(woken_meanwhile) == 1
        assert await ids(stores, Part.SNOOZED) != []
        assert await stores.inbox.wake() == 1


async def test_a_message_delivered_again_after_it_woke_is_one_item(stores: Stores) -> None:
    message = to()
    await stores.inbox.deliver(message)
    past = datetime.now(UTC) - timedelta(seconds=5)
    await stores.inbox.mark(*ADA, message.id, Mark.SNOOZE, until=past)
    await stores.inbox.wake()

    await stores.inbox.deliver(message)

    assert await ids(stores) == [message.id]


async def test_what_is_removed_is_counted_no_longer(stores: Stores) -> None:
    messages = [to() for _ in range(5)]
    for each in messages:
        await stores.inbox.deliver(each)
    new, seen, read, archived, _ = messages
    await mark(stores, seen.id, Mark.SEEN)
    await mark(stores, read.id, Mark.READ)
    await mark(stores, archived.id, Mark.ARCHIVE, Mark.UNREAD)
    version = (await stores.inbox.head(*ADA)).version
    gone = [each.id for each in (new, seen, read, archived)]

    assert await stores.database.write(partial(remove, notifications=gone)) == len(gone)
    assert await stores.database.write(partial(remove, notifications=gone)) == 0

    assert await stores.inbox.head(*ADA) == InboxHead(
        seq=5, version=version + 1, unread=1, unseen=1
    )


@pytest.mark.parametrize("part", Part)
async def test_a_page_of_a_part_is_read_from_its_index(stores: Stores, part: Part) -> None:
    await stores.inbox.deliver(to())
    await _fill(stores, 10_000)
    await _change(stores, {"archived_at": _IN_AN_HOUR}, above=6_000)
    await _change(stores, {"snoozed_until": _IN_AN_HOUR}, above=3_000)
    await stores.database.write(lambda connection: connection.exec_driver_sql("ANALYZE"))

    assert f"ix_inbox_items_{part}" in await _plan(stores, part)


async def _change(stores: Stores, values: Mapping[str, object], *, above: int) -> None:
    async def work(connection: AsyncConnection) -> None:
        rest = inbox_items.c.archived_at.is_(None)
        await connection.execute(
            update(inbox_items).where(rest, inbox_items.c.seq > above).values(values)
        )

    await stores.database.write(work)


async def _plan(stores: Stores, part: Part) -> str:
    query = page_of(*ADA, limit=50, before=None, unread_only=False, part=part)

    async def work(connection: AsyncConnection) -> str:
        compiled = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        how = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        return str((await connection.exec_driver_sql(f"{how} {compiled}")).all())

    return await stores.database.read(work)


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
            "seen_at": None,
        }
        for number in range(count)
    ]

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(insert(inbox_items), rows)
        await connection.execute(
            update(inboxes).values(last_seq=count + 1, unread=count + 1, unseen=count + 1)
        )

    await stores.database.write(work)
