import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from notifier.audience.suppression import Lifted
from notifier.delivery.ports import Claimed
from notifier.idempotency import NotFound
from notifier.notification.model import Channel, Status
from notifier.notification.outcomes import Fault, SuppressionReason
from notifier.notification.transitions import (
    BOUNCE,
    DELIVER,
    FAIL,
    RETRY,
    SETTLE,
    SUCCEED,
    Transition,
)
from notifier.providers.receipt import AppliedReceipts, Receipt
from tests.contract.store.stores import (
    A_FAULT,
    Stores,
    a_submission,
    an_end,
    envelope_of,
    open_stores,
)

EVENT_IDS = itertools.count()
A_BOUNCE = Fault(kind="permanent", code="hard_bounce", message="550 no such user")
A_REASON = SuppressionReason.HARD_BOUNCE
UNKNOWN = Fault(kind="unknown", code="timeout", message="no answer")


def a_receipt(claimed: Claimed, transition: Transition | None, **changes: object) -> Receipt:
    values: dict[str, object] = {
        "provider": "sendgrid",
        "event_id": f"event-{next(EVENT_IDS)}",
        "id": claimed.id,
        "transition": transition,
        "provider_id": "sg-1",
        "fault": A_BOUNCE if transition is BOUNCE else None,
        **changes,
    }
    return Receipt(**values)  # type: ignore[arg-type]  # the fields are as various as their types


async def unknown(stores: Stores, transition: Transition) -> Claimed:
    claimed = await stores.claimed()
    end = an_end(claimed, transition, fault=UNKNOWN, outcome_unknown=True)
    assert await stores.leases.finish(end)
    return claimed


@pytest.mark.parametrize("transition", [DELIVER, BOUNCE], ids=lambda each: str(each.name))
async def test_a_receipt_takes_what_was_sent_to_its_end(
    stores: Stores, transition: Transition
) -> None:
    sent = await stores.claimed()
    assert await stores.leases.finish(an_end(sent, SUCCEED))
    receipt = a_receipt(sent, transition)

    assert (await stores.receipts.apply([receipt])).changed == 1

    ended = await stores.get(sent.id)
    assert (ended.status, ended.fault) == (transition.target, receipt.fault)
    assert (ended.provider, ended.finished_at) == ("smtp", ended.sent_at)
    entry = (await stores.queries.timeline(sent.id))[-1]
    assert (entry.event, entry.attempt) == (transition.name, 1)
    assert (entry.provider, entry.provider_id) == ("sendgrid", "sg-1")
    assert entry.fault == receipt.fault


@pytest.mark.parametrize("end", [RETRY, FAIL], ids=lambda each: str(each.name))
@pytest.mark.parametrize("told", [SETTLE, DELIVER, BOUNCE], ids=lambda each: str(each.name))
async def test_an_unknown_outcome_is_settled_on_the_way(
    stores: Stores, end: Transition, told: Transition
) -> None:
    claimed = await unknown(stores, end)

    assert (await stores.receipts.apply([a_receipt(claimed, told)])).changed == 1

    applied = await stores.get(claimed.id)
    assert applied.status is told.target
    assert (applied.provider, applied.provider_id) == ("sendgrid", "sg-1")
    assert applied.fault == (A_BOUNCE if told is BOUNCE else None)
    assert applied.sent_at is not None
    assert applied.finished_at is not None
    assert applied.outcome_unknown
    way = ["settle"] if told is SETTLE else ["settle", told.name]
    assert await stores.events(claimed.id) == ["accept", "claim", end.name, *way]
    await stores.pass_time(60)
    assert await stores.upkeep.take_due(9, hold_s=1) == []
    assert await stores.dead_letters.take_unburied(9, hold_s=1) == []
    assert await stores.claim(envelope_of(claimed, 1)) is None
    assert (await stores.queries.account(service=None)).is_balanced


async def test_the_dead_letter_of_a_settled_failure_becomes_stale(stores: Stores) -> None:
    failed = await unknown(stores, FAIL)
    await stores.publications.mark_buried([envelope_of(failed, 1)])

    await stores.receipts.apply([a_receipt(failed, DELIVER)])

    assert await stores.dead_letters.channels_with_stale_dead_letters() == {failed.channel}
    letter = envelope_of(failed, 1)
    assert await stores.dead_letters.stale_dead_letters([letter]) == [letter]


