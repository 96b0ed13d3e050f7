"""A message that kills its worker each time: it fails after its attempts, the others are sent."""

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from notifier.delivery.ports import RescuePolicy
from notifier.notification.model import Channel, OnUnknown, Status
from notifier.notification.reading import NotificationFilter
from notifier.queue.rabbitmq.topology import apply_topology
from tests.faults.workers import (
    QUICK,
    Journal,
    JournalAdapter,
    Plan,
    Point,
    Trap,
    Ways,
    open_site,
    relaying,
    spawned,
    working,
)
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMq
from tests.witness import witness_of

ATTEMPTS = 2
WORK, DEAD = "email_notifications", "email_notifications.dead"


@pytest.mark.parametrize("point", [Point.CLAIMED, Point.DURING])
async def test_a_notification_that_kills_its_worker_fails_and_the_others_are_sent(
    postgres: Postgres, amqp_url: str, tmp_path: Path, point: Point
) -> None:
    journal = Journal(tmp_path / "journal")
    policy = replace(QUICK, max_attempts=ATTEMPTS)
    async with open_site(postgres, amqp_url) as site, relaying(site, policy) as relay:
        (killer,) = await site.accept(1)
        others = await site.send(20)
        await site.publisher.publish([killer])
        plan = Plan(
            database_url=site.database_url,
            amqp_url=amqp_url,
            journal=journal.path,
            trap=Trap(point=point, only=killer.id),
            ways=Ways(policy=policy, slots=1),
        )
        async with spawned(site, relay, plan) as flock:
            states = await site.settled(len(others) + 1)
            later = await site.send(5)
            await site.settled(len(others) + 1 + len(later))
            await site.drained(besides=[DEAD])
            await site.holds(DEAD, 1)
        found = await site.stores.get(killer.id)
        dead = await site.depths()

    assert states == {Status.SENT: len(others), Status.FAILED: 1}
    assert (found.status, found.attempts) == (Status.FAILED, ATTEMPTS)
    assert len(flock.deaths) == ATTEMPTS
    handed_over = Counter(envelope.id for envelope in others + later)
    if point is Point.DURING:
        handed_over[killer.id] = ATTEMPTS
    assert journal.read() == handed_over
    assert dead == {DEAD: 1}


async def test_what_the_broker_gave_up_comes_back_within_seconds_and_is_sent(
    postgres: Postgres, rabbitmq: RabbitMq, amqp_url: str, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal")
    await asyncio.to_thread(apply_topology, amqp_url, rabbitmq.management_url)
    async with open_site(postgres, amqp_url) as site:
        (given_up,) = await site.send(1)
        await asyncio.to_thread(use_up, amqp_url)
        await site.holds(DEAD, 1)
        async with relaying(site):
            await site.holds(WORK, 1)
            await site.drained(besides=[WORK])
            async with working(site, {Channel.EMAIL: [JournalAdapter(journal)]}):
                states = await site.settled(1)
        events = await site.stores.events(given_up.id)

    assert states == {Status.SENT: 1}
    assert journal.read() == {given_up.id: 1}
    assert events == ["accept", "recall", "claim", "succeed"]


def use_up(amqp_url: str) -> None:
    """Take a message and give it back until the broker's limit."""
    with witness_of(amqp_url) as witness:
        while not witness.ready(DEAD):
            witness.refuse(WORK)


async def test_what_a_killing_notification_took_along_twice_does_not_meet_it_a_third_time(
    postgres: Postgres, amqp_url: str
) -> None:
    together = 40
    policy = RescuePolicy(max_attempts=8, on_unknown=OnUnknown.RESEND, spread_s=100)
    async with open_site(postgres, amqp_url) as site:
        upkeep = site.stores.upkeep
        envelopes = await site.accept(together)
        due_at_once = []
        for _ in range(2):
            for envelope in envelopes:
                assert await site.stores.claim(envelope)
            await upkeep.end_leases("worker-1")
            assert await upkeep.rescue(together, {Channel.EMAIL: policy}) == together
            envelopes = list(await upkeep.take_due(together, hold_s=0))
            due_at_once.append(len(envelopes))
        page = await site.stores.queries.list(
            NotificationFilter(), service=None, limit=together, after=None
        )

    assert due_at_once[0] == together
    assert due_at_once[1] < together / 2
    waits_s = [(each.due_at - each.updated_at).total_seconds() for each in page.items]
    assert 0 < max(waits_s) <= policy.spread_s
    assert len(set(waits_s)) > together / 2
