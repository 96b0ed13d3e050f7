"""A worker dies between its claim and the provider call: sent once, late by a lease at most."""

import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from notifier.notification.model import Channel, Status
from tests.faults.workers import (
    LEASE,
    SLOTS,
    Journal,
    JournalAdapter,
    Plan,
    Point,
    Trap,
    Ways,
    die,
    open_site,
    relaying,
    working,
)
from tests.servers.postgres import Postgres

LEASE_S = 2
SHORT = replace(LEASE, duration_s=LEASE_S, send_timeout_s=1)


async def test_what_a_killed_worker_had_claimed_is_sent_once_after_its_lease(
    postgres: Postgres, amqp_url: str, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal")
    async with open_site(postgres, amqp_url) as site, relaying(site) as relay:
        sent = await site.send(SLOTS)
        plan = Plan(
            database_url=site.database_url,
            amqp_url=amqp_url,
            journal=journal.path,
            trap=Trap(point=Point.CLAIMED, count=SLOTS),
            ways=Ways(lease=SHORT),
        )
        await die(site, relay, plan, ends_leases=False)
        died_s = time.monotonic()
        before = journal.read()
        async with working(site, {Channel.EMAIL: [JournalAdapter(journal)]}):
            states = await site.settled(len(sent))
            took_s = time.monotonic() - died_s
        await site.drained()

    assert not before
    assert states == {Status.SENT: len(sent)}
    assert journal.read() == Counter(envelope.id for envelope in sent)
    assert took_s < LEASE.duration_s / 2
