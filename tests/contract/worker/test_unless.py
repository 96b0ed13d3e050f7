"""What follows a notification is not sent once that has been read, or has arrived."""

from dataclasses import replace
from uuid import UUID

from uuid_utils import compat

from notifier.audience.inbox import Mark
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, Status
from notifier.notification.origin import Condition, Origin, Unless
from notifier.notification.transitions import DELIVER, SUCCEED
from notifier.providers.receipt import Receipt
from tests.contract.store.stores import a_message, a_submission, envelope_of
from tests.contract.worker.bench import Bench
from tests.unit.events.rules import IN_APP, SEND, World, an_event


def following(first: UUID, condition: Condition) -> Submission:
    unless = Unless(first, condition)
    return replace(a_submission(), origin=Origin(rule="order.shipped", unless=unless))


async def in_app(bench: Bench) -> Submission:
    first = a_submission(channel=Channel.IN_APP, recipient="u-7")
    await bench.stores.inbox.deliver(a_message(first))
    return first


async def test_what_was_read_is_not_sent_by_another_channel(bench: Bench) -> None:
    first = await in_app(bench)
    envelope = await bench.accept(following(first.id, Condition.READ))
    await bench.stores.inbox.mark("orders", "u-7", first.id, Mark.READ)

    stands = await bench.attempt(envelope)

    assert stands.fault
    assert (stands.status, stands.fault.code) == (Status.SUPPRESSED, "unless")
    assert bench.adapter.messages == []


async def test_what_was_not_read_is_sent_by_another_channel(bench: Bench) -> None:
    first = await in_app(bench)

    stands = await bench.attempt(await bench.accept(following(first.id, Condition.READ)))

    assert stands.status is Status.SENT


async def test_what_has_arrived_is_not_sent_again(bench: Bench) -> None:
    first = await bench.stores.ended(SUCCEED)
    not_yet = await bench.attempt(await bench.accept(following(first.id, Condition.DELIVERED)))
    receipt = Receipt(provider="smtp", event_id="1", id=first.id, transition=DELIVER)
    await bench.stores.receipts.apply([receipt])

    stands = await bench.attempt(await bench.accept(following(first.id, Condition.DELIVERED)))

    assert not_yet.status is Status.SENT
    assert stands.status is Status.SUPPRESSED


async def test_a_rules_fallback_is_sent_in_time_unless_the_inbox_was_read(bench: Bench) -> None:
    world = World()
    world.rules.add(steps=[IN_APP, {"delay": "10m"}, {"unless": "read"}, SEND])
    [match] = (await world.reactor().react(an_event())).matches
    first, fallback = (replace(each, send_at=None) for each in match.submissions)
    await bench.stores.intake.insert([first, fallback])
    await bench.stores.inbox.deliver(a_message(first))
    await bench.stores.inbox.mark("orders", "u-7", first.id, Mark.READ)

    stands = await bench.attempt(envelope_of(fallback))

    assert stands.origin == fallback.origin
    assert stands.fault
    assert (stands.status, stands.fault.code) == (Status.SUPPRESSED, "unless")


async def test_what_followed_something_that_is_gone_is_sent(bench: Bench) -> None:
    for condition in Condition:
        envelope = await bench.accept(following(compat.uuid7(), condition))
        assert (await bench.attempt(envelope)).status is Status.SENT
