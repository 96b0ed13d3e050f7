"""The servers that notifier needs, and the faults that are done to them."""

import asyncio
import urllib.parse
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from notifier.queue.topology import WORK_QUEUES
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMq, vhost_of
from tools.chaos.injectors import BROKER, DATABASE, Injectors, in_thread, on
from tools.chaos.plan import KINDS_OF_ONE, NEED_OWN_BROKER, Kind, Planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """A database and a virtual host of the run's own, on one host or several.

    `kinds` are the faults that a run has with them; `injectors` do those that hit the servers.
    """

    database_urls: Sequence[str]
    broker_urls: Sequence[str]
    management_url: str
    postgresql: str
    rabbitmq: str
    kinds: Collection[Kind]
    injectors: Injectors

    @property
    def database_url(self) -> str:
        """The database, on whichever host it is."""
        return _joined(self.database_urls)

    def settings(self) -> dict[str, str]:
        """What notifier is told of them."""
        return {
            "NOTIFIER_DATABASE_URL": self.database_url,
            "NOTIFIER_BROKER_URL": ",".join(self.broker_urls),
            "NOTIFIER_BROKER_MANAGEMENT_URL": self.management_url,
        }


def _joined(urls: Sequence[str]) -> str:
    """One URL that names the hosts of all."""
    first = urllib.parse.urlsplit(urls[0])
    credentials = first.netloc.rpartition("@")[0]
    hosts = ",".join(urllib.parse.urlsplit(url).netloc.rpartition("@")[2] for url in urls)
    return first._replace(netloc=f"{credentials}@{hosts}").geturl()


@contextmanager
def one_of_each(
    postgres: Postgres, rabbitmq: RabbitMq, *, own_broker: bool = True
) -> Iterator[Outside]:
    """One server and one node. A broker that is not `own_broker` is neither killed nor alarmed."""
    with postgres.database() as database_url, rabbitmq.vhost() as amqp_url:
        yield Outside(
            database_urls=[database_url.replace("+asyncpg", "")],
            broker_urls=[amqp_url],
            management_url=rabbitmq.management_url,
            postgresql=postgres.version.split()[0],
            rabbitmq=rabbitmq.version,
            kinds=KINDS_OF_ONE if own_broker else KINDS_OF_ONE - NEED_OWN_BROKER,
            injectors={
                Kind.BROKER_KILLED: on(BROKER, partial(_restart, rabbitmq)),
                Kind.MEMORY_ALARM: on(BROKER, partial(alarm, rabbitmq)),
                Kind.QUEUES_PURGED: on(BROKER, partial(purge, rabbitmq, amqp_url)),
                Kind.DATABASE_RESTARTED: on(DATABASE, partial(_restart, postgres)),
            },
        )


async def _restart(server: Postgres | RabbitMq, _planned: Planned) -> None:
    await in_thread(server.kill, server.start)


async def alarm(rabbitmq: RabbitMq, planned: Planned) -> None:
    """Let the broker block who publishes, for want of memory."""
    watermark = partial(rabbitmq.ctl, "set_vm_memory_high_watermark")
    await asyncio.to_thread(watermark, "0.0")
    try:
        await asyncio.sleep(planned.hold_s)
    finally:
        await asyncio.to_thread(watermark, "absolute", "512MB")


async def purge(rabbitmq: RabbitMq, amqp_url: str, _planned: Planned) -> None:
    """Empty every work queue of a virtual host."""
    vhost = vhost_of(amqp_url)
    empty = partial(rabbitmq.management.call, "DELETE", "queues", vhost)
    await in_thread(*(partial(empty, queue.name, "contents") for queue in WORK_QUEUES))
