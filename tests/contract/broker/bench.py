"""A broker under test: a model, or RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from notifier.queue.topology import Policy
from tests.servers.rabbitmq import RabbitMq, vhost_of
from tests.simulation.broker.server import Broker
from tests.simulation.broker.serving import served
from tests.simulation.broker.versions import V3_10, V4_0, V4_3, Version

MODELS = {"model of 3.10": V3_10, "model of 4.0": V4_0, "model of 4.3": V4_3}


class Alarm(Protocol):
    """Sets an alarm of the broker, or ends it."""

    async def __call__(self, *, on: bool) -> None: ...


@dataclass(frozen=True)
class Bench:
    """A broker with nothing in it.

    `police` gives the queues of a pattern a policy, `alarm` sets an alarm or ends it, `restart`
    ends the broker at once and starts it again.
    """

    url: str
    version: Version
    police: Callable[[str, Mapping[str, str | int]], None]
    alarm: Alarm
    restart: Callable[[], Awaitable[None]]


@asynccontextmanager
async def model_bench(version: Version) -> AsyncIterator[Bench]:
    policies: dict[str, Policy] = {}
    broker = Broker(asyncio.get_running_loop(), version=version, policies=())

    def police(pattern: str, definition: Mapping[str, str | int]) -> None:
        policies[pattern] = Policy(
            name=pattern, pattern=pattern, definition=definition, preferences={}
        )
        broker.apply_policies(list(policies.values()))

    async def alarm(*, on: bool) -> None:
        broker.alarm(on=on)

    async def restart() -> None:
        up = asyncio.Event()
        broker.restart(0)
        asyncio.get_running_loop().call_later(0, up.set)
        await up.wait()

    async with served(broker) as url:
        yield Bench(url, version, police, alarm, restart)


@asynccontextmanager
async def rabbit_bench(rabbitmq: RabbitMq) -> AsyncIterator[Bench]:
    with rabbitmq.vhost() as url:

        def police(pattern: str, definition: Mapping[str, str | int]) -> None:
            body = {"pattern": pattern, "definition": dict(definition), "apply-to": "queues"}
            name = pattern.strip("^$")
            rabbitmq.management.call("PUT", "policies", vhost_of(url), name, body=body)

        async def alarm(*, on: bool) -> None:
            level = "0" if on else "0.6"
            await asyncio.to_thread(rabbitmq.ctl, "set_vm_memory_high_watermark", level)

        async def restart() -> None:
            await asyncio.to_thread(rabbitmq.kill)
            await asyncio.to_thread(rabbitmq.start)

        yield Bench(url, _version_of(rabbitmq), police, alarm, restart)


def _version_of(rabbitmq: RabbitMq) -> Version:
    release = tuple(map(int, rabbitmq.version.split(".")[:2]))
    return V3_10 if release < (4, 0) else V4_0 if release < (4, 3) else V4_3
