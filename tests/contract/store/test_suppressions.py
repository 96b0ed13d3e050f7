import asyncio
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Text, event, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.suppression import Lifted, Protected, Suppression, SuppressionPlace
from notifier.delivery.ports import RescuePolicy
from notifier.idempotency import Applied, Idempotency, KeyReused, NotFound, Remembered
from notifier.intake.ports import Submission
from notifier.notification.model import Addressee, Channel, OnUnknown, Status
from notifier.notification.outcomes import Fault, SuppressionReason
from notifier.notification.transitions import FAIL, REPLAY, RETRY, SUCCEED
from notifier.providers.receipt import Receipt
from notifier.store.notification.suppressing import is_suppressed
from tests.contract.store.stores import (
    A_FAULT,
    Stores,
    a_submission,
    an_end,
    envelope_of,
    ids,
    open_stores,
)


async def listed(stores: Stores, **changes: object) -> list[Suppression]:
    asked: dict[str, object] = {"service": None, "channel": None, "limit": 10, "after": None}
    found = await stores.suppressions.list(**(asked | changes))  # type: ignore[arg-type]  # see above
    return list(found)


async def add(stores: Stores, recipient: str, **changes: object) -> None:
    asked: dict[str, object] = {"service": "orders", "channel": Channel.EMAIL, "reason": "manual"}
    asked |= changes
    asked["reason"] = SuppressionReason(str(asked["reason"]))
    await stores.suppressions.add(recipient=recipient, **asked)  # type: ignore[arg-type]  # see above


async def test_a_list_is_narrowed_to_a_recipient_in_any_writing_and_to_a_reason(
    stores: Stores,
) -> None:
    await add(stores, "ada@example.org", reason="hard_bounce")
    await add(stores, "ada@example.org", reason="unsubscribed", category="news")
    await add(stores, "ada@example.org", service="shop")
    await add(stores, "+436601234567", channel=Channel.SMS, reason="hard_bounce")

    def told(found: list[Suppression]) -> list[tuple[str, str, str]]:
        return [(each.recipient, each.service, each.reason) for each in found]

    assert told(await listed(stores, recipient="ADA@example.org")) == [
        ("ada@example.org", "orders", "hard_bounce"),
        ("ada@example.org", "orders", "unsubscribed"),
        ("ada@example.org", "shop", "manual"),
    ]
    assert told(await listed(stores, recipient="+43 660 1234567")) == [
        ("+436601234567", "orders", "hard_bounce")
    ]
    of_shop = await listed(stores, recipient="ada@example.org", service="shop")
    assert told(of_shop) == [("ada@example.org", "shop", "manual")]
    as_number = await listed(stores, recipient="ada@example.org", channel=Channel.SMS)
    assert as_number == []
    bounced = SuppressionReason.HARD_BOUNCE
    for service in (None, "orders"):
        assert told(await listed(stores, reason=bounced, service=service)) == [
            ("+436601234567", "orders", "hard_bounce"),
            ("ada@example.org", "orders", "hard_bounce"),
        ]
    [first] = await listed(stores, recipient="ada@example.org", limit=1)
    place = SuppressionPlace(first.compared, first.service, first.channel, first.category or "")
    behind = await listed(stores, recipient="ada@example.org", after=place)
    assert [each.service for each in behind] == ["orders", "shop"]


async def test_an_address_is_put_on_the_list_once_and_taken_off(stores: Stores) -> None:
    await add(stores, "ada@example.org")
    await add(stores, "ada@example.org", reason="spam_report")

    (suppression,) = await listed(stores)

    assert (suppression.service, suppression.channel) == ("orders", Channel.EMAIL)
    assert (suppression.recipient, suppression.reason) == ("ada@example.org", "spam_report")
    assert suppression.notification_id is None
    assert suppression.created_at.tzinfo is not None
    remove = stores.suppressions.remove
    other = {"channel": Channel.EMAIL, "recipient": "ada@example.org"}
    assert await remove(service="payments", **other) == NotFound()  # type: ignore[arg-type]  # of two types
    assert await remove(service="orders", why="asked", **other) == Lifted(  # type: ignore[arg-type]  # of two types
        frozenset({SuppressionReason.SPAM_REPORT})
    )
    assert await remove(service="orders", **other) == NotFound()  # type: ignore[arg-type]  # of two types
    assert await listed(stores) == []


