"""Messages come several times, and old ones come late: each attempt is made once."""

import time
from collections import Counter
from dataclasses import replace

from notifier.notification.model import Channel, Message, Status
from notifier.notification.outcomes import Outcome, Sent, Transient
from tests.faults.workers import QUICK, Ways, open_site, relaying, working
from tests.servers.postgres import Postgres

TIMES = 5
COUNT = 10
RETRY_S = 1.5


class SecondTry:
    """A provider that refuses every mail once."""

    provider = "second-try"

    def __init__(self) -> None:
        self.attempts: list[tuple[object, int]] = []
        self.at_s: dict[int, list[float]] = {1: [], 2: []}

    async def send(self, message: Message) -> Outcome:
        self.attempts.append((message.id, message.attempt))
        self.at_s[message.attempt].append(time.monotonic())
        if message.attempt == 1:
            return Transient("451", "try again", concerns_recipient=True)
        return Sent()

    async def close(self) -> None:
        return


async def test_a_message_that_comes_again_or_late_makes_no_attempt(
    postgres: Postgres, amqp_url: str
) -> None:
    adapter = SecondTry()
    async with open_site(postgres, amqp_url) as site, relaying(site):
        accepted = await site.accept(COUNT)
        await site.publisher.publish(accepted * TIMES)
        async with working(
            site, {Channel.EMAIL: [adapter]}, Ways(policy=replace(QUICK, schedule_s=(RETRY_S,)))
        ):
            states = await site.settled(COUNT)
            await site.drained()
            skipped = len(await site.logged("delivery.skipped", (TIMES - 1) * COUNT))
            # The first attempt's messages again, long after their time.
            await site.publisher.publish(accepted * TIMES)
            await site.logged("delivery.skipped", skipped + TIMES * COUNT)
        await site.drained()

    assert states == {Status.SENT: COUNT}
    assert Counter(adapter.attempts) == Counter(
        (envelope.id, attempt) for envelope in accepted for attempt in (1, 2)
    )
    # No message of the first attempt may begin the second one before it is due.
    assert min(adapter.at_s[2]) - min(adapter.at_s[1]) > RETRY_S - 0.1
