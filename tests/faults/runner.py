"""The worker runner itself, over real services, and a hand that fills its queues."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle
from uuid import UUID

from notifier.intake.publishing import Publisher
from notifier.notification.model import Channel, Lane, Status
from notifier.queue.rabbitmq.queue import open_rabbit_queue
from notifier.queue.rabbitmq.topology import apply_topology
from notifier.queue.topology import dead_queue
from tests.clock import SystemClock
from tests.contract.store.stores import a_submission, envelope_of, open_stores
from tests.e2e.processes import WORKER_RUNNER, Running, running
from tests.e2e.production import Outside, outside
from tests.patience import AT_ALL_S, BROKER_IS_THERE
from tests.schema import postgres_template
from tests.servers.postgres import Postgres
from tests.servers.processes import wait_until
from tests.servers.rabbitmq import RabbitMq

PROCESSES = 2
GRACE_S = 30
CONSUMERS = 4
LANES = ("email_notifications", "email_notifications.high", "email_notifications.bulk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine with a runner's surroundings."""

    outside: Outside
    slots: int = CONSUMERS

    @property
    def environ(self) -> Mapping[str, str]:
        """Settings of a small runner that sends mail only."""
        return {
            **self.outside.settings(),
            "NOTIFIER_SMS__PROVIDERS": "none",
            "NOTIFIER_IN_APP__PROVIDERS": "none",
            "NOTIFIER_EMAIL__CONSUMERS": str(self.slots),
            "NOTIFIER_WORKER__PROCESSES": str(PROCESSES),
            "NOTIFIER_WORKER__GRACE_S": str(GRACE_S),
        }

    def send(self, count: int) -> list[UUID]:
        """Accept and publish so many mails, in all lanes, as an API does."""
        return asyncio.run(_send(self.outside, count))

    @contextmanager
    def runner(self, **changes: str) -> Iterator[Running]:
        """A runner whose processes all consume."""
        with running(WORKER_RUNNER, {**self.environ, **changes}) as started:
            self.await_starts(started, PROCESSES)
            yield started

    def await_starts(self, runner: Running, count: int) -> None:
        """Wait until the runner has started so many processes in all."""
        wait_until(
            lambda: runner.output.count('"worker.started"') >= count,
            timeout_s=AT_ALL_S,
            what=f"{count} started workers",
        )

    def await_mails(self, count: int) -> None:
        """Wait until the mail server has taken so many."""
        wait_until(
            lambda: len(self.outside.smtp.received) >= count,
            timeout_s=AT_ALL_S,
            what=f"{count} mails",
        )

    def await_processing(self) -> None:
        """Wait until workers hold something."""
        wait_until(lambda: self.states()[Status.PROCESSING] > 0, timeout_s=AT_ALL_S, what="work")

    def states(self) -> Counter[str]:
        """How many notifications stand in each state."""
        query = "SELECT status, count(*) FROM notifications GROUP BY 1"
        return Counter(dict(map(tuple, self.outside.rows(query))))

    def unknown(self) -> int:
        """How many notifications had an attempt of unknown outcome."""
        query = "SELECT count(*) FROM notifications WHERE outcome_unknown"
        return int(self.outside.rows(query)[0][0])

    def await_sent(self, count: int) -> None:
        """Wait until so many are sent, and nothing stands in another state."""
        wait_until(
            lambda: self.states() == {Status.SENT: count}, timeout_s=AT_ALL_S, what="all sent"
        )

    def consumers(self) -> list[int]:
        """How many consumers each lane has."""
        with self.outside.witness() as witness:
            return [witness.consumers(queue) for queue in LANES]

    def returns(self) -> int:
        """How often the message that was given back most often was; takes all of them out."""
        with self.outside.witness() as witness:
            letters = [letter for queue in LANES for letter in witness.take(queue)]
        headers = [letter.properties.headers or {} for letter in letters]
        return max(int(each.get("x-delivery-count", 0)) for each in headers)

    def dead(self) -> int:
        """How many messages are in the dead queue."""
        with self.outside.witness() as witness:
            return witness.ready(dead_queue(Channel.EMAIL))

    def await_ready(self, count: int) -> None:
        """Wait until so many messages wait: what is given back is there a moment later."""
        wait_until(lambda: self.ready() == count, timeout_s=AT_ALL_S, what=f"{count} messages")

    def ready(self) -> int:
        """How many messages wait in all lanes."""
        with self.outside.witness() as witness:
            return sum(witness.ready(queue) for queue in LANES)


async def _send(outside: Outside, count: int) -> list[UUID]:
    async with (
        open_stores(outside.database_url) as stores,
        open_rabbit_queue(outside.amqp_url, BROKER_IS_THERE, SystemClock()) as queue,
    ):
        lanes = zip(range(count), cycle(Lane), strict=False)
        submissions = [replace(a_submission(), lane=lane) for _, lane in lanes]
        await stores.intake.insert(submissions)
        envelopes = [envelope_of(submission) for submission in submissions]
        assert await Publisher(stores.publications, queue).publish(envelopes) == count
    return [submission.id for submission in submissions]


@contextmanager
def host(postgres: Postgres, rabbitmq: RabbitMq, *, slots: int = CONSUMERS) -> Iterator[Host]:
    """Services of the test's own, ready for a runner whose processes have so many slots."""
    with outside(postgres, rabbitmq, template=postgres_template(postgres)) as made:
        apply_topology(made.amqp_url, rabbitmq.management_url)
        yield Host(outside=made, slots=slots)
