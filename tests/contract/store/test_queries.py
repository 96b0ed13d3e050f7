from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Select, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification import CANCEL, FAIL, SUCCEED, Channel, Status
from notifier.ports import Backlog, NotificationFilter
from notifier.store import queries
from notifier.store.tables import notifications
from tests.contract.store.stores import (
    A_FAULT,
    Stores,
    a_submission,
    an_end,
    envelope_of,
    open_stores,
)

ALL = NotificationFilter()


async def listed(stores: Stores, filter: NotificationFilter, limit: int = 100) -> list[str]:
    found = await stores.queries.list(filter, service=None, limit=limit, after=None)
    return [notification.recipient for notification in found]


async def test_pages_go_from_the_newest_to_the_oldest_without_gaps(stores: Stores) -> None:
    accepted = [(await stores.accept()).id for _ in range(7)]

    seen = []
    after = None
    while page := await stores.queries.list(ALL, service="orders", limit=3, after=after):
        seen += [notification.id for notification in page]
        after = page[-1].id

    assert seen == accepted[::-1]


async def test_a_service_sees_its_own_notifications_only(stores: Stores) -> None:
    ours = await stores.accept()
    foreign = await stores.accept(a_submission(service="payments"))

    page = await stores.queries.list(ALL, service="orders", limit=9, after=None)

    assert [notification.id for notification in page] == [ours.id]
    assert await stores.queries.get(foreign.id, service="orders") is None
    assert await stores.queries.get(foreign.id, service="payments") is not None
    assert await stores.queries.get(uuid4(), service=None) is None
    assert len(await listed(stores, ALL)) == 2


async def test_filters_match_what_they_name(stores: Stores) -> None:
    await stores.accept(a_submission(recipient="a", metadata={"order": "1", "shop": "x"}))
    await stores.accept(a_submission(recipient="b", metadata={"order": "2", "shop": "x"}))
    sms = await stores.accept(a_submission(recipient="c", channel=Channel.SMS, metadata={}))
    await stores.deliveries.move(CANCEL, sms.id, service=None)

    for wanted, expected in (
        (NotificationFilter(recipient="a"), ["a"]),
        (NotificationFilter(channels=[Channel.SMS]), ["c"]),
        (NotificationFilter(channels=[Channel.SMS, Channel.EMAIL]), ["c", "b", "a"]),
        (NotificationFilter(statuses=[Status.CANCELLED]), ["c"]),
        (NotificationFilter(statuses=[Status.PENDING, Status.SENT]), ["b", "a"]),
        (NotificationFilter(metadata={"shop": "x"}), ["b", "a"]),
        (NotificationFilter(metadata={"shop": "x", "order": "2"}), ["b"]),
        (NotificationFilter(metadata={"shop": "2"}), []),
        (NotificationFilter(recipient="a", statuses=[Status.CANCELLED]), []),
    ):
        assert await listed(stores, wanted) == expected


async def test_a_recipient_is_found_in_whatever_case_and_writing(stores: Stores) -> None:
    mails = [
        await stores.accept(a_submission(recipient=each))
        for each in ("Anna@example.com", "anna@example.com", "ANNA@example.com", "Пётр@пример.рф")
    ]
    user = await stores.accept(
        a_submission(recipient="Anna@Example.com", channel=Channel.IN_APP, service="app")
    )
    number = await stores.accept(a_submission(recipient="+491701234567", channel=Channel.SMS))

    for typed, expected in (
        ("anna@example.com", mails[2::-1]),
        (" ANNA@Example.COM ", mails[2::-1]),
        ("Anna@Example.com", [user, *mails[2::-1]]),
        ("ПЁТР@xn--e1afmkfd.xn--p1ai", [mails[3]]),
        ("+49 (0)170 1234567", [number]),
        ("eva@example.com", []),
    ):
        wanted = NotificationFilter(recipient=typed)
        found = await stores.queries.list(wanted, service=None, limit=9, after=None)
        assert [each.id for each in found] == [each.id for each in expected], typed
        assert [each.recipient for each in found] == [each.recipient for each in expected]
        assert await stores.queries.count(wanted, service=None) == len(expected)


async def test_a_page_of_a_recipient_in_several_forms_is_the_newest_of_all(stores: Stores) -> None:
    mixed = [
        await stores.accept(a_submission(recipient="Anna@example.com", channel=channel))
        for channel in (Channel.IN_APP, Channel.EMAIL) * 2
    ]
    wanted = NotificationFilter(recipient="Anna@example.com")

    first = await stores.queries.list(wanted, service=None, limit=3, after=None)
    rest = await stores.queries.list(wanted, service=None, limit=3, after=first[-1].id)

    assert [each.id for each in (*first, *rest)] == [each.id for each in reversed(mixed)]


async def test_metadata_may_have_any_names(stores: Stores) -> None:
    names = ["1", "a.b", 'quo"te', "$", "[0]", "ä ö", "", "it's", "%s", ":x", "\\"]
    await stores.accept(a_submission(metadata={name: f"={name}" for name in names}))

    for name in names:
        assert await listed(stores, NotificationFilter(metadata={name: f"={name}"})), name
        assert not await listed(stores, NotificationFilter(metadata={f"{name}x": f"={name}"}))


