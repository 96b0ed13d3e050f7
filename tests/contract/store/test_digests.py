"""Digests: every event in exactly one of its person and key, none lost, and none empty."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from notifier.errors import StoreRefusedError, StoreUnavailableError
from notifier.events.counts import Tally
from notifier.events.digest import Digest, DigestFilter, DigestState, Settling, Unfinished
from notifier.events.digesting import MOST_TRIES, DigestDuty
from notifier.events.event import Cancel, Event, Match, Outcome, Reaction, Taken
from notifier.idempotency import NotFound
from notifier.intake.ports import Submission
from notifier.notification.model import Notification
from notifier.store.events.closing import SqlDigests
from notifier.store.events.tables import digest_items, digests
from notifier.store.notification.settings import StoreSettings
from tests.contract.store.stores import Stores
from tests.events import VERSION, Rules, a_message, a_reaction, an_event, in_digest

OTHER_VERSION = UUID("019b0000-0000-7000-8000-00000000000b")


def added(id: str, user: str = "ada", **item: Any) -> Reaction:
    event = an_event(id, data={"user": user})
    return a_reaction(event, in_digest(event, **item))


async def record(stores: Stores, *reactions: Reaction) -> Any:
    return await stores.event_store.record(reactions)


async def close(stores: Stores) -> None:
    """Do what a relay does for digests, until there is nothing to do."""
    duty = DigestDuty(stores.digests, Rules(), Tally(stores.event_counts))
    while await stores.digests.take(limit=0, hold_s=0) or await duty.close():
        pass


async def sent(stores: Stores) -> list[str]:
    """Return what was sent: of each digest how many it holds, and of which events."""

    async def work(connection: Any) -> Sequence[UUID]:
        named = select(digests.c.notification_ids).where(digests.c.notification_ids.is_not(None))
        return [UUID(text.strip('[]"')) for text in await connection.scalars(named)]

    ids = await stores.database.read(work)
    found: list[Notification] = [await stores.get(each) for each in ids]
    return sorted(f"{each.recipient} {each.content}" for each in found)


async def test_what_comes_within_a_window_is_sent_as_one(stores: Stores) -> None:
    first, second, other = added("1"), added("2"), added("3", key="other")
    bob = added("4", user="bob")

    answers = await record(stores, first, second, other, bob)
    await close(stores)

    assert [answer.matched for answer in answers] == [1, 1, 1, 1]
    assert await sent(stores) == ["ada 1: 3", "ada 2: 1,2", "bob 1: 4"]
    stored = await stores.event_store.get(second.id, service=None)
    assert stored is not None
    (match,) = await stores.event_store.matches_of(stored)
    assert match.outcome is Outcome.MATCHED
    assert (await stores.get(match.notification_ids[0])).content == "2: 1,2"


async def test_nothing_is_sent_before_a_digest_is_due(stores: Stores) -> None:
    due_at = datetime.now(UTC) + timedelta(hours=1)
    await record(stores, added("1", due_at=due_at))

    await close(stores)
    before = await sent(stores)
    await record(stores, added("2", due_at=due_at + timedelta(hours=5)))
    await stores.pass_time(3_601)
    await close(stores)

    assert (before, await sent(stores)) == ([], ["ada 2: 1,2"])


async def test_what_meets_a_closed_digest_opens_the_next(stores: Stores) -> None:
    await record(stores, added("1"))
    (closed,) = await stores.digests.take(limit=9, hold_s=0)

    await record(stores, added("2"))
    await stores.digests.settle([Settling(closed, reason="a test's")])
    await close(stores)

    assert await sent(stores) == ["ada 1: 2"]


async def test_a_full_digest_is_closed_and_the_rest_opens_others(stores: Stores) -> None:
    due_at = datetime.now(UTC) + timedelta(hours=1)
    some = [added(str(nth), max_items=2, due_at=due_at) for nth in range(7)]

    await record(stores, *some[:3])
    await record(stores, *some[3:])
    await close(stores)

    assert await sent(stores) == ["ada 2: 0,1", "ada 2: 2,3", "ada 2: 4,5"]


async def test_the_first_of_a_window_may_be_sent_at_once(stores: Stores) -> None:
    def first(id: str) -> Reaction:
        event = an_event(id)
        match = in_digest(event, sends_first=True)
        return a_reaction(event, replace(match, submissions=[a_message("ada")]))

    some = [first(str(nth)) for nth in range(4)]
    taken = await record(stores, some[0], some[1])
    taken += await record(stores, *some[2:])
    await close(stores)

    assert [len(each.submissions) for each in taken if isinstance(each, Taken)] == [1, 0, 0, 0]
    assert await sent(stores) == ["ada 3: 1,2,3"]


async def test_a_digest_goes_by_the_version_of_its_first_item(stores: Stores) -> None:
    event = an_event("2")
    later = replace(in_digest(event), version_id=OTHER_VERSION)
    await record(stores, added("1"), a_reaction(event, later))

    (digest,) = await stores.digests.take(limit=9, hold_s=0)

    assert (digest.version_id, digest.count) == (VERSION, 2)


async def test_a_digest_shows_fifty_and_counts_all(stores: Stores) -> None:
    await record(stores, *(added(str(nth)) for nth in range(60)))

    (digest,) = await stores.digests.take(limit=9, hold_s=0)

    assert (digest.count, [each.event.id for each in digest.items]) == (
        60,
        [str(nth) for nth in range(50)],
    )


async def test_what_is_taken_back_is_in_no_digest(stores: Stores) -> None:
    def keyed(id: str, key: str) -> Reaction:
        event = an_event(id)
        return a_reaction(event, replace(in_digest(event), key=key))

    kept, gone = keyed("1", "a"), keyed("2", "b")
    await record(stores, kept, gone)
    (seen,) = await stores.digests.take(limit=9, hold_s=0)
    await record(stores, a_reaction(an_event("3"), cancels=[Cancel("shipped", "b")]))

    assert await stores.digests.settle([Settling(seen, [a_message("ada")])]) == []
    await close(stores)
    assert await sent(stores) == ["ada 1: 1"]

    await record(stores, keyed("4", "c"))
    await record(stores, a_reaction(an_event("5"), cancels=[Cancel("shipped", "c")]))
    await close(stores)
    assert await sent(stores) == ["ada 1: 1"]


async def test_a_digest_that_nobody_settled_is_given_out_again_and_settled_once(
    stores: Stores,
) -> None:
    await record(stores, added("1"))
    (seen,) = await stores.digests.take(limit=9, hold_s=30)
    assert await stores.digests.take(limit=9, hold_s=30) == ()

    await stores.pass_time(31)
    (again,) = await stores.digests.take(limit=9, hold_s=30)
    made = await Rules().finished(again)
    assert isinstance(made, list)

    assert (again.id, again.count) == (seen.id, seen.count)
    assert len(await stores.digests.settle([Settling(again, made)])) == 1
    assert await stores.digests.settle([Settling(seen, made)]) == []
    assert await sent(stores) == ["ada 1: 1"]


async def test_digests_are_forgotten_as_events_are(stores: Stores) -> None:
    await record(stores, added("1"))
    await close(stores)
    assert await stores.digests.purge() == 0

    await stores.pass_time(8 * 86_400)

    assert await stores.digests.purge() == 1


async def test_every_event_is_in_one_digest_over_repeats_and_kills(stores: Stores) -> None:
    chance = random.Random(7)  # noqa: S311  a test's
    events = [
        an_event(str(nth), data={"user": f"u{nth % 3}", "key": str(nth % 2)}) for nth in range(240)
    ]
    published = [*events, *chance.sample(events, 120)]
    chance.shuffle(published)
    left = [published[nth::6] for nth in range(6)]

    async def consume(own: list[Event]) -> None:
        """Take events ten at a time; whoever is killed takes the same once more."""
        while own:
            some = [a_reaction(each, _gathered(each)) for each in own[:10]]
            taking = asyncio.create_task(stores.event_store.record(some))
            if chance.random() < 0.2:
                await asyncio.sleep(0)
                taking.cancel()
                await asyncio.gather(taking, return_exceptions=True)
                continue
            await taking
            del own[:10]

    async def closing() -> None:
        duty = DigestDuty(stores.digests, Rules(), Tally(stores.event_counts), every_s=0)
        while any(left):
            running = asyncio.create_task(duty.close())
            if chance.random() < 0.2:
                await asyncio.sleep(0)
                running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    await asyncio.gather(*map(consume, left), closing(), closing())
    await stores.pass_time(60)
    await close(stores)

    assert await _flaws(stores, events) == []


def _gathered(event: Event) -> Match:
    data = event.data
    assert isinstance(data, dict)
    return in_digest(event, key=str(data["key"]))


async def _flaws(stores: Stores, events: Sequence[Event]) -> Sequence[str]:
    """Find what is wrong with the digests of these events."""

    async def work(connection: Any) -> tuple[Sequence[Any], Sequence[Any]]:
        held = (await connection.execute(select(digest_items))).all()
        told = digests.c["count"].label("told")
        return held, (await connection.execute(select(*digests.c, told))).all()

    held, found = await stores.database.read(work)
    by_id = {each.id: each for each in found}
    seen = Counter(each.source_id for each in held)
    flaws = [f"{each.id} is in {seen[each.id]}" for each in events if seen[each.id] != 1]
    own = {each.id: each for each in events}
    for item in held:
        digest, event = by_id[item.digest_id], own[item.source_id]
        if not isinstance(event.data, dict) or (digest.person, digest.key) != (
            event.data["user"],
            event.data["key"],
        ):
            flaws.append(f"{event.id} is in another's")
    counts = Counter(each.digest_id for each in held)
    flaws += [f"{each.id} is not settled" for each in found if each.settled_at is None]
    flaws += [f"{each.id} is empty" for each in found if not counts[each.id]]
    flaws += [f"{each.id} has another count" for each in found if each.told != counts[each.id]]
    flaws += [f"{each.id} was not sent" for each in found if not each.notification_ids]
    return flaws


async def test_digests_under_way_are_counted_and_the_oldest_that_is_due_is_known(
    stores: Stores,
) -> None:
    none = await stores.digest_store.under_way()
    now = datetime.now(UTC)
    await record(stores, added("1", due_at=now + timedelta(hours=1)))
    early = await stores.digest_store.under_way()
    await record(stores, added("2", user="bob", due_at=now - timedelta(minutes=9)))
    late = await stores.digest_store.under_way()
    await stores.digests.take(limit=9, hold_s=60)
    closed = await stores.digest_store.under_way()
    await close(stores)

    assert [(each.open, each.closed) for each in (none, early, late, closed)] == [
        (0, 0),
        (1, 0),
        (2, 0),
        (1, 1),
    ]
    assert (none.overdue_s, early.overdue_s) == (0, 0)
    assert 540 <= late.overdue_s < 640
    assert closed.overdue_s < 100


@dataclass
class Crashing(Rules):
    """Rules of which those for some people crash, or whose database is away."""

    error: Exception = field(default_factory=lambda: ValueError("a test's"))
    people: set[str] = field(default_factory=lambda: {"ada"})

    async def finished(self, digest: Digest) -> Sequence[Submission] | Unfinished:
        if digest.person in self.people:
            raise self.error
        return await super().finished(digest)


async def tried(stores: Stores, rules: Rules, times: int) -> None:
    duty = DigestDuty(stores.digests, rules, Tally(stores.event_counts))
    for _ in range(times):
        await duty.close()
        await stores.pass_time(3_601)


async def listed(stores: Stores, **filter: Any) -> list[tuple[str, str]]:
    found = await stores.digest_store.list(DigestFilter(**filter), limit=9, after=None)
    return sorted((each.person, each.state.value) for each in found)


async def test_what_cannot_be_finished_is_given_up_and_kept_for_a_replay(stores: Stores) -> None:
    await record(stores, added("1"), added("2"), added("3", user="bob"))

    await tried(stores, Crashing(), MOST_TRIES)
    before = await listed(stores)
    await tried(stores, Crashing(), 1)
    (failed,) = await stores.digest_store.list(
        DigestFilter(state=DigestState.FAILED, rule="shipped", service="orders"),
        limit=9,
        after=None,
    )
    stands = await stores.digest_store.under_way()

    assert before == [("ada", "closed"), ("bob", "sent")]
    assert (failed.person, failed.count, failed.notification_ids) == ("ada", 2, [])
    assert failed.reason == "notifier failed at it 12 times: see its log"
    assert (stands.open, stands.closed, stands.failed) == (0, 0, 1)
    assert isinstance(await stores.digest_store.replay(failed.id, service="other"), NotFound)

    await stores.digest_store.replay(failed.id, service="orders")
    await close(stores)
    await stores.digest_store.replay(failed.id, service=None)

    assert await sent(stores) == ["ada 2: 1,2", "bob 1: 3"]
    assert await listed(stores) == [("ada", "sent"), ("bob", "sent")]


async def test_all_digests_that_are_old_are_forgotten_however_many(stores: Stores) -> None:
    many = 501
    await record(stores, *(added(str(nth), user=f"u{nth}") for nth in range(many)))
    await close(stores)
    await stores.pass_time(8 * 86_400)

    assert await stores.digests.purge() == many


async def test_a_digest_that_failed_outlives_others_by_its_own_term(stores: Stores) -> None:
    await record(stores, added("1"), added("3", user="bob"))
    await tried(stores, Crashing(), MOST_TRIES + 1)

    await stores.pass_time(8 * 86_400)
    assert await stores.digests.purge() == 1
    assert await listed(stores) == [("ada", "failed")]

    await stores.pass_time(22 * 86_400)
    assert await stores.digests.purge() == 1
    assert await listed(stores) == []


async def test_what_ends_its_relay_whenever_it_is_taken_is_given_up(stores: Stores) -> None:
    await record(stores, added("1"))
    for _ in range(MOST_TRIES):
        await stores.digests.take(limit=9, hold_s=0)

    await tried(stores, Rules(), 1)

    assert await listed(stores) == [("ada", "failed")]


async def test_an_outage_counts_against_no_digest(stores: Stores) -> None:
    await record(stores, added("1"), added("2", user="bob"))
    away = Crashing(error=StoreUnavailableError("it is away"))

    for _ in range(MOST_TRIES + 1):
        with pytest.raises(StoreUnavailableError):
            await tried(stores, away, 1)
        await stores.pass_time(31)
    await tried(stores, Rules(), 1)

    assert await listed(stores) == [("ada", "sent"), ("bob", "sent")]


async def test_what_the_database_refuses_keeps_no_other_digest(stores: Stores) -> None:
    class Refusing(SqlDigests):
        async def settle(self, finished: Sequence[Settling]) -> Sequence[Settling]:
            if any(each.digest.person == "ada" and each.submissions for each in finished):
                raise StoreRefusedError("a test's")
            return await super().settle(finished)

    await record(stores, added("1"), added("2", user="bob"))
    refusing = Refusing(stores.database, StoreSettings())
    duty = DigestDuty(refusing, Rules(), Tally(stores.event_counts))

    await duty.close()
    early = await listed(stores)
    for _ in range(MOST_TRIES):
        await stores.pass_time(3_601)
        await duty.close()

    assert early == [("ada", "closed"), ("bob", "sent")]
    assert await listed(stores) == [("ada", "failed"), ("bob", "sent")]
