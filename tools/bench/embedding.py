"""How fast the one-process mode is, from POST to sandbox, on SQLite."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.e2e.one_process import one_process
from tests.waiting import require
from tools.bench.place import Servers
from tools.bench.results import Sample
from tools.bench.stacks import PATH
from tools.bench.wrk import Endpoint, post

_WARM_UP_S = 2
_DRAIN_S = 120
_COUNTS = "SELECT count(*), sum(status = 'sent') FROM notifications"


async def embed(servers: Servers, seconds: float) -> Sample:
    """POST for so long; time runs until the last of them is in the sandbox."""
    async with servers.place("embedded") as place:
        folder = place.base.folder / "data"
        with one_process(folder, {"NOTIFIER_API__RATE_LIMIT": "100000000"}) as service:
            endpoint = Endpoint(
                url=f"{service.url}{PATH}/send",
                headers={"Authorization": f"Bearer {service.key}"},
            )
            await post(servers.wrk, endpoint, seconds=_WARM_UP_S)
            before = await _all_sent(folder)
            began_s = time.monotonic()
            answered = await post(servers.wrk, endpoint, seconds=seconds, first=10_000_000)
            count = await _all_sent(folder) - before
            took_s = time.monotonic() - began_s
        return {
            "per_s": count / took_s,
            "accepted per_s": answered.per_s,
            "p50_ms": answered.p50_ms,
            "p99_ms": answered.p99_ms,
        }


async def _all_sent(folder: Path) -> int:
    """Wait until all are; returns how many."""
    accepted = sent = 0

    async def all_are() -> bool:
        nonlocal accepted, sent
        with closing(sqlite3.connect(folder / "notifier.db")) as database:
            accepted, sent = map(int, database.execute(_COUNTS).fetchone())
        return accepted == sent

    await asyncio.sleep(0.2)  # the last requests of the load were not waited for
    await require(all_are, timeout_s=_DRAIN_S, every_s=0.2, what="all in the sandbox")
    return accepted