async def test_a_range_of_time_has_its_start_and_not_its_end(stores: Stores) -> None:
    old = await stores.accept(a_submission(recipient="old"))
    await stores.pass_time(60)
    await stores.accept(a_submission(recipient="new"))
    start = (await stores.get(old.id)).created_at

    assert await listed(stores, NotificationFilter(created_from=start)) == ["new", "old"]
    assert await listed(stores, NotificationFilter(created_before=start)) == []
    new = (await stores.queries.list(ALL, service=None, limit=1, after=None))[0].created_at
    assert await listed(stores, NotificationFilter(created_from=start, created_before=new)) == [
        "old"
    ]


async def test_a_range_of_time_holds_what_a_wrong_clock_named(stores: Stores) -> None:
    accepted = (await stores.get((await stores.accept()).id)).created_at
    for hours in (-23, 23):
        await stores.accept(a_submission(id=an_id_made_at(accepted + timedelta(hours=hours))))
    around = NotificationFilter(
        created_from=accepted - timedelta(hours=1), created_before=accepted + timedelta(hours=1)
    )

    assert len(await listed(stores, around)) == 3


@pytest.mark.parametrize("year", [1, 1969, 9999])
async def test_a_range_may_begin_and_end_at_any_time(stores: Stores, year: int) -> None:
    await stores.accept()
    edge = datetime(year, 12, 31, tzinfo=UTC)

    found = [
        await listed(stores, NotificationFilter(created_from=edge)),
        await listed(stores, NotificationFilter(created_before=edge)),
    ]

    assert sorted(map(len, found)) == [0, 1]


async def test_a_range_of_time_is_looked_up_by_ids(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores:
        await stores.accept_many(2_000)
        long_ago = [
            a_submission(id=an_id_made_at(datetime(2020, 1, day + 1, tzinfo=UTC)))
            for day in range(3)
        ]
        for each in long_ago:
            await stores.accept(each)
        query = queries._filtered(  # noqa: SLF001
            queries._of(None),  # noqa: SLF001
            NotificationFilter(created_before=datetime(2021, 1, 1, tzinfo=UTC)),
        )
        plan = await plan_of(stores, query.order_by(notifications.c.id.desc()).limit(50))

    assert "Rows Removed" not in plan or "Rows Removed by Filter: 3" in plan, plan
    assert "Seq Scan" not in plan, plan


def an_id_made_at(at: datetime) -> UUID:
    """A UUIDv7 of a process whose clock says so."""
    made_ms = int(at.timestamp() * 1_000)
    return UUID(int=made_ms << 80 | 0x7 << 76 | 0b10 << 62 | uuid4().int >> 66)


async def plan_of(stores: Stores, query: Select[Any]) -> str:
    """How PostgreSQL goes about it, and what it reads."""
    text_of = str(query.compile(dialect=dialect(), compile_kwargs={"literal_binds": True}))  # type: ignore[no-untyped-call]

    async def work(connection: AsyncConnection) -> str:
        found = await connection.execute(text(f"EXPLAIN (ANALYZE, COSTS OFF) {text_of}"))
        return "\n".join(row[0] for row in found)

    return await stores.database.search(work)


async def test_the_account_counts_each_notification_once(stores: Stores) -> None:
    await stores.ended(SUCCEED)
    await stores.ended(FAIL)
    await stores.claimed()
    await stores.accept_many(2)
    await stores.accept(a_submission(service="payments"))

    account = await stores.queries.account(service="orders")

    assert account.accepted == 5
    assert {status: count for status, count in account.by_status.items() if count} == {
        Status.SENT: 1,
        Status.FAILED: 1,
        Status.PROCESSING: 1,
        Status.PENDING: 2,
    }
    assert account.is_balanced
    assert (account.outcome_unknown, account.late_completions) == (0, 0)
    everything = await stores.queries.account(service=None)
    assert everything.accepted == 6
    assert everything.is_balanced


async def test_a_good_database_answers_and_has_no_problem(stores: Stores) -> None:
    await stores.queries.ping()

    assert await stores.queries.schema_problem() is None


async def test_an_unknown_notification_has_no_timeline(stores: Stores) -> None:
    assert await stores.queries.timeline(uuid4()) == []


async def test_the_backlog_counts_what_is_under_way_or_in_doubt(stores: Stores) -> None:
    published = a_submission()
    await stores.deliveries.insert([a_submission(), published])
    await stores.deliveries.mark_published([envelope_of(published)])
    running = await stores.claimed()
    doubtful = await stores.claimed()
    end = an_end(doubtful, FAIL, fault=A_FAULT, outcome_unknown=True)
    assert await stores.deliveries.finish(end)
    late = replace(an_end(running, SUCCEED), lease_token=uuid4())
    assert not await stores.deliveries.finish(late)

    assert await stores.queries.backlog() == Backlog(
        pending=2, processing=1, outcome_unknown=1, late_completions=1, unknown_messages=0
    )