@pytest.mark.parametrize("end", [RETRY, FAIL], ids=lambda each: str(each.name))
@pytest.mark.parametrize("told", [SETTLE, DELIVER, BOUNCE], ids=lambda each: str(each.name))
async def test_what_is_known_not_to_be_sent_is_never_revived(
    stores: Stores, end: Transition, told: Transition
) -> None:
    claimed = await stores.ended(end)
    before = await stores.get(claimed.id)

    assert (await stores.receipts.apply([a_receipt(claimed, told)])).changed == 0

    assert await stores.get(claimed.id) == before


async def test_receipts_never_go_backwards(stores: Stores) -> None:
    sent = await stores.ended(SUCCEED)
    order = (DELIVER, SETTLE, DELIVER, BOUNCE, DELIVER, BOUNCE, SETTLE)

    changed = [(await stores.receipts.apply([a_receipt(sent, each)])).changed for each in order]

    assert changed == [1, 0, 0, 1, 0, 0, 0]
    assert await stores.status(sent.id) is Status.BOUNCED
    assert await stores.events(sent.id) == ["accept", "claim", "succeed", "deliver", "bounce"]


async def test_receipts_of_one_call_build_on_one_another(stores: Stores) -> None:
    first, second = await unknown(stores, RETRY), await unknown(stores, FAIL)
    receipts = [
        a_receipt(first, DELIVER),
        a_receipt(second, BOUNCE),
        a_receipt(first, BOUNCE),
        a_receipt(second, DELIVER),
    ]

    assert (await stores.receipts.apply(receipts)).changed == 3

    assert (await stores.events(first.id))[-3:] == ["settle", "deliver", "bounce"]
    assert (await stores.events(second.id))[-2:] == ["settle", "bounce"]


async def test_an_event_counts_once_whoever_brings_it(store_url: str) -> None:
    async with open_stores(store_url) as one, open_stores(store_url) as two:
        sent = [await one.ended(SUCCEED) for _ in range(20)]
        receipts = [a_receipt(each, DELIVER) for each in sent]

        calls = [
            stores.receipts.apply(batch)
            for stores in (one, two)
            for batch in (receipts, receipts[::-1], receipts[5:] + receipts[:5])
        ]

        assert sum(each.changed for each in await asyncio.gather(*calls)) == 20
        assert (await one.receipts.apply(receipts + receipts)).changed == 0
        events = [await one.events(each.id) for each in sent]
        assert all(each.count("deliver") == 1 for each in events)


async def test_two_providers_may_use_the_same_event_id(stores: Stores) -> None:
    sent = await stores.ended(SUCCEED)
    first = a_receipt(sent, DELIVER, event_id="1")
    second = a_receipt(sent, BOUNCE, event_id="1", provider="twilio")

    assert (await stores.receipts.apply([first, second])).changed == 2


async def test_a_receipt_while_it_is_sent_again_changes_nothing_yet(stores: Stores) -> None:
    waiting = await unknown(stores, RETRY)
    again = await stores.claim(envelope_of(waiting, 1))
    assert again is not None
    receipt = a_receipt(again, DELIVER)

    assert await stores.receipts.apply([receipt]) == AppliedReceipts(0, (receipt,))
    assert await stores.status(again.id) is Status.PROCESSING

    assert await stores.leases.finish(an_end(again, SUCCEED))
    assert (await stores.receipts.apply([receipt])).changed == 1


async def test_a_receipt_for_nothing_we_know_is_no_error(stores: Stores) -> None:
    stranger = a_receipt(
        await stores.claimed(),
        DELIVER,
        id=a_submission().id,
        suppress_as=A_REASON,
    )
    nameless = a_receipt(await stores.claimed(), None, id=None, suppress_as=A_REASON)

    assert (await stores.receipts.apply([stranger, nameless])).changed == 0
    assert (await stores.receipts.apply([])).changed == 0


