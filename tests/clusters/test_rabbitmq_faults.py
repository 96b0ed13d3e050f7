"""notifier on three nodes of RabbitMQ that are killed, hang, and are restarted one by one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from notifier.errors import QueueUnavailableError
from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel
from notifier.queue.rabbitmq.connection import RabbitSettings, Search
from notifier.queue.rabbitmq.queue import RabbitQueue, open_rabbit_queue
from notifier.queue.rabbitmq.topology import apply_topology, dead_queue_depths
from notifier.queue.topology import QUEUES, WORK_QUEUES, QueueSpec
from tests.clock import SystemClock
from tests.faults.brokers import (
    WORK,
    Client,
    Ledger,
    Node,
    accepted,
    open_node,
    until_async,
)
from tests.patience import AT_ALL_S
from tests.schema import postgres_database
from tests.servers.cluster import Cluster, Member
from tests.servers.postgres import Postgres
from tests.waiting import require

RABBIT = RabbitSettings(connection_name="notifier-test", heartbeat_s=2, watch_s=0.5)
ANYWHERE, AT_THE_FIRST = Search(), Search(first=lambda: 0)
SETTLED_AFTER_S = 5
SOON_S = 40
"""Less than the minute that it takes RabbitMQ to give a node up."""
"""After an election; a channel that is refused on is replaced after one second."""


@dataclass(frozen=True, slots=True)
class Stack:
    """An API under load, and workers, on all nodes of a cluster."""

    front: Node
    client: Client
    ledger: Ledger
    ids: list[UUID] = field(default_factory=list)

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Send a few mails again and again; each must be accepted."""
        enough = asyncio.Event()

        async def send() -> None:
            # What is under way is waited for: who gives it up never learns of its ids.
            while not enough.is_set():
                self.ids.extend(accepted(await self.client.post_many(2)))
                await asyncio.sleep(0.2)  # a rate that a busy machine can follow

        sending = asyncio.create_task(send())
        try:
            yield
            assert not sending.done()
        finally:
            enough.set()
            await asyncio.wait({sending})

    async def hand_over_more(self) -> None:
        """Wait until what is accepted from now on is handed over."""
        wanted = len(self.ids) + 10
        await until_async(partial(self._has_handed_over, wanted), timeout_s=AT_ALL_S)

    async def _has_handed_over(self, wanted: int) -> bool:
        return len(self.ids) >= wanted and set(self.ids[:wanted]) <= set(self.ledger.handed_over)

    async def assert_all_are_sent_once(self) -> None:
        await self.front.await_statuses(sent=len(self.ids), timeout_s=AT_ALL_S)
        assert self.ledger.handed_over == dict.fromkeys(self.ids, 1)


@asynccontextmanager
async def stack_on(
    postgres: Postgres, broker_url: str, *, search: Search = ANYWHERE
) -> AsyncIterator[Stack]:
    ledger = Ledger()
    with postgres_database(postgres) as url:
        opened = partial(open_node, url, broker_url, rabbit=RABBIT, search=search)
        async with (
            opened() as front,
            opened() as back,
            front.api() as client,
            back.workers(ledger),
            back.relaying(),
        ):
            yield Stack(front, client, ledger)


@pytest.fixture
def broker_url(cluster: Cluster, vhost_url: str) -> str:
    """All nodes, with notifier's queues on them."""
    apply_topology(vhost_url, cluster.members[0].broker.management_url)
    return ",".join(cluster.urls(vhost_url))


@pytest.mark.usefixtures("broker_url")
async def test_a_killed_leader_stops_publishing_for_seconds_and_loses_nothing(
    postgres: Postgres, cluster: Cluster, vhost_url: str
) -> None:
    leader = await asyncio.to_thread(cluster.leader, vhost_url, WORK)
    others = cluster.others(leader)
    # All clients are on it, and connect to another in the moment after.
    url = ",".join(member.url(vhost_url) for member in (leader, *others))
    async with stack_on(postgres, url, search=AT_THE_FIRST) as stack:
        async with stack.load():
            await stack.hand_over_more()
            await asyncio.to_thread(leader.kill)
            another = partial(leads, others[0], vhost_url, leader)
            await require(another, timeout_s=AT_ALL_S, what="another leader")
            await asyncio.sleep(SETTLED_AFTER_S)
            with capture_logs() as logs:
                for _ in range(3):
                    await stack.hand_over_more()
        await stack.assert_all_are_sent_once()

    assert [log for log in logs if log["event"] == "publish.failed"] == []


