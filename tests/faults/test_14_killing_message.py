"""A message that kills its worker each time: it fails after its attempts, the others are sent."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from notifier.notification import Channel, OnUnknown, Status
from notifier.ports import NotificationFilter, RescuePolicy
from tests.faults.workers import (
    QUICK,
    Journal,
    Plan,
    Point,
    Trap,
    Ways,
    open_site,
    relaying,
    spawned,
)
from tests.services.postgres import Postgres

ATTEMPTS = 2


async def test_a_notification_that_kills_its_worker_fails_and_the_others_are_sent(
    postgres: Postgres, amqp_url: str, tmp_path: Path
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
            trap=Trap(point=Point.DURING, only=killer.id),
            ways=Ways(policy=policy, slots=1),
        )
        async with spawned(site, relay, plan) as flock:
            states = await site.settled(len(others) + 1)
            later = await site.send(5)
            await site.settled(len(others) + 1 + len(later))
            await site.drained(besides=["email_notifications.dead"])
        found = await site.stores.get(killer.id)
        dead = await site.depths()

    assert states == {Status.SENT: len(others), Status.FAILED: 1}
    assert (found.status, found.attempts) == (Status.FAILED, ATTEMPTS)
    assert len(flock.deaths) == ATTEMPTS
    assert journal.read() == Counter(
        {killer.id: ATTEMPTS, **{envelope.id: 1 for envelope in others + later}}
    )
    assert dead == {"email_notifications.dead": 1}


async def test_what_a_killing_notification_took_along_twice_does_not_meet_it_a_third_time(
    postgres: Postgres, amqp_url: str
) -> None:
    together = 40
    policy = RescuePolicy(max_attempts=8, on_unknown=OnUnknown.RESEND, spread_s=100)
    async with open_site(postgres, amqp_url) as site:
        deliveries = site.stores.deliveries
        envelopes = await site.accept(together)
        due_at_once = []
        for _ in range(2):
            for envelope in envelopes:
                assert await site.stores.claim(envelope)
            await deliveries.end_leases("worker-1")
            assert await deliveries.rescue(together, {Channel.EMAIL: policy}) == together
            envelopes = list(await deliveries.take_due(together, hold_s=0))
            due_at_once.append(len(envelopes))
        found = await site.stores.queries.list(
            NotificationFilter(), service=None, limit=together, after=None
        )

    assert due_at_once[0] == together
    assert due_at_once[1] < together / 2
    waits_s = [(each.due_at - each.updated_at).total_seconds() for each in found]
    assert 0 < max(waits_s) <= policy.spread_s
    assert len(set(waits_s)) > together / 2
