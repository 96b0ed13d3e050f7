"""What accidents and operators do to the broker's model, in virtual time."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import closing
from functools import partial
from typing import Any, TypeAlias

import pytest
from pamqp.commands import Basic, Connection

from notifier.queue import topology
from notifier.queue.topology import Policy
from tests.contract.broker.client import Ended, Line, connected
from tests.simulation.broker.server import DYING_RETRY_S, Broker, Depth
from tests.simulation.broker.versions import V3_10, V4_0, V4_3, Version
from tests.simulation.loop import Process, WorldLoop
from tests.simulation.network import Network

URL = "amqp://guest:guest@broker:5672/"
EMAIL, DEAD = "email_notifications", "email_notifications.dead"
KEY = "email.normal"

Script: TypeAlias = Callable[[Broker], Coroutine[Any, Any, None]]


def played(
    script: Script, version: Version = V4_0, journal: Callable[[str], None] | None = None
) -> None:
    """Play `script` with a broker that has notifier's topology."""
    with closing(WorldLoop(random.Random(1))) as loop:
        loop.network = network = Network(loop, random.Random(2))
        process = Process("broker", loop)
        broker = process.run(partial(Broker, loop, version=version, journal=journal))
        broker.lay_out()
        network.listen("broker", 5672, process, broker.connection)
        loop.live(Process("client", loop), script(broker))


async def opened(line: Line, *bodies: bytes) -> Line:
    """Have what is published confirmed, and publish to the queue of mail."""
    await line.select()
    for body in bodies:
        line.write(KEY, body, exchange=topology.WORK_EXCHANGE)
        await line.await_method(Basic.Ack)
    return line


async def refused() -> None:
    """Try in vain to connect."""
    with pytest.raises(Ended):
        async with connected(URL):
            pytest.fail("connected to a broker that is down")


def bodies_in(broker: Broker, queue: str) -> list[bytes]:
    return [letter.body for letter in broker.ready(queue)]


# --- accidents ------------------------------------------------------------------------------------


def test_a_restart_loses_connections_and_keeps_messages() -> None:
    async def script(broker: Broker) -> None:
        async with connected(URL) as client:
            line = await opened(await client.line(), b"1", b"2")
            await line.prefetch(1)
            await line.consume(EMAIL, "c")
            await line.await_mail()
            assert broker.depths()[EMAIL] == Depth(ready=1, unacked=1, dying=0)

            broker.restart(5)

            with pytest.raises(Ended):
                await line.next()
        await refused()
        await asyncio.sleep(5)
        async with connected(URL) as client:
            line = await client.line()
            await line.consume(EMAIL, "c")
            first, second = await line.await_mail(), await line.await_mail()
            assert [(first.body, first.is_again), (second.body, second.is_again)] == [
                (b"1", True),
                (b"2", False),
            ]

    played(script)


def test_a_message_is_returned_by_each_consumer_that_a_restart_loses() -> None:
    """The queue hears of lost consumers one by one, and serves those it did not hear of yet."""

    async def script(broker: Broker) -> None:
        async with connected(URL) as one, connected(URL) as other, connected(URL) as third:
            await opened(await one.line(), b"1")
            for client in (one, other, third):
                line = await client.line()
                await line.prefetch(1)
                await line.consume(EMAIL, "c")

            broker.restart(1)

            [letter] = broker.ready(EMAIL)
            assert letter.failures == 3

    played(script)


def test_a_connection_that_is_cut_gives_back_what_it_had() -> None:
    async def script(broker: Broker) -> None:
        async with connected(URL) as client, connected(URL) as other:
            await opened(await other.line(), b"1")
            line = await client.line()
            await line.consume(EMAIL, "c")
            await line.await_mail()
            cut, kept = broker.connections

            broker.cut(cut)

            with pytest.raises(Ended):
                await line.next()
            assert bodies_in(broker, EMAIL) == [b"1"]
            assert broker.connections == [kept]

    played(script)


def test_a_refused_message_is_in_no_queue() -> None:
    async def script(broker: Broker) -> None:
        async with connected(URL) as client:
            line = await opened(await client.line())
            broker.refuse_publishes(on=True)

            line.write(KEY, b"1", exchange=topology.WORK_EXCHANGE)

            await line.await_method(Basic.Nack)
            assert bodies_in(broker, EMAIL) == []
            broker.refuse_publishes(on=False)
            line.write(KEY, b"2", exchange=topology.WORK_EXCHANGE)
            assert (await line.await_method(Basic.Ack)).delivery_tag == 2
            assert bodies_in(broker, EMAIL) == [b"2"]

    played(script)