@pytest.mark.parametrize("transition", [BOUNCE, None])
@pytest.mark.parametrize("reason", list(SuppressionReason))
async def test_a_receipt_puts_its_address_on_the_suppression_list_once(
    stores: Stores, transition: Transition | None, reason: SuppressionReason
) -> None:
    sent = [await stores.ended(SUCCEED) for _ in range(2)]
    receipts = [a_receipt(each, transition, suppress_as=reason) for each in sent]

    applied = await stores.receipts.apply(receipts)

    assert applied.changed == (2 if transition else 1)
    (suppression,) = await stores.suppressions.list(service=None, channel=None, limit=9, after=None)
    assert suppression.reason == reason
    assert suppression.recipient == sent[0].recipient
    assert suppression.notification_id in {each.id for each in sent}


NOW = datetime.now(UTC)
UNSUBSCRIBED = SuppressionReason.UNSUBSCRIBED


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


async def listed(stores: Stores) -> list[SuppressionReason]:
    found = await stores.suppressions.list(service=None, channel=None, limit=9, after=None)
    return [each.reason for each in found]


@pytest.mark.parametrize("reason", list(SuppressionReason))
async def test_resubscribing_lifts_an_unsubscription_and_nothing_else(
    stores: Stores, reason: SuppressionReason
) -> None:
    first, second = [await stores.ended(SUCCEED) for _ in range(2)]
    await stores.receipts.apply([a_receipt(first, None, suppress_as=reason)])

    applied = await stores.receipts.apply([a_receipt(second, None, lift=UNSUBSCRIBED)])

    is_lifted = reason is UNSUBSCRIBED
    assert applied.changed == is_lifted
    assert await listed(stores) == ([] if is_lifted else [reason])
    assert ((await stores.events(first.id))[-1] == "unsuppress") == is_lifted


@pytest.mark.parametrize("is_late", [False, True])
async def test_what_happened_last_wins_in_one_call(stores: Stores, *, is_late: bool) -> None:
    sent = await stores.ended(SUCCEED)
    receipts = [
        a_receipt(sent, None, suppress_as=UNSUBSCRIBED, at=ago(60)),
        a_receipt(sent, None, lift=UNSUBSCRIBED, at=ago(30)),
    ]

    await stores.receipts.apply(receipts[::-1] if is_late else receipts)

    assert await listed(stores) == []


async def test_an_older_resubscription_lifts_no_newer_unsubscription(stores: Stores) -> None:
    sent = await stores.ended(SUCCEED)
    await stores.receipts.apply([a_receipt(sent, None, suppress_as=UNSUBSCRIBED, at=ago(30))])

    late = a_receipt(sent, None, lift=UNSUBSCRIBED, at=ago(60))

    assert (await stores.receipts.apply([late])).changed == 0
    assert await listed(stores) == [UNSUBSCRIBED]


async def test_an_older_unsubscription_that_comes_late_changes_nothing(stores: Stores) -> None:
    first, second = [await stores.ended(SUCCEED) for _ in range(2)]
    await stores.receipts.apply([a_receipt(first, None, lift=UNSUBSCRIBED, at=ago(30))])

    late = a_receipt(second, None, suppress_as=UNSUBSCRIBED, at=ago(60))
    assert (await stores.receipts.apply([late])).changed == 0
    assert await listed(stores) == []

    newer = a_receipt(second, None, suppress_as=UNSUBSCRIBED, at=ago(10))
    assert (await stores.receipts.apply([newer])).changed == 1
    assert await listed(stores) == [UNSUBSCRIBED]


async def test_a_late_complaint_counts_whatever_was_lifted(stores: Stores) -> None:
    sent = await stores.ended(SUCCEED)
    await stores.receipts.apply([a_receipt(sent, None, lift=UNSUBSCRIBED, at=ago(30))])
    complaint = SuppressionReason.SPAM_REPORT

    await stores.receipts.apply([a_receipt(sent, None, suppress_as=complaint, at=ago(60))])

    assert await listed(stores) == [complaint]


