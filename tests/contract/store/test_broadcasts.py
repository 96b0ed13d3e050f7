"""Broadcasts: whose turn it is, what is recorded at once, and what stops it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from uuid_utils import compat

from notifier.broadcasts.broadcast import (
    Broadcast,
    Chunk,
    Counts,
    Refused,
    State,
    StoredBroadcast,
    Turn,
    Whom,
    notification_id,
)
from notifier.delivery.ports import RescuePolicy
from notifier.idempotency import Applied, Idempotency, NotFound, Remembered
from notifier.intake.ports import Submission
from notifier.notification.model import Channel, Lane, OnUnknown, Status
from tests.contract.store.stores import Stores, a_submission

HELD_S = 5.0


def a_broadcast(**changes: Any) -> Broadcast:
    usual: dict[str, Any] = {
        "id": compat.uuid7(),
        "service": "orders",
        "channel": Channel.EMAIL,
        "lane": Lane.BULK,
        "template": "news",
        "version_id": uuid4(),
        "whom": Whom(topic="news", excluded=frozenset({"u9"})),
        "variables": {"number": 10**30, "name": "Ada"},
    }
    return Broadcast(**{**usual, **changes})


async def accepted(stores: Stores, **changes: Any) -> UUID:
    broadcast = a_broadcast(**changes)
    assert await stores.broadcasts.accept(broadcast) == Applied()
    return broadcast.id


async def get(stores: Stores, id: UUID) -> StoredBroadcast:
    found = await stores.broadcasts.get(id, service=None)
    assert isinstance(found, StoredBroadcast)
    return found


async def take(stores: Stores, most_waiting: int = 100) -> Turn | None:
    return await stores.expansion.take(hold_s=HELD_S, most_waiting=most_waiting)


async def turn(stores: Stores) -> StoredBroadcast:
    taken = await take(stores)
    assert taken is not None
    return taken.broadcast


def mails(broadcast: StoredBroadcast, *user_ids: str) -> Sequence[Submission]:
    return [
        replace(
            a_submission(recipient=f"{each}@example.org", service=broadcast.service),
            id=notification_id(broadcast, each),
            lane=broadcast.lane,
            broadcast_id=broadcast.id,
        )
        for each in user_ids
    ]


def chunk(broadcast: StoredBroadcast, *user_ids: str, **changes: Any) -> Chunk:
    counts = replace(broadcast.counts, members=broadcast.counts.members + len(user_ids))
    usual: dict[str, Any] = {
        "broadcast": broadcast,
        "submissions": mails(broadcast, *user_ids),
        "counts": counts,
        "cursor": user_ids[-1] if user_ids else broadcast.cursor,
        "is_last": False,
        "fault": None,
    }
    return Chunk(**{**usual, **changes})


async def test_a_broadcast_is_kept_as_it_was_accepted(stores: Stores) -> None:
    wanted = a_broadcast(
        rate_per_s=7,
        send_at=datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1),
        whom=Whom(attributes={"plan": "pro"}),
    )
    await stores.broadcasts.accept(wanted)

    stored = await get(stores, wanted.id)

    told = {name: getattr(stored, name) for name in Broadcast.__dataclass_fields__}
    assert Broadcast(**told) == wanted
    assert (stored.state, stored.cursor, stored.counts) == (State.SCHEDULED, "", Counts())
    assert await stores.broadcasts.get(wanted.id, service="payments") == NotFound()


async def test_the_same_request_is_accepted_once(stores: Stores) -> None:
    key = Idempotency(service="orders", key="k", fingerprint="f", answer="a")

    assert await stores.broadcasts.accept(a_broadcast(), key) == Applied()
    assert await stores.broadcasts.accept(a_broadcast(), key) == Remembered("a")

    assert len(await stores.broadcasts.list(service="orders", limit=9, after=None)) == 1


async def test_broadcasts_are_listed_newest_first_and_by_service(stores: Stores) -> None:
    first, second = await accepted(stores), await accepted(stores)
    other = await accepted(stores, service="payments")

    async def listed(service: str | None, after: UUID | None = None) -> list[UUID]:
        found = await stores.broadcasts.list(service=service, limit=9, after=after)
        return [each.id for each in found]

    assert await listed(None) == [other, second, first]
    assert await listed("orders") == [second, first]
    assert await listed("orders", after=second) == [first]


async def test_those_that_have_not_ended_are_counted(stores: Stores) -> None:
    await accepted(stores)
    await stores.expansion.record(chunk(await turn(stores), is_last=True))
    paused = await accepted(stores)
    await stores.broadcasts.move(paused, State.PAUSED, service=None)
    await accepted(stores)

    assert await stores.broadcasts.under_way() == {
        State.SCHEDULED: 1,
        State.EXPANDING: 0,
        State.PAUSED: 1,
    }


async def test_one_at_a_time_has_the_turn_at_a_broadcast(stores: Stores) -> None:
    id = await accepted(stores)

    turns = await asyncio.gather(*(take(stores) for _ in range(4)))

    assert [each.broadcast.id for each in turns if each] == [id]
    assert (await get(stores, id)).state is State.EXPANDING
    await stores.pass_time(HELD_S + 1)
    assert (await turn(stores)).id == id


async def test_nobody_looks_at_what_is_to_begin_later(stores: Stores) -> None:
    await accepted(stores, send_at=datetime.now(UTC) + timedelta(hours=1))

    assert await take(stores) is None
    await stores.pass_time(3_601)
    assert await take(stores) is not None


async def test_a_turn_tells_what_waits_for_its_queue(stores: Stores) -> None:
    await accepted(stores)
    first = await turn(stores)
    await stores.expansion.record(chunk(first, "u1", "u2", "u3"))
    await stores.accept()

    taken, again = await take(stores), await take(stores, most_waiting=2)

    assert taken is not None
    assert (taken.waiting, again) == (3, None)
    await stores.expansion.put_off(taken.broadcast, 0)
    bounded = await take(stores, most_waiting=2)
    assert bounded is not None
    assert bounded.waiting == 2


async def test_a_chunk_is_accepted_with_the_place_where_it_ends(stores: Stores) -> None:
    id = await accepted(stores)
    broadcast = await turn(stores)

    await stores.expansion.record(chunk(broadcast, "u1", "u2"))

    stored = await get(stores, id)
    assert (stored.cursor, stored.counts) == ("u2", Counts(members=2, accepted=2))
    for mail in mails(broadcast, "u1", "u2"):
        assert await stores.status(mail.id) is Status.PENDING
        assert await stores.events(mail.id) == ["accept"]


async def test_the_last_chunk_ends_it(stores: Stores) -> None:
    id = await accepted(stores)
    broadcast = await turn(stores)

    await stores.expansion.record(chunk(broadcast, is_last=True, fault="variables.x: missing"))

    stored = await get(stores, id)
    assert (stored.state, stored.fault) == (State.DONE, "variables.x: missing")
    assert stored.finished_at is not None
    assert await take(stores) is None


async def test_of_two_who_looked_at_the_same_members_one_records_them(stores: Stores) -> None:
    id = await accepted(stores)
    broadcast = await turn(stores)

    found = await asyncio.gather(
        *(stores.expansion.record(chunk(broadcast, "u1", "u2")) for _ in range(3))
    )

    assert sum(each is not None for each in found) == 1
    assert (await get(stores, id)).counts == Counts(members=2, accepted=2)


async def test_who_is_there_twice_or_on_the_list_is_counted_as_that(stores: Stores) -> None:
    id = await accepted(stores)
    broadcast = await turn(stores)
    [listed] = mails(broadcast, "u3")
    await stores.suppress(listed)

    recorded = await stores.expansion.record(chunk(broadcast, "u1", "u1", "u3"))
    assert recorded is not None
    await stores.expansion.record(chunk(recorded, "u1"))

    counts = (await get(stores, id)).counts
    assert counts == Counts(members=4, accepted=1, suppressed={"suppressed": 1}, repeated=2)
    assert await stores.status(listed.id) is Status.SUPPRESSED
    assert await stores.events(listed.id) == ["accept", "suppress"]


async def test_a_relay_publishes_what_a_broadcast_came_to(stores: Stores) -> None:
    await accepted(stores)
    await stores.expansion.record(chunk(await turn(stores), "u1"))

    due = await stores.upkeep.take_due(9, hold_s=9, queues=[(Channel.EMAIL, Lane.BULK)])

    assert len(due) == 1


async def test_a_rate_is_spent_and_not_saved_up_for_long(stores: Stores) -> None:
    await accepted(stores, rate_per_s=10)
    taken = await take(stores)
    assert taken is not None
    assert 1 <= taken.paced_s < 10

    await stores.expansion.record(chunk(taken.broadcast, "u1", spent_s=30.0))

    after = await take(stores)
    assert after is not None
    assert -30 < after.paced_s < -20
    await stores.pass_time(3_600)
    rested = await take(stores)
    assert rested is not None
    await stores.expansion.record(chunk(rested.broadcast, "u2", spent_s=3.0))
    last = await take(stores)
    assert last is not None
    assert -2 < last.paced_s < 9


async def test_a_paused_one_is_left_alone_until_it_is_resumed(stores: Stores) -> None:
    id = await accepted(stores)
    broadcast = await turn(stores)

    for _ in range(2):
        assert await stores.broadcasts.move(id, State.PAUSED, service="orders") == Applied()
    assert await stores.expansion.record(chunk(broadcast, "u1")) is None
    assert await take(stores) is None
    assert (await get(stores, id)).counts == Counts()

    assert await stores.broadcasts.move(id, State.EXPANDING, service=None) == Applied()
    assert (await turn(stores)).id == id


async def test_one_that_did_not_begin_waits_for_its_time_once_it_is_resumed(
    stores: Stores,
) -> None:
    id = await accepted(stores, send_at=datetime.now(UTC) + timedelta(hours=1))

    for to in (State.EXPANDING, State.PAUSED, State.EXPANDING):
        await stores.broadcasts.move(id, to, service=None)

    assert (await get(stores, id)).state is State.SCHEDULED
    assert await take(stores) is None


async def test_what_has_ended_is_not_moved(stores: Stores) -> None:
    id = await accepted(stores)
    await stores.expansion.record(chunk(await turn(stores), is_last=True))

    for to in (State.PAUSED, State.EXPANDING, State.CANCELLED):
        moved = await stores.broadcasts.move(id, to, service=None)
        assert moved == Refused(State.DONE)
    assert await stores.broadcasts.move(uuid4(), State.PAUSED, service=None) == NotFound()
    other = await stores.broadcasts.move(id, State.PAUSED, service="payments")
    assert other == NotFound()


async def test_a_cancelled_one_takes_back_what_is_pending(stores: Stores) -> None:
    id = await accepted(stores)
    broadcast = await turn(stores)
    sent, *others = mails(broadcast, "u1", "u2", "u3", "u4")
    recorded = await stores.expansion.record(chunk(broadcast, "u1", "u2", "u3", "u4"))
    assert recorded is not None
    [due] = await stores.upkeep.take_due(1, hold_s=9, queues=[(Channel.EMAIL, Lane.BULK)])
    claimed = await stores.claim(due)
    assert claimed is not None

    assert await stores.broadcasts.move(id, State.CANCELLED, service="orders") == Applied()
    assert await stores.expansion.record(chunk(recorded, "u5")) is None
    assert [await stores.expansion.cancel(2) for _ in range(3)] == [2, 1, 0]

    statuses = [await stores.status(each.id) for each in (sent, *others)]
    assert sorted(statuses) == [*[Status.CANCELLED] * 3, Status.PROCESSING]
    stored = await get(stores, id)
    assert (stored.counts.cancelled, stored.finished_at) == (3, None)


async def test_what_comes_back_from_a_provider_is_cancelled_too(stores: Stores) -> None:
    id = await accepted(stores)
    await stores.expansion.record(chunk(await turn(stores), "u1"))
    [due] = await stores.upkeep.take_due(1, hold_s=9, queues=[(Channel.EMAIL, Lane.BULK)])
    assert await stores.claim(due, "dead")
    await stores.broadcasts.move(id, State.CANCELLED, service=None)
    assert await stores.expansion.cancel(9) == 0

    await stores.upkeep.end_leases("dead")
    policy = RescuePolicy(max_attempts=9, on_unknown=OnUnknown.RESEND)
    assert await stores.upkeep.rescue(9, {Channel.EMAIL: policy}) == 1
    await stores.pass_time(3)

    assert await stores.expansion.cancel(9) == 1
    assert (await get(stores, id)).finished_at is not None