def test_what_nobody_gets_is_returned_though_publishes_are_refused() -> None:
    async def script(broker: Broker) -> None:
        async with connected(URL) as client:
            line = await opened(await client.line())
            broker.refuse_publishes(on=True)

            line.write(topology.NOWHERE, b"1", exchange=topology.WORK_EXCHANGE)

            await line.await_mail()
            await line.await_method(Basic.Ack)

    played(script)


def test_confirms_that_are_held_come_together_in_the_end() -> None:
    async def script(broker: Broker) -> None:
        async with connected(URL) as client:
            line = await opened(await client.line())
            broker.hold_confirms(on=True)
            for body in (b"1", b"2", b"3"):
                line.write(KEY, body, exchange=topology.WORK_EXCHANGE)
            await (await client.line()).finds(EMAIL, ready=3)

            broker.hold_confirms(on=False)

            ack = await line.await_method(Basic.Ack)
            assert (ack.delivery_tag, ack.multiple) == (3, True)

    played(script)


def test_a_message_whose_confirm_is_lost_is_in_its_queue() -> None:
    async def script(broker: Broker) -> None:
        async with connected(URL) as client, connected(URL) as other:
            line = await opened(await client.line())
            broker.lose_confirm(lambda: None)

            line.write(KEY, b"1", exchange=topology.WORK_EXCHANGE)

            with pytest.raises(Ended):
                await line.next()
            assert bodies_in(broker, EMAIL) == [b"1"]
            await opened(await other.line(), b"2")

    played(script)


def test_an_alarm_holds_up_what_is_published() -> None:
    async def script(broker: Broker) -> None:
        async with connected(URL) as client:
            line = await opened(await client.line())
            broker.alarm(on=True)
            line.write(KEY, b"1", exchange=topology.WORK_EXCHANGE)
            await client.itself.await_method(Connection.Blocked)
            assert [each.is_blocked for each in broker.connections] == [True]
            await asyncio.sleep(10)
            assert bodies_in(broker, EMAIL) == []

            broker.alarm(on=False)

            await client.itself.await_method(Connection.Unblocked)
            await line.await_method(Basic.Ack)

    played(script)


def test_a_client_that_sends_no_heartbeats_is_cut() -> None:
    async def script(_: Broker) -> None:
        async with connected(URL, heartbeat_s=10) as client:
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            with pytest.raises(Ended):
                await client.itself.next()
            assert loop.time() - began_s == pytest.approx(30, abs=0.1)
            assert client.heartbeats == 4

    played(script)


# --- operators ------------------------------------------------------------------------------------


def test_purging_throws_away_what_is_ready() -> None:
    async def script(broker: Broker) -> None:
        async with connected(URL) as client:
            await opened(await client.line(), b"1", b"2")

            assert broker.purge(EMAIL) == 2
            assert bodies_in(broker, EMAIL) == []

    played(script)


def test_deleting_a_queue_cancels_its_consumers() -> None:
    async def script(broker: Broker) -> None:
        async with connected(URL) as client:
            line = await opened(await client.line(), b"1")
            await line.consume(EMAIL, "c")
            await line.await_mail()

            broker.delete_queue(EMAIL)

            assert (await line.await_method(Basic.Cancel)).consumer_tag == "c"
            assert EMAIL not in broker.depths()
            broker.lay_out()
            assert broker.depths()[EMAIL] == Depth(ready=0, unacked=0, dying=0)

    played(script)


def test_consumers_that_are_forgotten_are_not_told_and_keep_what_they_have() -> None:
    async def script(broker: Broker) -> None:
        async with connected(URL) as client:
            line = await opened(await client.line(), b"1", b"2")
            await line.prefetch(1)
            await line.consume(EMAIL, "c")
            tag = (await line.await_mail()).tag
            assert broker.held_by("c") == [b"1"]

            broker.forget_consumers(EMAIL)
            line.ack(tag)

            await line.finds(EMAIL, ready=1)
            assert bodies_in(broker, EMAIL) == [b"2"]
            assert broker.held_by("c") == []

    played(script)


def test_what_clients_put_into_queues_is_remembered() -> None:
    async def script(broker: Broker) -> None:
        async with connected(URL) as client:
            await opened(await client.line(), b"1")
            broker.purge(EMAIL)

            assert broker.has_taken(EMAIL, b"1")
            assert not broker.has_taken(EMAIL, b"2")
            assert not broker.has_taken(DEAD, b"1")

    played(script)