SPELLINGS = [
    ("Anna@example.com", "anna@example.com"),
    ("anna@example.com", "ANNA@example.com"),
    ("Пётр@пример.рф", "пётр@пример.рф"),
    ("\uff21nna@example.com", "anna@example.com"),
    ("STRASSE@example.com", "straße@example.com"),
    ("\u00e9va@example.com", "E\u0301VA@example.com"),
]


@pytest.mark.parametrize(("listed_as", "sent_as"), SPELLINGS)
async def test_addresses_are_compared_without_case_and_width_and_kept_as_written(
    stores: Stores, listed_as: str, sent_as: str
) -> None:
    early = await stores.accept(a_submission(recipient=sent_as))
    waiting = await stores.accept(a_submission(recipient=sent_as))
    refused = await stores.claimed(a_submission(recipient=sent_as, service="payments"))
    assert refused.recipient == sent_as
    await add(stores, listed_as)
    await add(stores, sent_as, reason="hard_bounce")
    await stores.leases.finish(
        an_end(refused, FAIL, fault=A_FAULT, suppress_as=SuppressionReason.REFUSED)
    )
    later = await stores.accept(a_submission(recipient=sent_as))
    other = await stores.accept(a_submission(recipient=listed_as, service="payments"))

    assert await stores.claim(envelope_of(early)) is None
    await stores.pass_time(6)
    assert await stores.upkeep.take_due(9, hold_s=1) == []

    for each in (early, waiting, later, other):
        found = await stores.get(each.id)
        assert (found.status, found.recipient) == (Status.SUPPRESSED, each.recipient)
    entries = await listed(stores)
    assert {(each.recipient, each.service, each.reason) for each in entries} == {
        (listed_as, "orders", "manual"),
        (sent_as, "payments", "refused"),
    }
    removed = await stores.suppressions.remove(
        service="orders", channel=Channel.EMAIL, recipient=sent_as
    )
    assert removed == Lifted(frozenset({SuppressionReason.MANUAL}))
    assert [each.service for each in await listed(stores)] == ["payments"]


@pytest.mark.parametrize("will", ["unsubscribed", "spam_report"])
async def test_what_the_recipient_asked_for_comes_off_with_a_reason_only(
    stores: Stores, will: SuppressionReason
) -> None:
    listed_before = await stores.ended(SUCCEED)
    await add(stores, listed_before.recipient)
    other = await stores.ended(FAIL, a_submission(recipient="eva@example.org"))
    receipts = [
        Receipt(
            provider="sendgrid",
            event_id=each.recipient,
            id=each.id,
            transition=None,
            suppress_as=SuppressionReason(will),
        )
        for each in (listed_before, other)
    ]
    assert (await stores.receipts.apply(receipts)).early == ()
    remove = partial(stores.suppressions.remove, service="orders", channel=Channel.EMAIL)

    assert await remove(recipient=listed_before.recipient) == Protected(SuppressionReason(will))
    assert len(await listed(stores)) == 2
    assert await stores.events(other.id) == ["accept", "claim", "fail"]
    for each in (listed_before, other):
        lifted = await remove(recipient=each.recipient, why="asked by phone")
        assert lifted == Lifted(frozenset({SuppressionReason(will)}))

    *_, last = await stores.queries.timeline(other.id)
    assert last.event == "unsuppress"
    assert last.fault == Fault(kind="suppressed", code=will, message="asked by phone")


def of(category: str | None, *, is_required: bool = False, **changes: Any) -> Submission:
    to = Addressee(category=category, is_required=is_required)
    return replace(a_submission(**changes), addressee=to)


async def accepted(stores: Stores, submission: Submission) -> Status:
    """How it stands once it was accepted."""
    await stores.accept(submission)
    return await stores.status(submission.id)


async def test_an_unsubscription_of_one_category_stops_nothing_else(stores: Stores) -> None:
    waiting = [await stores.accept(of(each)) for each in ("news", "orders", None)]
    await add(stores, a_submission().recipient, category="news", reason="unsubscribed")

    at_accept = [await accepted(stores, of(each)) for each in ("news", "orders", None)]
    claimed = [await stores.claim(envelope_of(each)) for each in waiting]

    assert at_accept == [Status.SUPPRESSED, Status.PENDING, Status.PENDING]
    assert [each is None for each in claimed] == [True, False, False]


