"""Row 22: a worker and the broker no longer reach each other; both live on."""

from tests.faults.brokers import (
    BRISK,
    SLOTS,
    Ledger,
    Node,
    accepted,
    open_node,
    until_async,
)
from tests.gateway import gateway_to
from tests.schema import postgres_database
from tests.servers.postgres import Postgres

POSTS = 60


async def test_a_worker_that_is_cut_off_sends_nothing_new_and_what_it_had_is_sent_once(
    postgres: Postgres, amqp_url: str
) -> None:
    """The broker gives what the first worker holds to the second, while the first still sends."""
    here, there = Ledger(), Ledger()
    here.open.clear()
    with postgres_database(postgres) as url:
        async with (
            gateway_to(amqp_url) as gateway,
            open_node(url, gateway.url, rabbit=BRISK) as cut_off,
            open_node(url, amqp_url) as other,
            other.api() as client,
            other.relaying(),
            cut_off.workers(here),
        ):
            ids = accepted(await client.post_many(POSTS))
            await until_async(lambda: is_busy(here))
            gateway.freeze()
            async with other.workers(there):
                await other.await_statuses(processing=SLOTS, sent=POSTS - SLOTS)
                here.open.set()
                await other.await_statuses(sent=POSTS)
            late = (await other.stores.queries.account(service=None)).late_completions
            gateway.thaw()

    assert here.handed_over.total() == SLOTS
    assert here.handed_over + there.handed_over == dict.fromkeys(ids, 1)
    assert late == 0


async def is_busy(ledger: Ledger) -> bool:
    return ledger.under_way == SLOTS


async def test_what_outlives_its_lease_in_a_partition_is_sent_again_and_counted(
    postgres: Postgres, amqp_url: str
) -> None:
    here, there = Ledger(), Ledger()
    here.open.clear()
    with postgres_database(postgres) as url:
        async with (
            gateway_to(amqp_url) as gateway,
            open_node(url, gateway.url, rabbit=BRISK) as cut_off,
            open_node(url, amqp_url) as other,
            other.api() as client,
            other.relaying(),
            cut_off.workers(here),
        ):
            ids = accepted(await client.post_many(POSTS))
            await until_async(lambda: is_busy(here))
            gateway.freeze()
            async with other.workers(there):
                await other.await_statuses(processing=SLOTS, sent=POSTS - SLOTS)
                await other.stores.upkeep.end_leases("worker-1")
                await other.await_statuses(sent=POSTS)
                here.open.set()
                await until_async(lambda: all_late(other))
            account = await other.stores.queries.account(service=None)
            gateway.thaw()

    sent = here.handed_over + there.handed_over
    assert set(sent) == ids
    assert sent.total() - POSTS == SLOTS == account.late_completions == account.outcome_unknown


async def all_late(node: Node) -> bool:
    return (await node.stores.queries.backlog()).late_completions == SLOTS
