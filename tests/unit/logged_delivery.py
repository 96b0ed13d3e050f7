"""Deliver notifications that are private in every part, and fail in every way.

Run as a module, for the tests of logging: `python -m tests.unit.logged_delivery LEVEL FOLDER`.
"""

import asyncio
import sys
from dataclasses import replace

from notifier.intake.ports import Submission
from notifier.notification.outcomes import Permanent
from notifier.store.upgrading import upgrade
from notifier.telemetry import configure_logging
from tests.contract.store.stores import a_submission
from tests.contract.worker.bench import open_bench
from tests.unit.logged import CANARY


def private() -> Submission:
    """A submission with the canary wherever a service can put it."""
    return replace(
        a_submission(sensitive=True),
        recipient=f"{CANARY}@example.org",
        subject=f"{CANARY} {{{{ code }}}}",
        content=f"{CANARY} {{{{ code }}}}",
        html=None,
        variables={"code": CANARY},
        metadata={"order": CANARY},
    )


async def deliver(url: str) -> None:
    """Crash, fail and succeed; then lose the store."""
    async with open_bench(url) as bench:
        bench.adapter.script.extend([ValueError(CANARY), Permanent("550", CANARY)])
        envelopes = [await bench.accept(private()) for _ in range(3)]
        await bench.publisher.publish(envelopes)
        for envelope in envelopes:
            await bench.deliverer().deliver(envelope)
        bench.store.is_away = ValueError(CANARY)
        await bench.publisher.publish(envelopes)


if __name__ == "__main__":
    configure_logging(level=sys.argv[1], as_json=True)
    database_url = f"sqlite:///{sys.argv[2]}/notifier.db"
    asyncio.run(upgrade(database_url))
    asyncio.run(deliver(database_url), debug=True)