async def test_what_is_required_is_stopped_by_what_an_address_is_not_by_what_is_wanted(
    stores: Stores,
) -> None:
    security = partial(of, "security")
    for reason in SuppressionReason:
        for category in (None, "security"):
            to = f"{reason}-{category}@example.org"
            waiting = await stores.accept(security(is_required=True, recipient=to))
            await add(stores, to, category=category, reason=reason)

            status = await accepted(stores, security(is_required=True, recipient=to))
            claimed = await stores.claim(envelope_of(waiting))

            is_sent = reason.is_recipients_will
            assert (status is Status.PENDING) is is_sent, to
            assert (claimed is not None) is is_sent, to
            assert await accepted(stores, security(recipient=to)) is Status.SUPPRESSED, to


async def test_whoever_stopped_a_number_gets_no_sms_however_required(stores: Stores) -> None:
    for reason in SuppressionReason:
        to: dict[str, Any] = {"channel": Channel.SMS, "recipient": f"+493012345{len(reason)}"}
        await add(stores, **to, reason=reason)

        required = of("security", is_required=True, **to)

        assert await accepted(stores, required) is Status.SUPPRESSED, reason


async def test_an_entry_for_a_category_is_taken_off_by_itself(stores: Stores) -> None:
    remove = partial(
        stores.suppressions.remove, service="orders", channel=Channel.EMAIL, recipient="a@x.org"
    )
    for category in (None, "news", "offers"):
        await add(stores, "a@x.org", category=category)
        await add(stores, "a@x.org", category=category, reason="hard_bounce")

    assert await remove(category="news") == Lifted(frozenset({SuppressionReason.MANUAL}))
    assert await remove(category="news") == NotFound()
    assert [each.category for each in await listed(stores)] == [None, "offers"]
    assert await remove() == Lifted(frozenset({SuppressionReason.MANUAL}))
    assert [each.category for each in await listed(stores)] == ["offers"]


async def test_a_bounce_is_for_everything_beside_an_entry_for_a_category(stores: Stores) -> None:
    submission = of("news")
    await add(stores, submission.recipient, category="news", reason="unsubscribed")
    claimed = await stores.claimed(of("offers"))

    await stores.leases.finish(
        an_end(claimed, FAIL, fault=A_FAULT, suppress_as=SuppressionReason.HARD_BOUNCE)
    )

    entries = [(each.category, each.reason) for each in await listed(stores)]
    assert entries == [
        (None, SuppressionReason.HARD_BOUNCE),
        ("news", SuppressionReason.UNSUBSCRIBED),
    ]


async def test_user_ids_are_compared_as_they_are(stores: Stores) -> None:
    await add(stores, "User-A", channel=Channel.IN_APP)

    others = [
        await stores.accept(a_submission(recipient=each, channel=Channel.IN_APP))
        for each in ("user-a", "User-A")
    ]

    statuses = [await stores.status(each.id) for each in others]
    assert statuses == [Status.PENDING, Status.SUPPRESSED]


async def test_the_list_is_read_in_pages_by_service_and_channel(stores: Stores) -> None:
    for name in "dbeac":
        await add(stores, f"{name}@example.org")
    await add(stores, "+4930123456", channel=Channel.SMS)
    await add(stores, "f@example.org", service="payments")

    first = await listed(stores, service="orders", channel=Channel.EMAIL, limit=3)
    last = first[-1]
    after = _place_of(last)
    second = await listed(stores, service="orders", channel=Channel.EMAIL, limit=3, after=after)

    assert [each.recipient[0] for each in (*first, *second)] == list("abcde")
    assert len(await listed(stores, service="orders")) == 6
    assert len(await listed(stores, channel=Channel.EMAIL)) == 6
    assert len(await listed(stores)) == 7


async def test_a_page_may_end_between_the_services_of_one_address(stores: Stores) -> None:
    for service in ("billing", "orders", "payments"):
        await add(stores, "ada@example.org", service=service)
    await add(stores, "ada@example.org", channel=Channel.IN_APP)

    seen: list[tuple[str, Channel]] = []
    after: SuppressionPlace | None = None
    while page := await listed(stores, limit=1, after=after):
        after = _place_of(page[0])
        seen.append((page[0].service, page[0].channel))

    assert seen == [
        ("billing", Channel.EMAIL),
        ("orders", Channel.EMAIL),
        ("orders", Channel.IN_APP),
        ("payments", Channel.EMAIL),
    ]


