"""Publishing events, by HTTP or to the broker, until each publisher was answered."""

import asyncio
import hashlib
import random
from collections.abc import Sequence
from typing import Protocol

import orjson
from pamqp.commands import Basic

from notifier.events.cloudevents import STRUCTURED
from notifier.queue.rabbitmq import event_entities as entities
from tests.simulation.audience.acts import Audience, picked, whom
from tests.simulation.audience.people import USER_IDS
from tests.simulation.broker.server import Broker
from tests.simulation.eventing.story import Publication, story
from tests.simulation.loop import Process, this_loop
from tests.simulation.operators import Operator
from tests.simulation.plan import Fault

_SHARE_OF_JUNK = 0.3
_JUNK_KEY = "order.junk"
_CONFIRMED_S = 0.002
_RETRY_S = 0.5
_PATIENCE_S = 200.0


class Publishing(Audience, Protocol):
    """What publishers reach of a world."""

    broker: Broker
    broker_process: Process


def publish_events(world: Publishing, fault: Fault) -> None:
    """Publish what happens to two people, over some time."""
    people = (whom(world, fault), picked(USER_IDS, fault.who * 7 % 1))
    name = f"{fault.at_s}-{fault.who}-{fault.level}"
    # A stream of its own: which way something goes changes nothing of what happens.
    chance = random.Random(f"the way of {name}")
    world.note_happening(fault, ())
    known: dict[str, Publication] = {}
    for at_s, events in story(fault.level, people, name):
        for event in events:
            if event["id"] not in known:
                known[event["id"]] = Publication(event, this_loop().time() + at_s)
                world.ended.publications.append(known[event["id"]])
        published = [known[event["id"]] for event in events]
        if world.plan.binds_events and chance.random() < world.plan.by_broker:
            for each in published:
                world.act(_publish_to_broker(world, each, at_s))
        else:
            world.act(_publish(world.operator, published, at_s))
    if world.plan.binds_events and chance.random() < _SHARE_OF_JUNK:
        world.act(_publish_junk(world, f"no event, {name}"))


async def _publish(operator: Operator, published: Sequence[Publication], after_s: float) -> None:
    await asyncio.sleep(after_s)
    await operator.publish_all(published)


async def _publish_to_broker(world: Publishing, published: Publication, after_s: float) -> None:
    await asyncio.sleep(after_s)
    event = published.event
    if await _taken(world, event["type"], orjson.dumps(event)):
        published.is_taken = True
    else:
        published.is_unanswered = True


async def _publish_junk(world: Publishing, words: str) -> None:
    if await _taken(world, _JUNK_KEY, words.encode()):
        world.ended.junk.append(words)


async def _taken(world: Publishing, key: str, body: bytes) -> bool:
    """Publish until the broker has it, or that takes too long."""
    end_s = this_loop().time() + _PATIENCE_S
    while this_loop().time() < end_s:
        answered: asyncio.Future[bool] = this_loop().create_future()
        world.broker_process.post(_CONFIRMED_S, _offer, world.broker, key, body, answered)
        if await answered:
            return True
        await asyncio.sleep(_RETRY_S)
    return False


def _offer(broker: Broker, key: str, body: bytes, answered: "asyncio.Future[bool]") -> None:
    name = hashlib.sha256(body).hexdigest()[:20]
    properties = Basic.Properties(content_type=STRUCTURED, message_id=name).marshal()
    answered.set_result(broker.publish(entities.EXCHANGE, key, body, properties))
