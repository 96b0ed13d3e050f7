"""Events: stored once, with all that comes of them."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

from notifier.events.event import (
    Cancel,
    Differs,
    EventFilter,
    Outcome,
    Reaction,
    Repeated,
    Taken,
    Throttle,
)
from notifier.notification.model import Status
from notifier.notification.origin import Origin
from tests.contract.store.stores import Stores
from tests.events import a_match, a_message, a_reaction, an_event


async def record(stores: Stores, *reactions: Reaction) -> Any:
    return await stores.event_store.record(reactions)


async def outcomes(stores: Stores, reaction: Reaction) -> list[tuple[Outcome, int]]:
    stored = await stores.event_store.get(reaction.id, service="orders")
    assert stored is not None
    found = await stores.event_store.matches_of(stored)
    return [(each.outcome, len(each.notification_ids)) for each in found]


async def test_an_event_is_stored_with_what_comes_of_it(stores: Stores) -> None:
    event = an_event(subject="17")
    reaction = a_reaction(event, a_match(event))

    (answer,) = await record(stores, reaction)

    (message,) = reaction.effects.matches[0].submissions
    assert answer == Taken(reaction.id, 1, [message], [Outcome.MATCHED])
    stored = await stores.event_store.get(reaction.id, service="orders")
    assert stored is not None
    assert (stored.event, stored.matched, stored.cancelled) == (event, 1, 0)
    assert await outcomes(stores, reaction) == [(Outcome.MATCHED, 1)]
    assert await stores.event_store.get(reaction.id, service="payments") is None
    assert (await stores.get(message.id)).recipient == "ada"


async def test_an_event_that_comes_again_has_no_second_effect(stores: Stores) -> None:
    event = an_event()
    first = a_reaction(event, a_match(event))
    await record(stores, first)

    again = a_reaction(event, a_match(event))
    other = a_reaction(an_event(data={"user": "ada", "order": 18}))
    assert await record(stores, again, other) == [Repeated(first.id, 1), Differs(first.id)]

    assert await stores.event_store.known([event, other.event, an_event("2")]) == [
        Repeated(first.id, 1),
        Differs(first.id),
        None,
    ]
    assert (
        await stores.queries.get(again.effects.matches[0].submissions[0].id, service=None) is None
    )


async def test_one_batch_may_hold_an_event_twice(stores: Stores) -> None:
    event = an_event()
    first, again = a_reaction(event, a_match(event)), a_reaction(event, a_match(event))

    taken, repeated = await record(stores, first, again)

    assert isinstance(taken, Taken)
    assert repeated == Repeated(first.id, 1)


async def test_of_many_who_bring_the_same_event_one_is_carried_out(stores: Stores) -> None:
    events = [an_event(str(nth % 5)) for nth in range(40)]
    reactions = [a_reaction(each, a_match(each)) for each in events]

    answers = await asyncio.gather(*(record(stores, each) for each in reactions))

    assert sum(isinstance(answer, Taken) for (answer,) in answers) == 5
    listed = await stores.event_store.list(EventFilter(service="orders"), limit=9, after=None)
    assert len(listed) == 5


async def test_a_rule_is_carried_out_once_for_a_key_and_person(stores: Stores) -> None:
    def keyed(id: str, user: str) -> Reaction:
        event = an_event(id, data={"user": user})
        return a_reaction(event, a_match(event, key="booking-1"))

    ada, again, bob = keyed("1", "ada"), keyed("2", "ada"), keyed("3", "bob")
    answers = await record(stores, ada, again, bob)
    later = keyed("4", "ada")
    await record(stores, later)

    assert [answer.matched for answer in answers] == [1, 0, 1]
    assert await outcomes(stores, ada) == [(Outcome.MATCHED, 1)]
    assert await outcomes(stores, again) == [(Outcome.REPEATED, 0)]
    assert await outcomes(stores, later) == [(Outcome.REPEATED, 0)]
    stored = await stores.event_store.get(again.id, service=None)
    assert stored is not None
    assert stored.matched == 0


async def test_a_throttle_lets_so_many_through_and_spares_what_comes_before_it(
    stores: Stores,
) -> None:
    def throttled(id: str) -> Reaction:
        event = an_event(id)
        two = [a_message("ada"), a_message("ada")]
        throttle = Throttle(count=2, per_s=60, spared=1)
        return a_reaction(event, a_match(event, submissions=two, throttle=throttle))

    first, second, third, fourth = (throttled(str(nth)) for nth in range(4))
    await record(stores, first, second, third)
    await record(stores, fourth)

    assert await outcomes(stores, first) == [(Outcome.MATCHED, 2)]
    assert await outcomes(stores, second) == [(Outcome.MATCHED, 2)]
    assert await outcomes(stores, third) == [(Outcome.THROTTLED, 1)]
    assert await outcomes(stores, fourth) == [(Outcome.THROTTLED, 1)]


async def test_what_a_rule_does_not_make_anything_of_is_shown_with_its_reason(
    stores: Stores,
) -> None:
    event = an_event()
    unmatched = a_match(
        event, person=None, outcome=Outcome.UNMATCHED, reason="data.total is not there"
    )
    reaction = a_reaction(event, unmatched)

    (answer,) = await record(stores, reaction)

    assert answer == Taken(reaction.id, 0, [], [Outcome.UNMATCHED])
    stored = await stores.event_store.get(reaction.id, service=None)
    assert stored is not None
    (match,) = await stores.event_store.matches_of(stored)
    assert (match.person, match.outcome, match.reason, match.notification_ids) == (
        None,
        Outcome.UNMATCHED,
        "data.total is not there",
        [],
    )


async def test_events_are_listed_newest_first_by_what_they_are(stores: Stores) -> None:
    shipped, paid = an_event("1"), an_event("2", type="order.paid", source="/bank")
    other = an_event("1", service="payments")
    await record(stores, a_reaction(shipped, a_match(shipped)), a_reaction(paid), a_reaction(other))

    async def listed(after: UUID | None = None, **filter: Any) -> list[tuple[str, str]]:
        found = await stores.event_store.list(EventFilter(**filter), limit=9, after=after)
        return [(each.event.service, each.event.type) for each in found]

    assert await listed() == [
        ("payments", "order.shipped"),
        ("orders", "order.paid"),
        ("orders", "order.shipped"),
    ]
    assert await listed(service="orders", is_matched=True) == [("orders", "order.shipped")]
    assert await listed(type="order.paid") == [("orders", "order.paid")]
    assert await listed(source="/shop", event_id="1", service="payments") == [
        ("payments", "order.shipped")
    ]
    newest = (await stores.event_store.list(EventFilter(), limit=1, after=None))[0]
    assert len(await listed(after=newest.id)) == 2


async def test_events_are_forgotten_after_a_week(stores: Stores) -> None:
    event = an_event()
    reaction = a_reaction(event, a_match(event, key="k", throttle=Throttle(count=1, per_s=60)))
    await record(stores, reaction)
    assert await stores.event_store.purge() == 0

    await stores.pass_time(8 * 86_400)

    assert await stores.event_store.purge() == 1
    assert await stores.event_store.get(reaction.id, service=None) is None
    again = a_reaction(event, a_match(event, key="k"))
    assert isinstance((await record(stores, again))[0], Taken)


async def test_an_event_takes_back_what_came_before_it_and_nothing_that_comes_after(
    stores: Stores,
) -> None:
    def sent(id: str, **origin: Any) -> Reaction:
        event = an_event(id)
        waiting = replace(a_message("ada"), origin=Origin(rule="shipped", key="17", **origin))
        return a_reaction(event, a_match(event, submissions=[waiting]))

    before, kept_back, after = sent("1"), sent("2", unless_event="order.lost"), sent("4")
    lost = a_reaction(an_event("3"), cancels=[Cancel("shipped", "17", unless_event="order.lost")])
    cancelled = a_reaction(an_event("5"), cancels=[Cancel("shipped", "17")])
    other = a_reaction(an_event("6"), cancels=[Cancel("shipped", "18"), Cancel("paid", "17")])

    await record(stores, before, kept_back, lost, other)
    first = [await status(stores, each) for each in (before, kept_back)]
    await record(stores, cancelled, after)

    assert first == [Status.PENDING, Status.CANCELLED]
    assert [await status(stores, each) for each in (before, kept_back, after)] == [
        Status.CANCELLED,
        Status.CANCELLED,
        Status.PENDING,
    ]
    counts = [await stores.event_store.get(each.id, service=None) for each in (lost, other, before)]
    assert [each.cancelled if each else None for each in counts] == [1, 0, 0]


async def status(stores: Stores, reaction: Reaction) -> Status:
    return await stores.status(reaction.effects.matches[0].submissions[0].id)