async def test_pages_of_any_list_hold_each_entry_once_and_in_order(stores: Stores) -> None:
    for recipient in ("b@example.org", "a@example.org"):
        for each in ("orders", "payments", "Payments"):
            await add(stores, recipient, service=each)
    for recipient in ("+491701234567", "a@example.org"):
        await add(stores, recipient, channel=Channel.SMS)
    for category in ("news", "offers", "News"):
        await add(stores, "a@example.org", category=category)
    everything = [_place_of(each) for each in await listed(stores, limit=50)]
    assert len(everything) == 11

    for service in (None, "orders", "payments", "nobody"):
        for channel in (None, Channel.EMAIL, Channel.SMS, Channel.IN_APP):
            for limit in (1, 2, 50):
                asked = {"service": service, "channel": channel, "limit": limit}
                assert await _paged(stores, **asked) == [
                    place
                    for place in everything
                    if service in (None, place.service) and channel in (None, place.channel)
                ], asked


async def _paged(stores: Stores, **asked: object) -> list[SuppressionPlace]:
    found: list[SuppressionPlace] = []
    while page := await listed(stores, **asked, after=found[-1] if found else None):
        found += map(_place_of, page)
    return found


def _place_of(suppression: Suppression) -> SuppressionPlace:
    return SuppressionPlace(
        suppression.compared, suppression.service, suppression.channel, suppression.category or ""
    )


_ROWS_READ = text(
    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
    " WHERE relid = to_regclass('suppressions')"
)


@pytest.mark.parametrize("channel", Channel)
async def test_user_ids_that_differ_in_case_alone_are_not_gone_through(
    postgres_store_url: str, channel: Channel
) -> None:
    many = text(
        "INSERT INTO suppressions (service, channel, recipient, reason, created_at) SELECT 'mob',"
        " 'in_app', translate(CAST(CAST(nth AS bit(12)) AS text), '01', 'aA'), 'manual', now()"
        " FROM generate_series(1, 4095) nth"
    )
    entry = {"service": "mob", "channel": channel, "recipient": "a" * 12, "category": "news"}
    columns = {name: literal(value, Text) for name, value in entry.items()}
    columns["is_required"] = literal(value=False)

    async def look(connection: AsyncConnection) -> tuple[bool, int]:
        before = (await connection.execute(_ROWS_READ)).scalar_one()
        found = (await connection.execute(select(is_suppressed(columns)))).scalar_one()
        return found, (await connection.execute(_ROWS_READ)).scalar_one() - before

    async with open_stores(postgres_store_url) as stores:
        async with stores.database._writer.begin() as connection:  # noqa: SLF001
            await connection.execute(many)

        found, rows = await stores.database.write(look)

    assert (found, rows) == (False, 0)


PAGES = 120
"""Of indexes and the table, for a page of the list, whose 50 rows may be on as many; all of it has
hundreds."""


@pytest.mark.parametrize("vacuumed", ["ANALYZE", "VACUUM ANALYZE"])
async def test_a_page_of_the_list_is_not_looked_for_among_what_others_have(
    postgres_store_url: str, vacuumed: str
) -> None:
    async with open_stores(postgres_store_url) as stores:
        await _fill(stores, "others", "a", 20_000)
        await _fill(stores, "orders", "z", 2_000)
        await add(stores, "+491701234567", service="zeppelins", channel=Channel.SMS)
        await stores.maintain(f"{vacuumed} suppressions")
        for service in ("orders", "others", "zeppelins", "nobody", None):
            for channel in (None, Channel.EMAIL, Channel.SMS):
                read = await _pages_read(stores, service=service, channel=channel)
                assert read <= PAGES, (service, channel)


async def _fill(stores: Stores, service: str, name: str, count: int) -> None:
    many = text(
        "INSERT INTO suppressions (service, channel, recipient, reason, created_at)"
        " SELECT :service, 'email', :name || nth || '@example.org', 'manual', now()"
        " FROM generate_series(1, :count) nth"
    )
    async with stores.database._writer.begin() as connection:  # noqa: SLF001
        await connection.execute(many, {"service": service, "name": name, "count": count})


async def _pages_read(stores: Stores, **asked: object) -> int:
    """How many pages of the database the statements for a page of the list read."""
    searcher = stores.database._searcher  # noqa: SLF001
    ran: list[tuple[str, tuple[object, ...]]] = []

    def note(_connection: object, _cursor: object, statement: str, *more: Any) -> None:
        ran.append((statement, more[0]))

    event.listen(searcher.sync_engine, "before_cursor_execute", note)
    await listed(stores, **asked, limit=50)
    event.remove(searcher.sync_engine, "before_cursor_execute", note)
    async with searcher.connect() as connection:
        plans = [
            (
                await connection.exec_driver_sql(
                    f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters
                )
            ).scalar_one()[0]["Plan"]
            for statement, parameters in ran
        ]
    return sum(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans)