async def test_of_a_complaint_and_an_unsubscription_the_complaint_stays(stores: Stores) -> None:
    sent = await stores.ended(SUCCEED)
    complaint = SuppressionReason.SPAM_REPORT
    receipts = [
        a_receipt(sent, None, suppress_as=complaint, at=ago(60)),
        a_receipt(sent, None, suppress_as=UNSUBSCRIBED, at=ago(30)),
    ]

    await stores.receipts.apply(receipts)

    assert await listed(stores) == [complaint]


async def test_a_clock_ahead_of_ours_counts_as_now(stores: Stores) -> None:
    sent = await stores.ended(SUCCEED)
    ahead = ago(-3_600)
    await stores.receipts.apply([a_receipt(sent, None, suppress_as=UNSUBSCRIBED, at=ahead)])

    await stores.receipts.apply([a_receipt(sent, None, lift=UNSUBSCRIBED, at=ahead)])

    assert await listed(stores) == []


async def test_a_complaint_takes_the_place_of_an_unsubscription(stores: Stores) -> None:
    sent = await stores.ended(SUCCEED)
    await stores.receipts.apply([a_receipt(sent, None, suppress_as=UNSUBSCRIBED)])
    complaint = SuppressionReason.SPAM_REPORT

    await stores.receipts.apply([a_receipt(sent, None, suppress_as=complaint)])
    await stores.receipts.apply([a_receipt(sent, None, lift=UNSUBSCRIBED)])

    assert await listed(stores) == [complaint]


async def test_a_number_is_lifted_from_the_lists_of_all_services(stores: Stores) -> None:
    number = "+491701234567"
    for service in ("orders", "billing"):
        await stores.suppressions.add(
            service=service, channel=Channel.SMS, recipient=number, reason=UNSUBSCRIBED
        )
    for reason in (SuppressionReason.MANUAL, SuppressionReason.HARD_BOUNCE):
        await stores.suppressions.add(
            service=reason, channel=Channel.SMS, recipient=number, reason=reason
        )
    await stores.suppressions.add(
        service="orders", channel=Channel.IN_APP, recipient=number, reason=UNSUBSCRIBED
    )
    start = replace(
        a_receipt(await stores.claimed(), None, lift=UNSUBSCRIBED), id=None, number=number
    )

    assert (await stores.receipts.apply([start])).changed == 1

    assert sorted(await listed(stores)) == ["hard_bounce", "manual", "unsubscribed"]
    assert (await stores.receipts.apply([start])).changed == 0


async def test_a_complaint_while_it_is_sent_again_counts_at_once(stores: Stores) -> None:
    again = await stores.claimed()
    complaint = a_receipt(again, None, suppress_as=SuppressionReason.SPAM_REPORT)

    assert await stores.receipts.apply([complaint]) == AppliedReceipts(1)


async def test_a_known_event_does_not_suppress_again(stores: Stores) -> None:
    sent = await stores.ended(SUCCEED)
    receipt = a_receipt(sent, None, fault=A_FAULT, suppress_as=A_REASON)
    assert (await stores.receipts.apply([receipt])).changed == 1
    remove = partial(
        stores.suppressions.remove,
        service=sent.service,
        channel=sent.channel,
        recipient=sent.recipient,
        why="for this test",
    )
    assert await remove() == Lifted(frozenset({A_REASON}))

    assert (await stores.receipts.apply([receipt])).changed == 0
    assert await remove() == NotFound()


async def test_receipts_are_forgotten_after_a_week(stores: Stores) -> None:
    sent = await stores.ended(SUCCEED)
    await stores.receipts.apply([a_receipt(sent, DELIVER), a_receipt(sent, BOUNCE)])
    await stores.pass_time(7 * 86_400 - 60)
    assert await stores.receipts.purge() == 0
    await stores.pass_time(61)

    assert await stores.receipts.purge() == 2
    assert await stores.receipts.purge() == 0


async def test_a_long_call_is_settled_whole(stores: Stores) -> None:
    sent = await stores.ended(SUCCEED)
    strangers = [a_receipt(sent, DELIVER, id=a_submission().id) for _ in range(1_200)]

    assert (await stores.receipts.apply([*strangers, a_receipt(sent, DELIVER)])).changed == 1
