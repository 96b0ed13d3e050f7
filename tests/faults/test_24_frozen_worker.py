"""A frozen worker wakes after its leases ended: it overwrites nothing, and what it did counts."""

import os
import signal
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from notifier.delivery.attempt import Lease
from notifier.notification.model import Channel, Status
from tests.e2e.processes import workers_of
from tests.faults.workers import (
    LEASE,
    SLOTS,
    Journal,
    JournalAdapter,
    Plan,
    Point,
    Site,
    SlowAdapter,
    Trap,
    Ways,
    open_site,
    relaying,
    spawned,
    until,
    working,
)
from tests.servers.postgres import Postgres

SHORT = replace(LEASE, duration_s=1, send_timeout_s=0.5)
"""For a worker that finds no time left; a call that has begun would time out on a busy machine."""


def wake_up() -> None:
    (frozen,) = workers_of(os.getpid())
    os.kill(frozen, signal.SIGCONT)


async def all_are_late(site: Site) -> bool:
    account = await site.stores.queries.account(service=None)
    return account.late_completions == SLOTS


async def is_frozen() -> bool:
    return [state_of(worker) for worker in workers_of(os.getpid())] == ["T"]


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize(
    ("point", "lease", "doubled"), [(Point.DURING, LEASE, SLOTS), (Point.CLAIMED, SHORT, 0)]
)
async def test_a_worker_that_wakes_late_overwrites_nothing_and_is_counted(
    postgres: Postgres, amqp_url: str, tmp_path: Path, point: Point, lease: Lease, doubled: int
) -> None:
    journal = Journal(tmp_path / "journal")
    async with open_site(postgres, amqp_url) as site, relaying(site) as relay:
        sent = await site.send(SLOTS)
        plan = Plan(
            database_url=site.database_url,
            amqp_url=amqp_url,
            journal=journal.path,
            trap=Trap(point=point, count=SLOTS, blow=signal.SIGSTOP),
            ways=Ways(lease=lease),
        )
        async with spawned(site, relay, plan):
            await until(is_frozen)
            if lease is LEASE:
                await site.end_leases()
            await site.logged("relay.rescued")
            async with working(site, {Channel.EMAIL: [JournalAdapter(journal)]}):
                await site.settled(SLOTS)
            before = [await site.stores.get(envelope.id) for envelope in sent]
            wake_up()
            await until(partial(all_are_late, site))
            await site.drained()
        after = [await site.stores.get(envelope.id) for envelope in sent]

    assert after == before
    assert {each.status for each in after} == {Status.SENT}
    handed = journal.read()
    assert set(handed) == {envelope.id for envelope in sent}
    assert Counter(handed.values()) == ({2: SLOTS} if doubled else {1: SLOTS})


async def test_a_worker_that_wakes_late_does_not_end_an_attempt_of_another_one(
    postgres: Postgres, amqp_url: str, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal")
    slow = SlowAdapter(journal)
    async with open_site(postgres, amqp_url) as site, relaying(site) as relay:
        await site.send(SLOTS)
        plan = Plan(
            database_url=site.database_url,
            amqp_url=amqp_url,
            journal=journal.path,
            trap=Trap(point=Point.RETURNED, count=SLOTS, blow=signal.SIGSTOP),
            ways=Ways(lease=SHORT),
        )
        async with spawned(site, relay, plan):
            await site.logged("relay.rescued")
            async with working(site, {Channel.EMAIL: [slow]}):
                await slow.has_taken(SLOTS)
                wake_up()
                await until(partial(all_are_late, site))
                meanwhile = await site.states()
                slow.released.set()
                states = await site.settled(SLOTS)
        account = await site.stores.queries.account(service=None)

    assert meanwhile == {Status.PROCESSING: SLOTS}
    assert states == {Status.SENT: SLOTS}
    assert account.late_completions == SLOTS