async def test_a_repeated_request_gets_its_first_answer(stores: Stores) -> None:
    key = Idempotency(service="orders", key="k", fingerprint="f", answer="a")
    other = Idempotency(service="orders", key="k", fingerprint="other", answer="a")

    results = [
        await stores.suppressions.add(
            service="orders",
            channel=Channel.EMAIL,
            recipient=f"{number}@example.org",
            reason=SuppressionReason.MANUAL,
            idempotency=each,
        )
        for number, each in enumerate((key, key, other))
    ]

    assert results == [Applied(), Remembered("a"), KeyReused()]
    assert [each.recipient for each in await listed(stores)] == ["0@example.org"]


@pytest.mark.parametrize("sensitive", [False, True])
async def test_what_is_for_a_suppressed_address_is_accepted_and_suppressed(
    stores: Stores, *, sensitive: bool
) -> None:
    unwanted = a_submission(recipient="grace@example.org", sensitive=sensitive)
    others = [
        a_submission(),
        a_submission(recipient="grace@example.org", service="payments"),
        a_submission(recipient="grace@example.org", channel=Channel.IN_APP),
    ]
    await stores.suppress(unwanted)

    result = await stores.intake.insert([others[0], unwanted, *others[1:]])

    assert result == Applied(frozenset({unwanted.id}))
    assert [await stores.status(each.id) for each in others] == [Status.PENDING] * 3
    suppressed = await stores.get(unwanted.id)
    assert (suppressed.status, suppressed.attempts) == (Status.SUPPRESSED, 0)
    assert suppressed.finished_at is not None
    erasable = (suppressed.subject, suppressed.content, suppressed.html, suppressed.variables)
    assert [value is None for value in erasable] == [sensitive] * 4
    assert await stores.events(unwanted.id) == ["accept", "suppress"]
    account = await stores.queries.account(service=None)
    assert account.is_balanced
    assert account.by_status[Status.SUPPRESSED] == 1
    await stores.pass_time(6)
    assert ids(await stores.upkeep.take_due(9, hold_s=1)) == ids_of(others)


def ids_of(submissions: list[Submission]) -> list[UUID]:
    return sorted(each.id for each in submissions)


@pytest.mark.parametrize("sensitive", [False, True])
async def test_what_waits_is_suppressed_when_its_time_comes(
    stores: Stores, *, sensitive: bool
) -> None:
    waiting = await stores.accept(a_submission(recipient="grace@example.org", sensitive=sensitive))
    other = await stores.accept()
    await stores.suppress(waiting)
    await stores.pass_time(6)

    assert ids(await stores.upkeep.take_due(9, hold_s=1)) == [other.id]

    suppressed = await stores.get(waiting.id)
    assert suppressed.status is Status.SUPPRESSED
    assert suppressed.finished_at is not None
    assert (suppressed.content is None) is sensitive
    assert await stores.events(waiting.id) == ["accept", "suppress"]
    assert (await stores.get(other.id)).finished_at is None
    await stores.pass_time(60)
    assert ids(await stores.upkeep.take_due(9, hold_s=1)) == [other.id]


async def test_a_retry_for_an_address_that_was_suppressed_meanwhile_is_suppressed(
    stores: Stores,
) -> None:
    submission = a_submission()
    await stores.ended(RETRY, submission)
    await stores.suppress(submission)
    await stores.pass_time(31)

    assert await stores.upkeep.take_due(9, hold_s=1) == []

    assert await stores.events(submission.id) == ["accept", "claim", "retry", "suppress"]


@pytest.mark.parametrize("sensitive", [False, True])
async def test_what_waits_in_the_broker_is_suppressed_when_it_is_claimed(
    stores: Stores, *, sensitive: bool
) -> None:
    unwanted = await stores.accept(a_submission(recipient="grace@example.org", sensitive=sensitive))
    others = [await stores.accept() for _ in range(2)]
    envelopes = [envelope_of(each) for each in (others[0], unwanted, others[1])]
    await stores.publications.mark_published(envelopes)
    await stores.suppress(unwanted)

    claims = await asyncio.gather(*map(stores.claim, envelopes))

    assert [each and each.id for each in claims] == [others[0].id, None, others[1].id]
    suppressed = await stores.get(unwanted.id)
    assert (suppressed.status, suppressed.attempts) == (Status.SUPPRESSED, 0)
    assert suppressed.finished_at is not None
    assert (suppressed.content is None) is sensitive
    assert await stores.events(unwanted.id) == ["accept", "suppress"]
    assert await stores.claim(envelopes[1]) is None
    assert await stores.events(unwanted.id) == ["accept", "suppress"]


