"""Events by a real RabbitMQ: taken once, or refused with a reason, and never lost."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pika
import pytest
from structlog.testing import capture_logs
from uuid_utils import compat

from notifier.composition.events import warn_of_unbound_events
from notifier.composition.settings import read_settings
from notifier.errors import StoreUnavailableError
from notifier.events.arriving import Arrivals, Delivery, Fate
from notifier.events.desk import EventDesk
from notifier.events.event import Effects, Event, EventFilter
from notifier.queue.rabbitmq.connection import RabbitSettings
from notifier.queue.rabbitmq.event_entities import DEAD_QUEUE, EXCHANGE, QUEUE
from notifier.queue.rabbitmq.event_letters import refused_events, replay_events
from notifier.queue.rabbitmq.event_queue import EventQueue, Take
from notifier.queue.rabbitmq.event_topology import apply_events, check_events
from notifier.queue.rabbitmq.topology import State, apply_topology, check_topology
from tests.api import Api, serving
from tests.events import Rules, a_match
from tests.patience import AT_ALL_S
from tests.servers.rabbitmq import RabbitMq
from tests.waiting import require
from tests.witness import Witness, until, witness_of

STRUCTURED = "application/cloudevents+json"
BINDINGS = ("order.#", "booking.*")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path) as it:
        yield it


@pytest.fixture
def witness(amqp_url: str) -> Iterator[Witness]:
    with witness_of(amqp_url) as it:
        yield it


@dataclass
class Producer:
    """Publishes as a service does, with pika."""

    channel: Any
    user: str

    def publish(
        self,
        body: object,
        key: str = "order.shipped",
        *,
        content_type: str | None = STRUCTURED,
        is_named: bool = True,
    ) -> None:
        told = body if isinstance(body, bytes) else orjson.dumps(body)
        properties = pika.BasicProperties(
            content_type=content_type, user_id=self.user if is_named else None, delivery_mode=2
        )
        self.channel.basic_publish(EXCHANGE, key, told, properties)


@contextmanager
def producing(amqp_url: str) -> Iterator[Producer]:
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    try:
        yield Producer(connection.channel(), urlsplit(amqp_url).username or "guest")
    finally:
        connection.close()


def an_event(id: str, **changes: Any) -> dict[str, Any]:
    usual = {"specversion": "1.0", "id": id, "source": "/shop", "type": "order.shipped"}
    return {**usual, "data": {"user": "ada"}, **changes}


def arrivals(api: Api, rules: Rules | None = None) -> Arrivals:
    desk = EventDesk(
        store=api.services.events,
        reacting=rules or Rules(lambda event: Effects([a_match(event)])),
        submitter=api.services.submitter,
        tally=api.services.event_tally,
        new_id=compat.uuid7,
    )
    return Arrivals(desk=desk, owners={})


@asynccontextmanager
async def consuming(amqp_url: str, take: Take) -> AsyncIterator[asyncio.Task[None]]:
    settings = RabbitSettings(connection_name="test")
    task = asyncio.create_task(EventQueue(amqp_url, settings, BINDINGS, take, retry_s=0.02).run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def stored(api: Api) -> Sequence[Event]:
    found = await api.services.events.list(EventFilter(), limit=1_000, after=None)
    return [each.event for each in reversed(found)]


async def count(api: Api, expected: int) -> Sequence[Event]:
    async def are_there() -> bool:
        return len(await stored(api)) >= expected

    await require(are_there, timeout_s=AT_ALL_S, every_s=0.02, what=f"{expected} events")
    return await stored(api)


async def await_consumer(witness: Witness) -> None:
    await until(lambda: bool(witness.queues([QUEUE])) and witness.consumers(QUEUE) > 0)


async def test_what_is_bound_is_taken_and_belongs_to_who_published_it(
    api: Api, amqp_url: str, witness: Witness
) -> None:
    with producing(amqp_url) as producer:
        owners = {producer.user: "orders", "*": "nobodys"}
        taking = Arrivals(desk=arrivals(api).desk, owners=owners)
        async with consuming(amqp_url, taking.take):
            await await_consumer(witness)
            producer.publish(an_event("1", service="payments"))
            producer.publish(an_event("2"), "booking.confirmed", content_type=None)
            producer.publish(an_event("3"), "payment.done")
            producer.publish(an_event("4"), is_named=False)
            found = await count(api, 3)
            await until(lambda: witness.ready(QUEUE) == 0)

    assert [(each.id, each.service) for each in found] == [
        ("1", "orders"),
        ("2", "orders"),
        ("4", "nobodys"),
    ]
    assert witness.ready(DEAD_QUEUE) == 0


async def test_what_is_refused_says_why_and_can_be_taken_later(
    api: Api, amqp_url: str, witness: Witness
) -> None:
    with producing(amqp_url) as producer:
        first = Arrivals(desk=arrivals(api).desk, owners={producer.user: "orders"})
        async with consuming(amqp_url, first.take):
            await await_consumer(witness)
            producer.publish(an_event("1"))
            await count(api, 1)
            producer.publish(b"{")
            producer.publish({"id": "2"})
            producer.publish(an_event("3"), content_type="text/plain")
            producer.publish(an_event("1", data=None))
            producer.publish(an_event("4"), is_named=False)
            await until(lambda: witness.ready(DEAD_QUEUE) == 5)

    letters = refused_events(amqp_url, limit=99)
    assert [each.reason.partition(":")[0] for each in letters] == [
        "it is not JSON",
        "specversion",
        "its content_type is not application/cloudevents+json",
        "another event with this source and id was taken before",
        "it has no user_id, and NOTIFIER_EVENTS__OWNERS names nobody for *",
    ]
    assert [each.user for each in letters] == [*[producer.user] * 4, None]
    await until(lambda: witness.ready(DEAD_QUEUE) == 5)
    assert replay_events(amqp_url, limit=99) == 5
    mended = Arrivals(desk=first.desk, owners={producer.user: "orders", "*": "others"})
    async with consuming(amqp_url, mended.take):
        found = await count(api, 2)
        await until(lambda: witness.ready(DEAD_QUEUE) == 4)
    assert [(each.id, each.service) for each in found] == [("1", "orders"), ("4", "others")]


async def test_repeats_and_kills_lose_and_double_nothing(
    api: Api, amqp_url: str, witness: Witness
) -> None:
    chance = random.Random(11)  # noqa: S311  a test's
    rules = Rules(lambda event: Effects([a_match(event)]))
    with producing(amqp_url) as producer:
        taking = Arrivals(desk=arrivals(api, rules).desk, owners={producer.user: "orders"})
        async with consuming(amqp_url, taking.take):
            await await_consumer(witness)
        bodies = [an_event(str(nth)) for nth in range(300)]
        for body in chance.sample([*bodies, *bodies[:150]], 450):
            producer.publish(body)
        for nth in range(6):
            killed = _Killed(taking, is_stored=nth % 2 == 0)
            async with consuming(amqp_url, killed.take):
                await asyncio.wait_for(killed.is_in_hand.wait(), AT_ALL_S)
        async with consuming(amqp_url, taking.take):
            await count(api, 300)
            await until(lambda: witness.ready(QUEUE) == 0)

    assert sorted(int(each.id) for each in await stored(api)) == list(range(300))
    assert witness.ready(DEAD_QUEUE) == 0
    account = await api.services.queries.account(service="orders")
    assert account.accepted == 300


class _Killed:
    """Has messages in hand until it is killed, stored already or not yet."""

    def __init__(self, taking: Arrivals, *, is_stored: bool) -> None:
        self._taking = taking
        self._is_stored = is_stored
        self.is_in_hand = asyncio.Event()

    async def take(self, deliveries: Sequence[Delivery]) -> Sequence[Fate]:
        if self._is_stored:
            await self._taking.take(deliveries)
        self.is_in_hand.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_fewer_are_stored_at_once_where_many_take_too_long(
    api: Api, amqp_url: str, witness: Witness
) -> None:
    async with consuming(amqp_url, arrivals(api).take):
        await await_consumer(witness)
    with producing(amqp_url) as producer:
        for nth in range(20):
            producer.publish(an_event(str(nth)))
    await until(lambda: witness.ready(QUEUE) == 20)

    async def slow(deliveries: Sequence[Delivery]) -> Sequence[Fate]:
        if len(deliveries) > 3:
            raise StoreUnavailableError("it did not answer in time")
        return await arrivals(api).take(deliveries)

    async with consuming(amqp_url, slow):
        await count(api, 20)
        await until(lambda: witness.ready(QUEUE) == 0)


async def test_nothing_is_given_back_while_the_database_is_away(
    api: Api, amqp_url: str, witness: Witness
) -> None:
    asked: list[int] = []

    async def away_at_first(deliveries: Sequence[Delivery]) -> Sequence[Fate]:
        asked.append(len(deliveries))
        if len(asked) < 4:
            raise StoreUnavailableError("it is away")
        return await arrivals(api).take(deliveries)

    async with consuming(amqp_url, away_at_first):
        await await_consumer(witness)
        with producing(amqp_url) as producer:
            producer.publish(an_event("1"))
        await count(api, 1)
        await until(lambda: witness.ready(QUEUE) == 0)

    assert asked == [1, 1, 1, 1]


async def test_what_nobody_can_take_keeps_no_other_from_being_taken(api: Api) -> None:
    def crashing(event: Event) -> Effects:
        if event.id == "2":
            raise ZeroDivisionError
        return Effects([a_match(event)])

    taking = arrivals(api, Rules(crashing))

    fates = await taking.take([_delivery(an_event(id)) for id in ("1", "2", "3")])

    assert [fate.reason if fate else None for fate in fates] == [
        None,
        "notifier failed at it: see its log",
        None,
    ]
    assert [each.id for each in await stored(api)] == ["1", "3"]


def _delivery(body: object) -> Delivery:
    return Delivery(body=orjson.dumps(body), content_type=STRUCTURED, user="orders")


def test_what_events_need_is_made_where_they_are_bound(
    rabbitmq: RabbitMq, amqp_url: str, witness: Witness
) -> None:
    apply_topology(amqp_url, rabbitmq.management_url)
    assert witness.queues([QUEUE, DEAD_QUEUE]) == set()

    broker = (amqp_url, rabbitmq.management_url)
    lacking = check_events(*broker, BINDINGS)
    first = apply_events(*broker, BINDINGS)
    again = apply_events(*broker, BINDINGS)

    assert {each.state for each in lacking.items} == {State.FAILED}
    assert {each.kind for each in lacking.items} == {"exchange", "queue", "binding", "policy"}
    assert _states(first.items) == {State.MADE}
    assert _states(again.items) == {State.FOUND}
    assert witness.queues([QUEUE, DEAD_QUEUE]) == {QUEUE, DEAD_QUEUE}
    assert check_topology(*broker).is_complete
    assert check_events(*broker, BINDINGS).is_complete
    others = {each.name: each for each in check_events(*broker, ["others.#"]).items}
    assert others["others.#"].state is State.FAILED
    assert "no binding of" in (others[BINDINGS[0]].detail or "")


async def test_events_that_cannot_be_bound_are_warned_of() -> None:
    def said(broker: str) -> list[str]:
        environ = {
            "NOTIFIER_DATABASE_URL": "sqlite:////tmp/none.db",
            "NOTIFIER_BROKER_URL": broker,
            "NOTIFIER_KEY_PEPPER": "a-pepper-that-is-long-enough-for-anybody",
            "NOTIFIER_EVENTS__BINDINGS": "order.#",
        }
        with capture_logs() as logs:
            warn_of_unbound_events(read_settings(environ))
        return [each["event"] for each in logs]

    assert said("memory://") == ["events.not_bound"]
    assert said("amqp://guest:guest@127.0.0.1/") == []


def _states(items: Iterable[Any]) -> set[State]:
    return {each.state for each in items if "events" in each.name}
