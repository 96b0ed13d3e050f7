"""A worker dies during the provider call, or before it could record it: nobody knows the outcome.

It is sent again, and counted as of unknown outcome; or held, where the policy says so.
"""

from collections import Counter
from pathlib import Path

import pytest

from notifier.notification.model import Channel, OnUnknown, Status
from tests.faults.workers import (
    SLOTS,
    Journal,
    JournalAdapter,
    Plan,
    Point,
    Trap,
    die,
    open_site,
    relaying,
    working,
)
from tests.servers.postgres import Postgres

HALF = SLOTS // 2


@pytest.mark.parametrize("point", [Point.DURING, Point.RETURNED])
async def test_what_may_have_been_sent_is_counted_and_sent_once_more_or_held(
    postgres: Postgres, amqp_url: str, tmp_path: Path, point: Point
) -> None:
    journal = Journal(tmp_path / "journal")
    async with open_site(postgres, amqp_url) as site, relaying(site) as relay:
        resent = await site.send(HALF)
        held = await site.send(HALF, on_unknown=OnUnknown.HOLD)
        plan = Plan(
            database_url=site.database_url,
            amqp_url=amqp_url,
            journal=journal.path,
            trap=Trap(point=point, count=SLOTS),
        )
        await die(site, relay, plan)
        before = journal.read()
        async with working(site, {Channel.EMAIL: [JournalAdapter(journal)]}):
            later = await site.send(3)
            states = await site.settled(SLOTS + 3)
            await site.drained(besides=["email_notifications.dead"])
        account = await site.stores.queries.account(service=None)
        found = [await site.stores.get(envelope.id) for envelope in resent + held]
        dead = await site.depths()

    twice = Counter({envelope.id: 2 for envelope in resent})
    assert before == Counter(envelope.id for envelope in resent + held)
    assert journal.read() == twice + Counter(envelope.id for envelope in held + later)
    assert states == {Status.SENT: HALF + 3, Status.FAILED: HALF}
    assert all(each.outcome_unknown for each in found)
    assert account.outcome_unknown == SLOTS
    assert dead == {"email_notifications.dead": HALF}