async def test_a_claim_that_is_asked_for_again_finds_the_suppression(stores: Stores) -> None:
    claimed = await stores.claimed()
    await stores.suppress(await stores.accept())

    again = await stores.leases.claim(
        envelope_of(claimed), lease_token=claimed.lease_token, lease_s=60, leased_by="worker-1"
    )

    assert again is None
    assert await stores.events(claimed.id) == ["accept", "claim", "suppress"]
    assert not await stores.leases.finish(an_end(claimed, SUCCEED))


async def test_a_rescued_one_is_suppressed_when_it_is_claimed_again(stores: Stores) -> None:
    claimed = await stores.claimed()
    await stores.pass_time(61)
    policy = RescuePolicy(max_attempts=5, on_unknown=OnUnknown.RESEND)
    await stores.upkeep.rescue(9, dict.fromkeys(Channel, policy))
    await stores.suppress(await stores.accept())

    assert await stores.claim(envelope_of(claimed, attempt=1)) is None

    assert await stores.events(claimed.id) == ["accept", "claim", "rescue", "suppress"]


async def test_a_dead_letter_moved_back_to_its_queue_is_suppressed(stores: Stores) -> None:
    failed = await stores.claimed()
    await stores.leases.finish(
        an_end(failed, FAIL, fault=A_FAULT, suppress_as=SuppressionReason.REFUSED)
    )

    assert await stores.claim(envelope_of(failed, attempt=1)) is None

    assert await stores.events(failed.id) == ["accept", "claim", "fail", "replay", "suppress"]


async def test_a_refused_address_is_suppressed_with_the_end_of_the_attempt(stores: Stores) -> None:
    claimed = [await stores.claimed() for _ in range(2)]

    for each in claimed:
        assert await stores.leases.finish(
            an_end(each, FAIL, fault=A_FAULT, suppress_as=SuppressionReason.REFUSED)
        )

    (suppression,) = await listed(stores)
    assert (suppression.recipient, suppression.reason) == (claimed[0].recipient, "refused")
    assert suppression.notification_id == claimed[0].id
    later = a_submission()
    assert await stores.intake.insert([later]) == Applied(frozenset({later.id}))


async def test_who_opted_out_is_suppressed_as_unsubscribed(stores: Stores) -> None:
    claimed = await stores.claimed()
    stopped = an_end(claimed, FAIL, fault=A_FAULT, suppress_as=SuppressionReason.UNSUBSCRIBED)

    assert await stores.leases.finish(stopped)

    (suppression,) = await listed(stores)
    assert suppression.reason is SuppressionReason.UNSUBSCRIBED


async def test_a_late_completion_suppresses_nobody(stores: Stores) -> None:
    claimed = await stores.ended(SUCCEED)

    assert not await stores.leases.finish(
        an_end(claimed, FAIL, suppress_as=SuppressionReason.REFUSED)
    )

    assert await listed(stores) == []


async def test_a_replay_to_a_suppressed_address_ends_as_suppressed(stores: Stores) -> None:
    failed = await stores.claimed()
    await stores.leases.finish(an_end(failed, FAIL, suppress_as=SuppressionReason.REFUSED))
    await stores.orders.move(REPLAY, failed.id, service=None)

    assert await stores.upkeep.take_due(9, hold_s=1) == []

    assert await stores.status(failed.id) is Status.SUPPRESSED


async def test_the_reason_that_recipients_cannot_undo_is_told_first(stores: Stores) -> None:
    async def listed(reason: SuppressionReason, category: str | None) -> None:
        await stores.suppressions.add(
            service="orders",
            channel=Channel.EMAIL,
            recipient="Ada@example.org",
            reason=reason,
            category=category,
        )

    async def reason(category: str | None, recipient: str = "ada@example.org") -> object:
        return await stores.suppressions.reason("orders", Channel.EMAIL, recipient, category)

    assert await reason("news") is None
    await listed(SuppressionReason.UNSUBSCRIBED, "news")
    assert await reason("news") is SuppressionReason.UNSUBSCRIBED
    assert await reason("codes") is None
    assert await reason(None) is None
    await listed(SuppressionReason.HARD_BOUNCE, None)
    assert await reason("news") is SuppressionReason.HARD_BOUNCE
    assert await reason("codes") is await reason(None) is SuppressionReason.HARD_BOUNCE
    assert await reason("news", "bob@example.org") is None
