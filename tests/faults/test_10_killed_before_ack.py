"""A worker dies when it is recorded and not acknowledged: acknowledged later, never sent again."""

from collections import Counter
from pathlib import Path

from notifier.notification.model import Channel, Status
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


async def test_what_was_recorded_before_the_kill_is_not_sent_again(
    postgres: Postgres, amqp_url: str, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal")
    async with open_site(postgres, amqp_url) as site, relaying(site) as relay:
        sent = await site.send(SLOTS)
        plan = Plan(
            database_url=site.database_url,
            amqp_url=amqp_url,
            journal=journal.path,
            trap=Trap(point=Point.RECORDED, count=SLOTS),
        )
        await die(site, relay, plan)
        states = await site.states()
        async with working(site, {Channel.EMAIL: [JournalAdapter(journal)]}):
            await site.logged("delivery.skipped", SLOTS)
        await site.drained()
        account = await site.stores.queries.account(service=None)

    assert states == {Status.SENT: len(sent)}
    assert journal.read() == Counter(envelope.id for envelope in sent)
    assert account.outcome_unknown == account.late_completions == 0
