"""Messages that are none: each goes to the dead queue once, and the consumers live on."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from notifier.notification.envelope import Envelope
from notifier.notification.model import Channel, Lane, Status
from notifier.queue.rabbitmq.topology import apply_topology
from tests.faults.workers import Journal, JournalAdapter, open_site, working
from tests.queues import publish
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMq
from tests.witness import witness_of

COUNT = 100
QUEUE = "email_notifications"
DEAD = f"{QUEUE}.dead"


def poison() -> Iterator[bytes]:
    """Bodies that are no envelopes, each another way."""
    yield b"x" * (16 * 2**20)
    yield b"[" * 100_000
    yield b'{"a":' * 1_000 + b"1" + b"}" * 1_000
    yield b""
    good: dict[str, object] = {"v": 1, "id": str(uuid4()), "type": "email", "attempt": 0}
    for name in good:
        yield json.dumps({key: value for key, value in good.items() if key != name}).encode()
        wrongs: tuple[object, ...] = (None, True, -1, 2**63, 1.5, "x", [], {})
        for wrong in wrongs:
            yield json.dumps({**good, name: wrong}).encode()
    seeded = random.Random(13)  # noqa: S311  a test's noise
    while True:
        yield seeded.randbytes(seeded.randrange(1, 300))


def put(amqp_url: str, bodies: list[bytes]) -> None:
    with witness_of(amqp_url) as witness:
        for body in bodies:
            witness.put(QUEUE, body)


async def test_poison_goes_to_the_dead_queue_and_everything_else_is_sent(
    postgres: Postgres, rabbitmq: RabbitMq, amqp_url: str, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "journal")
    bodies = [body for _, body in zip(range(COUNT), poison(), strict=False)]
    unknown = Envelope(id=uuid4(), channel=Channel.EMAIL, lane=Lane.NORMAL, attempt=0)
    async with open_site(postgres, amqp_url) as site:
        await asyncio.to_thread(apply_topology, amqp_url, rabbitmq.management_url)
        before = await site.send(10)
        await asyncio.to_thread(put, amqp_url, bodies)
        await publish(site.queue, unknown)
        after = await site.send(10)
        async with working(site, {Channel.EMAIL: [JournalAdapter(journal)]}) as consumers:
            states = await site.settled(len(before) + len(after))
            await site.drained(besides=[DEAD])
            await site.logged("delivery.unknown")
            problem = consumers.problem()
        # Dead-lettering at least once is the broker's own work, in its own time.
        await site.holds(DEAD, COUNT + 1)

    assert states == {Status.SENT: len(before) + len(after)}
    assert journal.read() == Counter(envelope.id for envelope in before + after)
    assert len(site.lines("queue.unparsable")) == COUNT
    assert [line["id"] for line in site.lines("delivery.unknown")] == [str(unknown.id)]
    assert problem is None
