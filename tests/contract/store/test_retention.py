"""Retention: what is past its term goes, what is under way stays, and the account adds up."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import compat

from notifier.idempotency import NotFound
from notifier.intake.ports import Submission
from notifier.notification.feed import START
from notifier.notification.mail import AttachmentRef, MailDetails
from notifier.notification.model import Channel, Status
from notifier.notification.retention import PurgeReason, Rule, Terms
from notifier.notification.transitions import BOUNCE, FAIL, REPLAY, SUCCEED
from notifier.providers.receipt import Receipt
from notifier.store.notification import purged
from notifier.store.notification.attaching import attachment_uses
from notifier.store.notification.matching import first_id
from tests.contract.store.stores import Stores, a_message, a_submission, envelope_of

DAY_S = 86_400.0
_RANDOM = 2**80 - 1
CONTENT = Terms(content_days=30)
ROWS = Terms(rows_days=60)


def an_old_submission(
    days: float = 100, *, channel: Channel = Channel.EMAIL, service: str = "orders", **more: object
) -> Submission:
    made = datetime.now(UTC) - timedelta(days=days)
    id = UUID(int=first_id(made).int | compat.uuid7().int & _RANDOM)
    return a_submission(id=id, channel=channel, service=service, **more)  # type: ignore[arg-type]


async def ended_long_ago(
    stores: Stores, *submissions: Submission, days: float = 90
) -> Sequence[UUID]:
    for submission in submissions or (an_old_submission(),):
        await stores.ended(SUCCEED, submission)
    await stores.pass_time(days * DAY_S)
    return [each.id for each in submissions]


async def keep_to(stores: Stores, defaults: Terms) -> None:
    while await stores.purge.step(defaults):
        pass


async def test_content_goes_after_its_term_and_the_notification_stays(stores: Stores) -> None:
    old, young = an_old_submission(), a_submission()
    await ended_long_ago(stores, old)
    await stores.ended(SUCCEED, young)

    await keep_to(stores, CONTENT)

    gone = await stores.get(old.id)
    assert (gone.subject, gone.content, gone.html, gone.variables) == (None, None, None, None)
    assert (gone.status, gone.recipient, gone.metadata) == (
        Status.SENT,
        old.recipient,
        old.metadata,
    )
    assert await stores.events(old.id) == ["accept", "claim", "succeed"]
    assert (await stores.get(young.id)).content == young.content


async def test_content_that_went_is_counted_once_and_by_channel(stores: Stores) -> None:
    sms = an_old_submission(channel=Channel.SMS, recipient="+4917012")
    secret = an_old_submission(sensitive=True)
    other = an_old_submission(service="payments")
    await ended_long_ago(stores, an_old_submission(), an_old_submission(), sms, secret, other)

    for _ in range(2):
        await keep_to(stores, CONTENT)
        await stores.pass_time(2 * DAY_S)

    backlog = await stores.queries.backlog()
    assert backlog.purged_content == {
        (Channel.EMAIL, PurgeReason.RETENTION): 3,
        (Channel.SMS, PurgeReason.RETENTION): 1,
    }
    assert backlog.purged == {}


async def test_nothing_goes_where_nothing_is_said(stores: Stores) -> None:
    (id,) = await ended_long_ago(stores, an_old_submission())

    await keep_to(stores, Terms())

    assert (await stores.get(id)).content is not None


async def test_with_its_content_go_its_files_its_capture_and_its_inbox_item(
    stores: Stores,
) -> None:
    file = compat.uuid7()
    mail = MailDetails(attachments=(AttachmentRef(file),))
    mailed = an_old_submission(mail=mail)
    shown = an_old_submission(channel=Channel.IN_APP, recipient="u-7")
    for each in (mailed, shown):
        await stores.captures.add(a_message(each))
    await stores.inbox.deliver(a_message(shown))
    await ended_long_ago(stores, mailed, shown)
    await stores.inbox.deliver(a_message(a_submission(channel=Channel.IN_APP, recipient="u-7")))

    await keep_to(stores, CONTENT)

    async def uses(connection: AsyncConnection) -> Sequence[UUID]:
        return (await connection.scalars(select(attachment_uses.c.used_by))).all()

    assert await stores.database.read(uses) == []
    assert await stores.captures.page(limit=10, before=None, channel=None) == []
    items = await stores.inbox.page("orders", "u-7", limit=9, before=None, unread_only=False)
    assert [each.seq for each in items] == [2]
    assert (await stores.inbox.head("orders", "u-7")).unread == 1


async def test_what_is_not_over_never_goes_however_old_it_is(stores: Stores) -> None:
    waiting, under_way = an_old_submission(), an_old_submission()
    await stores.accept(waiting)
    await stores.claimed(under_way)
    await stores.pass_time(90 * DAY_S)

    await keep_to(stores, Terms(content_days=1, rows_days=7))

    assert (await stores.get(waiting.id)).content == waiting.content
    assert (await stores.get(under_way.id)).content == under_way.content


async def test_the_days_count_from_the_end_and_a_later_pass_finds_what_ended_late(
    stores: Stores,
) -> None:
    late = an_old_submission(days=100)
    (first,) = await ended_long_ago(stores, an_old_submission(days=101))
    await stores.ended(SUCCEED, late)
    await keep_to(stores, CONTENT)
    assert (await stores.get(first)).content is None
    assert (await stores.get(late.id)).content is not None

    await stores.pass_time(31 * DAY_S)
    await keep_to(stores, CONTENT)
    await keep_to(stores, CONTENT)

    assert (await stores.get(late.id)).content is None


async def test_the_most_particular_rule_holds_and_may_keep_for_ever(stores: Stores) -> None:
    mail, sms = an_old_submission(), an_old_submission(channel=Channel.SMS, recipient="+4917012")
    other = an_old_submission(service="payments")
    await stores.retention_rules.set(Rule(service="orders", channel=None, terms=CONTENT))
    await stores.retention_rules.set(Rule(service="orders", channel=Channel.SMS, terms=Terms()))
    await ended_long_ago(stores, mail, sms, other)

    await keep_to(stores, Terms(content_days=200))

    kept = {id: (await stores.get(id)).content is not None for id in (mail.id, sms.id, other.id)}
    assert kept == {mail.id: False, sms.id: True, other.id: True}


async def test_rules_are_set_replaced_listed_and_removed(stores: Stores) -> None:
    rule = Rule(service="orders", channel=Channel.SMS, terms=ROWS)
    await stores.retention_rules.set(Rule(service="orders", channel=Channel.SMS, terms=CONTENT))
    await stores.retention_rules.set(rule)
    await stores.retention_rules.set(Rule(service="orders", channel=None, terms=CONTENT))

    found = [(each.channel, each.terms) for each in await stores.retention_rules.all()]

    assert found == [(None, CONTENT), (Channel.SMS, ROWS)]
    assert await stores.retention_rules.remove("orders", Channel.SMS) is None
    assert await stores.retention_rules.remove("orders", Channel.SMS) == NotFound()


@pytest.mark.parametrize("service", [None, "orders"])
async def test_the_account_adds_up_and_counts_what_went(
    stores: Stores, service: str | None
) -> None:
    await ended_long_ago(stores, *(an_old_submission() for _ in range(5)))
    await stores.ended(FAIL, an_old_submission())
    await stores.pass_time(90 * DAY_S)
    await stores.accept()

    await keep_to(stores, ROWS)

    account = await stores.queries.account(service=service)
    assert account.accepted == 7
    assert {status: count for status, count in account.purged.items() if count} == {
        Status.SENT: 5,
        Status.FAILED: 1,
    }
    assert sum(account.by_status.values()) == 1
    assert account.is_balanced
    assert (await stores.queries.account(service="payments")).accepted == 0
    backlog = await stores.queries.backlog()
    assert backlog.purged[Channel.EMAIL, "sent"] == 5


async def test_rows_go_with_their_timelines_and_readers_of_the_feed_are_told(
    stores: Stores,
) -> None:
    (id,) = await ended_long_ago(stores, an_old_submission())

    await keep_to(stores, ROWS)

    assert await stores.queries.get(id, service=None) is None
    assert await stores.events(id) == []
    assert not (await stores.feed.after(START, 10)).is_complete


async def test_rows_wait_for_readers_of_the_feed_but_not_for_one_that_is_gone(
    stores: Stores,
) -> None:
    (id,) = await ended_long_ago(stores, an_old_submission())
    await stores.cursors.store("audit", START)

    await keep_to(stores, ROWS)
    assert await stores.queries.get(id, service=None) is not None

    await stores.pass_time(8 * DAY_S)
    await keep_to(stores, ROWS)
    await keep_to(stores, ROWS)
    assert await stores.queries.get(id, service=None) is None


async def test_a_late_message_letter_receipt_or_replay_of_what_went_disturbs_nothing(
    stores: Stores,
) -> None:
    submission = an_old_submission()
    claimed = await stores.ended(FAIL, submission)
    letter = envelope_of(claimed, attempt=1)
    await stores.publications.mark_buried([letter])
    await stores.pass_time(90 * DAY_S)

    await keep_to(stores, ROWS)

    assert await stores.claim(envelope_of(submission)) is None
    assert await stores.dead_letters.channels_with_stale_dead_letters() == {Channel.EMAIL}
    assert list(await stores.dead_letters.stale_dead_letters([letter])) == [letter]
    await stores.pass_time(120)
    await stores.dead_letters.mark_unburied(Channel.EMAIL, [letter])
    assert not await stores.dead_letters.channels_with_stale_dead_letters()
    receipt = Receipt(provider="smtp", event_id="e", id=submission.id, transition=BOUNCE)
    assert (await stores.receipts.apply([receipt])).changed == 0
    assert isinstance(await stores.orders.move(REPLAY, submission.id, service=None), NotFound)
    assert (await stores.queries.backlog()).unknown_messages == 0


async def test_what_failed_cannot_be_replayed_without_its_content(stores: Stores) -> None:
    submission = an_old_submission()
    await stores.ended(FAIL, submission)
    await stores.pass_time(90 * DAY_S)

    await keep_to(stores, CONTENT)

    await stores.orders.move(REPLAY, submission.id, service=None)
    assert await stores.status(submission.id) is Status.FAILED


async def test_an_unknown_message_that_is_younger_than_all_that_went_is_noted(
    stores: Stores,
) -> None:
    await ended_long_ago(stores, an_old_submission())
    await keep_to(stores, ROWS)

    await stores.claim(envelope_of(a_submission()))

    assert (await stores.queries.backlog()).unknown_messages == 1


class BrokenOffError(Exception):
    """Where a process would be killed."""


async def break_off(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next step end before its transaction does."""

    async def count(*_: object) -> None:
        raise BrokenOffError

    with monkeypatch.context() as patch:
        patch.setattr(purged, "count", count)
        with pytest.raises(BrokenOffError):
            await stores.purge.step(ROWS)


async def test_a_step_that_is_broken_off_changes_nothing_and_the_next_does_it(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ended_long_ago(stores, *(an_old_submission() for _ in range(5)))

    for _ in range(3):
        await break_off(stores, monkeypatch)
        await stores.purge.step(ROWS)
        account = await stores.queries.account(service=None)
        assert (account.accepted, account.is_balanced) == (5, True)

    assert (await stores.queries.account(service=None)).purged[Status.SENT] == 5


async def test_several_relays_at_once_count_each_once(stores: Stores) -> None:
    await ended_long_ago(stores, *(an_old_submission() for _ in range(9)))

    for _ in range(5):
        await asyncio.gather(*(stores.purge.step(ROWS) for _ in range(3)))

    account = await stores.queries.account(service=None)
    assert (account.accepted, account.purged[Status.SENT], account.is_balanced) == (9, 9, True)