@pytest.mark.usefixtures("broker_url")
async def test_whoever_publishes_first_just_after_a_leaders_death_is_served_within_seconds(
    cluster: Cluster, vhost_url: str
) -> None:
    """RabbitMQ 3.10 refuses all that comes on such a channel, until the dead node is back."""
    leader = await asyncio.to_thread(cluster.leader, vhost_url, WORK)
    url = cluster.others(leader)[0].url(vhost_url)
    async with AsyncExitStack() as stack:
        opened = [open_rabbit_queue(url, RABBIT, SystemClock()) for _ in range(8)]
        queues = [await stack.enter_async_context(each) for each in opened]
        killing = asyncio.create_task(asyncio.to_thread(leader.kill))
        for queue in queues:
            await takes(queue)
        await killing
        for queue in queues:
            await require(partial(takes, queue), timeout_s=AT_ALL_S, what="a publish")


async def takes(queue: RabbitQueue) -> bool:
    return await queue.publish([an_envelope(QUEUES[WORK])]) == [None]


async def leads(asked: Member, vhost_url: str, but: Member) -> bool:
    place = (await asyncio.to_thread(asked.places, vhost_url))[WORK]
    return place.leader not in {None, but.name}


async def test_a_minority_accepts_and_confirms_nothing_and_is_drained_afterwards(
    postgres: Postgres, cluster: Cluster, broker_url: str
) -> None:
    one, other, _ = cluster.members
    async with stack_on(postgres, broker_url) as stack:
        async with stack.load():
            await stack.hand_over_more()
        await stack.assert_all_are_sent_once()
        for member in (one, other):
            await asyncio.to_thread(member.kill)
        before = len(stack.ids)
        async with stack.load():
            await until_async(partial(has_grown, stack, before + 20))
        [refusal] = await stack.front.queue.publish([an_envelope(QUEUES[WORK])])
        statuses = await stack.front.statuses()
        await asyncio.to_thread(cluster.mend)
        await stack.assert_all_are_sent_once()

    assert refusal is not None
    assert statuses == {"sent": before, "pending": len(stack.ids) - before}


async def has_grown(stack: Stack, count: int) -> bool:
    return len(stack.ids) >= count


async def test_nodes_that_are_drained_and_restarted_one_by_one_interrupt_nobody(
    postgres: Postgres, cluster: Cluster, broker_url: str
) -> None:
    async with stack_on(postgres, broker_url) as stack:
        async with stack.load():
            for member in cluster.members:
                await asyncio.to_thread(member.await_quorum)
                await asyncio.to_thread(member.drain)
                await asyncio.to_thread(member.stop)
                await stack.hand_over_more()
                await asyncio.to_thread(member.start)
        await stack.assert_all_are_sent_once()


async def test_whoever_connects_while_a_node_hangs_is_soon_ready_on_another(
    cluster: Cluster, vhost_url: str, broker_url: str
) -> None:
    hanging = cluster.members[0]
    places = await asyncio.to_thread(hanging.places, vhost_url)
    led = next(spec for spec in WORK_QUEUES if places[spec.name].leader != hanging.name)
    hanging.freeze()
    async with open_rabbit_queue(broker_url, RABBIT, SystemClock(), search=AT_THE_FIRST) as queue:
        # Each of the two connections asks the hanging node first: that one of them is ready says
        # nothing of the other.
        await require(partial(confirms, queue, led), timeout_s=SOON_S, what="a confirmation")
        await require(partial(answers, queue), timeout_s=SOON_S, what="an answer")
    depths = await asyncio.to_thread(dead_queue_depths, broker_url)

    assert depths == dict.fromkeys(Channel, 0)


def an_envelope(spec: QueueSpec) -> Envelope:
    assert spec.lane
    return Envelope(id=uuid4(), channel=spec.channel, lane=spec.lane, attempt=0)


async def confirms(queue: RabbitQueue, spec: QueueSpec) -> bool:
    return await queue.publish([an_envelope(spec)]) == [None]


async def answers(queue: RabbitQueue) -> bool:
    try:
        await queue.ping()
    except QueueUnavailableError:
        return False
    return True
