from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.notification.model import Channel, Lane, Status
from notifier.notification.reading import Account, Backlog, NotificationFilter
from notifier.notification.transitions import CANCEL, FAIL, SUCCEED
from notifier.store.kit.sql import Now
from notifier.store.notification import accounting, searching
from notifier.store.notification.tables import notification_events, notifications
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
    return [notification.recipient for notification in found.items]


async def pages(
    stores: Stores, filter: NotificationFilter, *, service: str | None = "orders", limit: int = 3
) -> list[list[UUID]]:
    """The ids on each page, following where they go on."""
    found: list[list[UUID]] = []
    after = None
    while not found or after:
        page = await stores.queries.list(filter, service=service, limit=limit, after=after)
        found.append([each.id for each in page.items])
        after = page.goes_on_after
    return found


async def test_pages_go_from_the_newest_to_the_oldest_without_gaps(stores: Stores) -> None:
    accepted = [(await stores.accept()).id for _ in range(7)]

    newest_first = accepted[::-1]
    assert await pages(stores, ALL) == [newest_first[:3], newest_first[3:6], newest_first[6:]]
    assert len(await pages(stores, ALL, limit=7)) == 1


async def test_where_nobody_has_sent_anything_a_search_of_all_finds_nothing(
    stores: Stores,
) -> None:
    wanted = NotificationFilter(recipient="ada@example.org")

    found = await stores.queries.list(wanted, service=None, limit=5, after=None)

    assert (found.items, found.goes_on_after) == ([], None)


async def test_a_service_sees_its_own_notifications_only(stores: Stores) -> None:
    ours = await stores.accept()
    foreign = await stores.accept(a_submission(service="payments"))

    page = await stores.queries.list(ALL, service="orders", limit=9, after=None)

    assert [notification.id for notification in page.items] == [ours.id]
    assert await stores.queries.get(foreign.id, service="orders") is None
    assert await stores.queries.get(foreign.id, service="payments") is not None
    assert await stores.queries.get(uuid4(), service=None) is None
    assert len(await listed(stores, ALL)) == 2


async def test_filters_match_what_they_name(stores: Stores) -> None:
    await stores.accept(a_submission(recipient="a", metadata={"order": "1", "shop": "x"}))
    await stores.accept(a_submission(recipient="b", metadata={"order": "2", "shop": "x"}))
    sms = await stores.accept(a_submission(recipient="c", channel=Channel.SMS, metadata={}))
    await stores.orders.move(CANCEL, sms.id, service=None)

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
        found = (await stores.queries.list(wanted, service=None, limit=9, after=None)).items
        assert [each.id for each in found] == [each.id for each in expected], typed
        assert [each.recipient for each in found] == [each.recipient for each in expected]
        assert await stores.queries.count(wanted, service=None) == len(expected)


async def test_a_page_of_a_recipient_in_several_forms_is_the_newest_of_all(stores: Stores) -> None:
    mixed = [
        await stores.accept(a_submission(recipient="Anna@example.com", channel=channel))
        for channel in (Channel.IN_APP, Channel.EMAIL) * 2
    ]
    wanted = NotificationFilter(recipient="Anna@example.com")

    found = await pages(stores, wanted, service=None)

    assert [len(page) for page in found] == [3, 1]
    assert [id for page in found for id in page] == [each.id for each in reversed(mixed)]


async def test_metadata_may_have_any_names(stores: Stores) -> None:
    names = ["1", "a.b", 'quo"te', "$", "[0]", "ä ö", "", "it's", "%s", ":x", "\\"]
    await stores.accept(a_submission(metadata={name: f"={name}" for name in names}))

    for name in names:
        assert await listed(stores, NotificationFilter(metadata={name: f"={name}"})), name
        assert not await listed(stores, NotificationFilter(metadata={f"{name}x": f"={name}"}))


