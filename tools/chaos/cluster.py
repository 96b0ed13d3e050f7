"""Three RabbitMQ nodes and a pair of PostgreSQL servers, and the faults of such."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from tests.servers.cluster import Cluster, Member
from tests.servers.postgres_pair import PostgresPair
from tools.chaos.injectors import BROKER, DATABASE, Injector, Injectors, in_thread, on, on_each
from tools.chaos.outside import Outside, alarm, purge
from tools.chaos.plan import KINDS_OF_CLUSTER, Kind, Planned

NET_TICKTIME_S = 15
_UNNOTICED_S = 5


@contextmanager
def clustered(pair: PostgresPair, cluster: Cluster, *, synchronous: bool) -> Iterator[Outside]:
    """Three nodes and a pair, whose commits wait for the standby where it is `synchronous`."""
    name = pair.create_database()
    (version,) = pair.primary.fetch("SHOW server_version")[0]
    servers = [pair.primary, pair.standby]
    replication = "synchronous" if synchronous else "asynchronous"
    with cluster.vhost() as amqp_url:
        first = cluster.members[0].broker
        yield Outside(
            database_urls=[server.url(name).replace("+asyncpg", "") for server in servers],
            broker_urls=cluster.urls(amqp_url),
            management_url=first.management_url,
            postgresql=f"{version.split()[0]} with a standby, {replication}",
            rabbitmq=f"{first.version}, {len(cluster.members)} nodes",
            kinds=KINDS_OF_CLUSTER,
            injectors={
                Kind.MEMORY_ALARM: on(BROKER, partial(alarm, first)),
                Kind.QUEUES_PURGED: on(BROKER, partial(purge, first, amqp_url)),
                **_Nodes(cluster, amqp_url).injectors(),
                **_Servers(pair, synchronous=synchronous).injectors(),
            },
        )


class _Nodes:
    """Faults of nodes; each ends when the cluster is whole."""

    def __init__(self, cluster: Cluster, amqp_url: str) -> None:
        self._cluster = cluster
        self._amqp_url = amqp_url

    def injectors(self) -> Injectors:
        named = {member.name: member for member in self._cluster.members}

        def on_a_node(inject: Callable[[Member, Planned], Awaitable[None]]) -> Injector:
            return on_each(named, inject, part_of=lambda _name: BROKER)

        return {
            Kind.NODE_KILLED: on_a_node(self.kill),
            Kind.LEADERS_KILLED: on(BROKER, self.kill_leader),
            Kind.NODE_FROZEN: on_a_node(self.freeze),
            Kind.MINORITY: on_a_node(self.leave_alone),
            Kind.ROLLING_RESTART: on(BROKER, self.restart_all),
        }

    async def kill(self, member: Member, planned: Planned) -> None:
        await self._kill((member,), planned.hold_s)

    async def leave_alone(self, member: Member, planned: Planned) -> None:
        await self._kill(self._cluster.others(member), planned.hold_s)

    async def kill_leader(self, planned: Planned) -> None:
        leader = await asyncio.to_thread(self._first_leader)
        await self._kill((leader,), planned.hold_s)

    async def freeze(self, member: Member, planned: Planned) -> None:
        """Halt a node until the others give it up.

        Awake again it stays parted from them until somebody starts it again: RabbitMQ mends no
        partition that came of a halt.
        """
        await asyncio.to_thread(member.freeze)
        try:
            await asyncio.sleep(planned.hold_s)
        finally:
            await asyncio.to_thread(member.thaw)
        await asyncio.sleep(_UNNOTICED_S)
        await self._kill((member,), hold_s=0)

    async def restart_all(self, _planned: Planned) -> None:
        """An upgrade: one node after the other, each emptied before it is stopped."""
        for member in self._cluster.members:
            steps = (member.await_quorum, member.drain, member.stop, member.start)
            await in_thread(*steps, self._cluster.await_whole)

    def _first_leader(self) -> Member:
        """The node that leads most queues."""
        places = self._cluster.members[0].places(self._amqp_url).values()
        leaders = Counter(place.leader for place in places if place.leader is not None)
        return self._cluster.named(leaders.most_common(1)[0][0])

    async def _kill(self, members: Sequence[Member], hold_s: float) -> None:
        await in_thread(*(member.kill for member in members))
        try:
            await asyncio.sleep(hold_s)
        finally:
            await asyncio.to_thread(self._cluster.mend)


class _Servers:
    """Faults of the two servers; each ends when there is a primary with a standby again."""

    def __init__(self, pair: PostgresPair, *, synchronous: bool) -> None:
        self._primary = pair.primary
        self._standby = pair.standby
        self._synchronous = synchronous

    def injectors(self) -> Injectors:
        return {
            Kind.DATABASE_RESTARTED: on(DATABASE, self.restart),
            Kind.PRIMARY_KILLED: on(DATABASE, self.fail_over),
            Kind.PRIMARY_KILLED_ALONE: on(DATABASE, self.fail_over_to_laggard),
            Kind.STANDBY_AWAY: on(DATABASE, self.send_standby_away),
        }

    async def restart(self, _planned: Planned) -> None:
        primary = self._primary
        await in_thread(primary.kill, primary.start, primary.wait_for_standby)

    async def fail_over(self, planned: Planned) -> None:
        """Promote the standby, and make the old primary its standby."""
        await in_thread(self._primary.kill)
        await asyncio.sleep(planned.hold_s)  # until somebody notices
        await self._promote()

    async def fail_over_to_laggard(self, planned: Planned) -> None:
        """The same with a standby that has heard nothing from the primary for some time."""
        await in_thread(self._standby.stop_receiving)
        await asyncio.sleep(planned.hold_s)
        await in_thread(self._primary.kill)
        await self._promote()

    async def _promote(self) -> None:
        self._primary, self._standby = self._standby, self._primary
        primary, standby = self._primary, self._standby
        # Who commits alone loses it in a failover: there is none before the standby is back.
        await in_thread(primary.promote, primary.commit_alone)
        await in_thread(partial(standby.follow, primary), primary.wait_for_standby)
        if self._synchronous:
            await in_thread(primary.commit_on_standby)

    async def send_standby_away(self, planned: Planned) -> None:
        await in_thread(self._standby.kill)
        await asyncio.sleep(planned.hold_s)
        await in_thread(self._standby.start, self._primary.wait_for_standby)
