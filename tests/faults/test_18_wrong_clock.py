"""A worker's clock is an hour off: leases, due times and expiry go by the database's."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Message, Status
from notifier.notification.outcomes import Outcome
from tests.clock import SystemClock
from tests.contract.store.stores import a_submission
from tests.contract.worker.bench import Hold
from tests.faults.workers import (
    LEASE,
    Journal,
    JournalAdapter,
    Site,
    Ways,
    open_site,
    relaying,
    until,
    working,
)
from tests.servers.postgres import Postgres

HOUR = timedelta(hours=1)
HALF_AN_HOUR = timedelta(minutes=30)
ROUNDS = timedelta(seconds=0.5)
"""Several rounds of the relay."""


@dataclass(frozen=True, slots=True)
class WrongClock:
    """A clock that is off, since the machine was set or started."""

    off: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.off

    def monotonic_s(self) -> float:
        return SystemClock().monotonic_s() + self.off.total_seconds()


class HeldAdapter(JournalAdapter):
    """A provider that takes its time."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.hold = Hold()

    async def send(self, message: Message) -> Outcome:
        outcome = await super().send(message)
        await self.hold.passed()
        return outcome


async def is_sent(site: Site, envelope: Envelope) -> bool:
    return await site.stores.status(envelope.id) is Status.SENT


@pytest.mark.parametrize("off", [HOUR, -HOUR], ids=["ahead", "behind"])
async def test_a_worker_with_a_wrong_clock_rescues_sends_and_expires_nothing_at_a_wrong_time(
    postgres: Postgres, amqp_url: str, tmp_path: Path, off: timedelta
) -> None:
    journal = Journal(tmp_path / "journal")
    slow = HeldAdapter(journal)
    now = datetime.now(UTC)
    wrong = Ways(lease=replace(LEASE, held_by="wrong"), clock=WrongClock(off))
    async with open_site(postgres, amqp_url, WrongClock(off)) as site:
        async with working(site, {Channel.SMS: [slow]}):
            (held,) = await site.send(1, channel=Channel.SMS)
            await slow.hold.reached.wait()
            (valid,) = await site.send(1, expires_at=now + HALF_AN_HOUR)
            (scheduled,) = await site.accept(1, send_at=now + HALF_AN_HOUR)
            (overdue,) = await site.accept_all(
                [replace(a_submission(), expires_at=now - timedelta(seconds=5))]
            )
            await site.publisher.publish([overdue])
            async with (
                relaying(site),
                working(site, {Channel.EMAIL: [JournalAdapter(journal)]}, wrong),
            ):

                async def others_are_final() -> bool:
                    found = [await site.stores.status(each.id) for each in (valid, overdue)]
                    return all(status.is_final for status in found)

                await until(others_are_final)
                # What comes up after that went through the relay, which has looked around since.
                (later,) = await site.accept(1, send_at=datetime.now(UTC) + ROUNDS)
                await until(partial(is_sent, site, later))
                before = await site.stores.status(held.id)
            slow.hold.released.set()
        statuses = [await site.stores.status(each.id) for each in (held, valid, scheduled, overdue)]
        account = await site.stores.queries.account(service=None)

    assert before is Status.PROCESSING
    assert statuses == [Status.SENT, Status.SENT, Status.PENDING, Status.EXPIRED]
    assert set(journal.read().items()) == {(held.id, 1), (valid.id, 1), (later.id, 1)}
    assert account.outcome_unknown == account.late_completions == 0
    assert not site.lines("relay.rescued")