async def test_what_is_rare_is_looked_for_in_steps_and_found(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_LOOKED_AT", 4)
    rare = await stores.accept(a_submission(channel=Channel.SMS, metadata={"rare": "yes"}))
    await stores.accept(a_submission(service="payments", channel=Channel.SMS))
    for _ in range(10):
        await stores.accept()
    is_postgres = stores.url.startswith("postgresql")

    for wanted, steps in (
        (NotificationFilter(channels=[Channel.SMS]), [[], [], [rare.id]]),
        (
            NotificationFilter(metadata={"rare": "yes"}),
            [[rare.id]] if is_postgres else [[], [], [rare.id]],
        ),
        (NotificationFilter(channels=[Channel.SMS], statuses=[Status.PENDING]), [[rare.id]]),
        (NotificationFilter(channels=[Channel.IN_APP]), [[], [], []]),
        (NotificationFilter(statuses=[Status.FAILED], channels=[Channel.SMS]), [[]]),
    ):
        assert await pages(stores, wanted) == steps, wanted


async def test_pages_of_a_search_hold_each_once_wherever_they_end(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_LOOKED_AT", 4)
    monkeypatch.setattr(searching, "_FEW", 2)
    channels = [Channel.SMS, Channel.EMAIL, Channel.EMAIL, Channel.SMS, Channel.EMAIL] * 4
    accepted = [
        await stores.accept(a_submission(channel=each, recipient="ada", metadata={"of": each}))
        for each in channels
    ]
    for each in accepted[::2]:
        await stores.orders.move(CANCEL, each.id, service=None)
    cancelled = {each.id for each in accepted[::2]}

    for service in ("orders", None):
        for statuses in ([], [Status.PENDING], [Status.CANCELLED], list(Status)):
            for more in (
                {"channels": [Channel.SMS]},
                {"metadata": {"of": "sms"}},
                {"metadata": {"of": "sms"}, "recipient": "ada"},
            ):
                wanted = NotificationFilter(statuses=statuses, **more)
                found = await pages(stores, wanted, service=service)
                assert [id for page in found for id in page] == [
                    each.id
                    for each in reversed(accepted)
                    if each.channel is Channel.SMS
                    and (len(statuses) != 1 or (each.id in cancelled) == statuses[0].is_final)
                ], wanted
                assert all(len(page) <= 3 for page in found)


async def test_of_all_services_a_page_is_the_newest(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed = [
        await stores.accept(a_submission(service=f"service-{number % 3}", recipient="ada"))
        for number in range(9)
    ]
    for each in mixed:
        await stores.orders.move(CANCEL, each.id, service=None)
    newest_first = [each.id for each in reversed(mixed)]

    for most in (50, 2):
        monkeypatch.setattr(searching, "_MOST_SERVICES", most)
        for wanted in (
            NotificationFilter(recipient="ada"),
            NotificationFilter(statuses=[Status.CANCELLED]),
        ):
            found = await pages(stores, wanted, service=None)
            assert [id for page in found for id in page] == newest_first


PAGE = 10
OLD_ROWS = 2_000
LOOKED_AT = 100
IN_ALL = 4 * LOOKED_AT
"""How many rows a page may read: along an index, and what is few by up to three others."""


async def test_a_page_reads_no_more_however_many_there_are(
    postgres_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_LOOKED_AT", LOOKED_AT)
    monkeypatch.setattr(searching, "_FEW", LOOKED_AT)
    async with open_stores(postgres_store_url) as stores:
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        await stores.accept(a_submission(id=an_id_made_at(long_ago), recipient="rare"))
        await stores.accept_many(OLD_ROWS)
        await stores.database.write(_analyse)
        for wanted in (
            ALL,
            NotificationFilter(channels=[Channel.SMS]),
            NotificationFilter(metadata={"none": "such"}),
            NotificationFilter(recipient="rare"),
            NotificationFilter(recipient="rare", channels=[Channel.SMS]),
            NotificationFilter(statuses=[Status.FAILED]),
            NotificationFilter(statuses=[Status.PENDING], channels=[Channel.SMS]),
            NotificationFilter(statuses=[Status.PENDING, Status.SENT]),
            NotificationFilter(statuses=[Status.PROCESSING]),
            NotificationFilter(created_before=long_ago + timedelta(days=365)),
            NotificationFilter(id=uuid4()),
            NotificationFilter(lanes=[Lane.HIGH]),
            NotificationFilter(provider="none"),
            NotificationFilter(template="none"),
            NotificationFilter(rule="none"),
            NotificationFilter(broadcast_id=uuid4()),
            NotificationFilter(error_code="none"),
            NotificationFilter(error_code="none", statuses=[Status.FAILED]),
            NotificationFilter(statuses=[Status.FAILED, Status.PENDING]),
        ):
            for service in ("orders", None):
                read = await rows_read_by(stores, wanted, service)
                assert read <= IN_ALL, (wanted, service)


async def test_a_page_of_what_is_frequent_is_read_and_no_more(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores:
        await stores.accept_many(OLD_ROWS)
        await stores.database.write(_turn_sent)
        await stores.database.write(_analyse)
        for wanted in (
            NotificationFilter(channels=[Channel.EMAIL]),
            NotificationFilter(statuses=[Status.SENT], channels=[Channel.EMAIL]),
            NotificationFilter(recipient="ada@example.org", channels=[Channel.EMAIL]),
        ):
            assert await rows_read_by(stores, wanted, "orders") <= 2 * PAGE, wanted


async def _turn_sent(connection: AsyncConnection) -> None:
    await connection.execute(text("UPDATE notifications SET status = 'sent'"))


async def _analyse(connection: AsyncConnection) -> None:
    await connection.execute(text("ANALYZE notifications"))


_ROWS_READ = text(
    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
    " WHERE relid = to_regclass('notifications')"
)


async def rows_read_by(stores: Stores, filter: NotificationFilter, service: str | None) -> int:
    """How many rows of the table a page takes."""

    async def work(connection: AsyncConnection) -> int:
        before = (await connection.execute(_ROWS_READ)).scalar_one()
        await searching.search(connection, filter, service=service, limit=PAGE, after=None)
        read: int = (await connection.execute(_ROWS_READ)).scalar_one() - before
        return read

    return await stores.database.write(work)


async def test_a_range_of_time_has_its_start_and_not_its_end(stores: Stores) -> None:
    old = await stores.accept(a_submission(recipient="old"))
    await stores.pass_time(60)
    await stores.accept(a_submission(recipient="new"))
    start = (await stores.get(old.id)).created_at

    assert await listed(stores, NotificationFilter(created_from=start)) == ["new", "old"]
    assert await listed(stores, NotificationFilter(created_before=start)) == []
    new = (await stores.queries.list(ALL, service=None, limit=1, after=None)).items[0].created_at
    assert await listed(stores, NotificationFilter(created_from=start, created_before=new)) == [
        "old"
    ]


async def test_a_range_of_time_holds_what_a_wrong_clock_named(stores: Stores) -> None:
    accepted = (await stores.get((await stores.accept()).id)).created_at
    for minutes in (-23 * 60, 9):
        await stores.accept(a_submission(id=an_id_made_at(accepted + timedelta(minutes=minutes))))
    around = NotificationFilter(
        created_from=accepted - timedelta(hours=1), created_before=accepted + timedelta(minutes=1)
    )

    assert len(await listed(stores, around)) == 3


async def test_what_came_after_a_time_holds_up_no_search_for_what_was_before(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "_LOOKED_AT", 4)
    old = await stores.accept(a_submission(id=an_id_made_at(datetime(2026, 1, 1, tzinfo=UTC))))
    await stores.pass_time(3_600)
    edge = (await stores.get(old.id)).created_at + timedelta(seconds=1)
    for _ in range(5):
        await stores.accept(a_submission(id=an_id_made_at(edge + timedelta(minutes=15))))

    page = await stores.queries.list(
        NotificationFilter(created_before=edge), service=None, limit=1, after=None
    )

    assert [each.id for each in page.items] == [old.id]


@pytest.mark.parametrize("year", [1, 1969, 9999])
async def test_a_range_may_begin_and_end_at_any_time(stores: Stores, year: int) -> None:
    await stores.accept()
    edge = datetime(year, 12, 31, tzinfo=UTC)

    found = [
        await listed(stores, NotificationFilter(created_from=edge)),
        await listed(stores, NotificationFilter(created_before=edge)),
    ]

    assert sorted(map(len, found)) == [0, 1]


def an_id_made_at(at: datetime) -> UUID:
    """A UUIDv7 of a process whose clock says so."""
    made_ms = int(at.timestamp() * 1_000)
    return UUID(int=made_ms << 80 | 0x7 << 76 | 0b10 << 62 | uuid4().int >> 66)


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


async def test_the_account_of_many_is_counted_in_parts_that_add_up(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounting, "ACCOUNTED", 3)
    for transition in (SUCCEED, FAIL, SUCCEED):
        await stores.ended(transition)
    await stores.claimed()
    await stores.accept(a_submission(service="payments"))
    await stores.accept_many(4)

    for service, accepted in (("orders", [3, 3, 2]), (None, [3, 3, 3]), ("payments", [1])):
        parts = await account_in_parts(stores, service)
        assert [each.accepted for each in parts] == accepted
        assert all(each.is_balanced for each in parts)
        total = sum((Counter(each.by_status) for each in parts), Counter())
        if service == "orders":
            assert total == {
                Status.SENT: 2,
                Status.FAILED: 1,
                Status.PROCESSING: 1,
                Status.PENDING: 4,
            }


async def account_in_parts(stores: Stores, service: str | None) -> list[Account]:
    parts = [await stores.queries.account(service=service)]
    while after := parts[-1].goes_on_after:
        parts.append(await stores.queries.account(service=service, after=after))
    return parts


async def test_the_account_of_nothing_is_balanced(stores: Stores) -> None:
    for service in ("orders", None):
        account = await stores.queries.account(service=service)
        assert (account.accepted, account.is_balanced, account.goes_on_after) == (0, True, None)


async def test_an_account_of_everything_notices_a_record_that_is_gone(stores: Stores) -> None:
    gone = await stores.accept()

    async def lose(connection: AsyncConnection) -> None:
        await connection.execute(delete(notifications).where(notifications.c.id == gone.id))

    await stores.database.write(lose)

    assert not (await stores.queries.account(service="orders")).is_balanced


async def test_a_good_database_answers_and_has_no_problem(stores: Stores) -> None:
    await stores.queries.ping()

    assert await stores.queries.schema_problem() is None


async def test_of_a_very_long_timeline_the_newest_are_shown(stores: Stores) -> None:
    id = (await stores.accept()).id
    many = [
        {"notification_id": id, "service": "orders", "event": "retry", "attempt": number}
        for number in range(255)
    ]
    async with stores.database._writer.begin() as connection:  # noqa: SLF001
        await connection.execute(insert(notification_events).values(at=Now()), many)

    entries = await stores.queries.timeline(id)

    assert [each.attempt for each in entries] == list(range(5, 255))


async def test_an_unknown_notification_has_no_timeline(stores: Stores) -> None:
    assert await stores.queries.timeline(uuid4()) == []


async def test_the_backlog_counts_what_is_under_way_or_in_doubt(stores: Stores) -> None:
    published = a_submission()
    await stores.intake.insert([a_submission(), published])
    await stores.publications.mark_published([envelope_of(published)])
    running = await stores.claimed()
    doubtful = await stores.claimed()
    end = an_end(doubtful, FAIL, fault=A_FAULT, outcome_unknown=True)
    assert await stores.leases.finish(end)
    late = replace(an_end(running, SUCCEED), lease_token=uuid4())
    assert not await stores.leases.finish(late)

    assert await stores.queries.backlog() == Backlog(
        pending=2, processing=1, outcome_unknown=1, late_completions=1, unknown_messages=0
    )