@pytest.mark.parametrize("version", [V3_10, V4_0, V4_3], ids=lambda version: version.name)
def test_moving_is_publishing_by_the_name_of_the_queue(version: Version) -> None:
    async def script(broker: Broker) -> None:
        async with connected(URL) as client:
            line = await opened(await client.line(), b"1", b"2")
            await line.consume(EMAIL, "c")
            for _ in range(2):
                line.reject((await line.await_mail()).tag, requeue=False)
            await line.call(Basic.Cancel(consumer_tag="c"), Basic.CancelOk)

            assert broker.move(DEAD, EMAIL) == 2

            assert broker.depths()[DEAD] == Depth(ready=0, unacked=0, dying=0)
            letters = broker.ready(EMAIL)
            assert [(each.exchange, each.routing_key) for each in letters] == [("", EMAIL)] * 2
            assert [each.headers["x-first-death-reason"] for each in letters] == ["rejected"] * 2
            await line.consume(EMAIL, "c")
            assert await line.bodies(2) == [b"1", b"2"]

    played(script, version)


def test_what_a_full_queue_does_not_take_stays_where_it_is() -> None:
    async def script(broker: Broker) -> None:
        full = Policy(
            name="full",
            pattern="^sms_notifications$",
            definition={"max-length": 1, "overflow": "reject-publish"},
            preferences={},
            priority=99,
        )
        broker.apply_policies([*topology.POLICIES, full])
        async with connected(URL) as client:
            await opened(await client.line(), b"1", b"2", b"3")

            assert broker.move(EMAIL, "sms_notifications") == 2

            assert bodies_in(broker, "sms_notifications") == [b"1", b"2"]
            assert bodies_in(broker, EMAIL) == [b"3"]

    played(script)


def test_what_is_in_somebodys_hands_is_told() -> None:
    async def script(broker: Broker) -> None:
        async with connected(URL) as client:
            line = await opened(await client.line(), b"1", b"2", b"3")
            await line.prefetch(2)
            await line.consume(EMAIL, "c")
            await line.bodies(2)

            assert [letter.body for letter in broker.unacked(EMAIL)] == [b"1", b"2"]
            assert bodies_in(broker, EMAIL) == [b"3"]
            assert list(broker.unacked("missing")) == []

    played(script)


def test_without_policies_what_is_rejected_is_gone() -> None:
    async def script(broker: Broker) -> None:
        broker.apply_policies(())
        async with connected(URL) as client:
            line = await opened(await client.line(), b"1")
            await line.consume(EMAIL, "c")
            line.reject((await line.await_mail()).tag, requeue=False)
            await line.finds(EMAIL, ready=0)
            assert bodies_in(broker, DEAD) == []

    played(script)


def test_a_letter_that_no_queue_took_is_offered_again_later() -> None:
    async def script(broker: Broker) -> None:
        async with connected(URL) as client:
            line = await opened(await client.line(), b"1")
            broker.delete_queue(DEAD)
            await line.consume(EMAIL, "c")
            line.reject((await line.await_mail()).tag, requeue=False)
            await line.finds(EMAIL, ready=0)
            assert broker.depths()[EMAIL] == Depth(ready=0, unacked=0, dying=1)

            broker.lay_out()
            await asyncio.sleep(DYING_RETRY_S)

            assert broker.depths()[EMAIL] == Depth(ready=0, unacked=0, dying=0)
            assert bodies_in(broker, DEAD) == [b"1"]

    played(script)


def test_the_journal_tells_the_way_of_a_message() -> None:
    told: list[str] = []

    async def script(_: Broker) -> None:
        async with connected(URL) as client:
            line = await opened(await client.line())
            properties = Basic.Properties(message_id="m7", delivery_mode=2)
            line.write(KEY, b"1", exchange=topology.WORK_EXCHANGE, properties=properties)
            await line.await_method(Basic.Ack)
            await line.consume(EMAIL, "c")
            line.nack((await line.await_mail()).tag)
            line.reject((await line.await_mail()).tag, requeue=False)
            line.send(Basic.Get(queue=DEAD))
            line.ack((await line.await_mail()).tag)
            await line.close()

    played(script, journal=told.append)

    assert [line for line in told if "m7" in line] == [
        "m7 of a script goes to email_notifications",
        "email_notifications: m7 to c (1)",
        "email_notifications: m7 is back (1 failures)",
        "email_notifications: m7 to c (2)",
        "email_notifications: m7 is dead (rejected)",
        "email_notifications.dead: m7 to who fetches it (3)",
        "email_notifications.dead: m7 is acknowledged by who fetched it",
    ]
