"""Schedules that are all due in one minute, among a million that are not, and urgent ones."""

import asyncio
import json
import sys
import time
from typing import Any
from uuid import uuid4

from tests.waiting import require
from tools.bench.lanes import post_urgent, waits_of
from tools.bench.place import Place, Servers
from tools.bench.results import Sample
from tools.bench.stacks import Deployment, Slots, deploy_notifier
from tools.bench.templating import SHORT, publish

KEPT = 1_000_000
_PATIENCE_S = 3_600
_CHUNK = 100_000
_TEMPLATE = "reminder"
_TIMING: dict[str, Any] = {
    "when": {"every": "day", "at": "09:30"},
    "zone": "Europe/Vienna",
    "starts_at": None,
    "ends_at": None,
    "skip_dates": [],
}
_VARIABLES = {"name": "Ada", "order": "42", "day": "Friday"}
_SCHEDULES = """
    INSERT INTO schedules (id, service, name, timing, is_by_recipient, recipient, channel, lane,
        template, variables, catch_up, catch_up_within_s, etag, seen_at, next_at, look_at, turn,
        created_at, updated_at)
    SELECT gen_random_uuid(), 'bench', $3 || g, $4, false, 'user' || g || '@example.com', 'email',
        'bulk', $5, $6, 'last', 86400, 'e', now() - interval '1 day', now() + $7::interval,
        now() + $7::interval, 0, now(), now()
    FROM generate_series($1::bigint, $2::bigint) AS g
"""
# As `notifier.store.schedules.firing` asks.
_CHECK = """
    EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)
    SELECT id FROM schedules
    WHERE service = 'bench' AND channel = 'email' AND lane = 'bulk' AND look_at <= now()
        AND look_at IS NOT NULL
    ORDER BY look_at LIMIT 100 FOR UPDATE SKIP LOCKED
"""
_RUNS = "SELECT count(*) FROM schedule_runs WHERE outcome = 'fired'"
_MADE = "SELECT count(*) FROM notifications WHERE lane = 'bulk'"
_SENT = "SELECT count(*) FROM notifications WHERE status = 'sent'"


async def fire_at_once(servers: Servers, slots: Slots, due: int) -> Sample:
    """Fire so many that are due at once, while urgent ones go their way."""
    async with servers.place("schedules") as place:
        sink = await place.sink()
        ahead = {"RELAY__BROADCASTS_AHEAD": str(max(1_000, due // 4))}
        settings = {**ahead, "RELAY__SCHEDULES_EVERY_S": "1"}
        deployment = await deploy_notifier(place, sink.port, settings)
        await deployment.start_api()
        await publish(deployment, SHORT, _TEMPLATE)
        await _keep(place, "later-", KEPT, "1 year")
        idle = await _check(place)
        deployment.workers(slots).start()
        await _send_one(deployment)
        await _keep(place, "due-", due, "0 s")
        checked = await _check(place)
        began_s = time.monotonic()
        is_done = _is_done(place, due)
        urgent = asyncio.create_task(post_urgent(deployment, sys.maxsize, is_over=is_done))
        await require(is_done, timeout_s=_PATIENCE_S, every_s=0.2, what="all to fire")
        took_s = time.monotonic() - began_s
        waits = await waits_of(place, await urgent)
        made = await place.value(_MADE)
    return {
        "schedules": KEPT + due,
        "due": due,
        "per_s": due / took_s,
        **waits,
        "made": made,
        "fired once, %": 100.0 * min(made, 2 * due - made) / due,
        **{f"nothing due: {name}": value for name, value in idle.items()},
        **{f"all due: {name}": value for name, value in checked.items()},
    }


async def _keep(place: Place, name: str, count: int, ahead: str) -> None:
    said = (json.dumps(_TIMING), _TEMPLATE, json.dumps(_VARIABLES))
    statement = _SCHEDULES.replace("$7::interval", f"interval '{ahead}'")
    async with place.connection() as connection:
        await connection.execute("SET synchronous_commit = off")
        for first in range(0, count, _CHUNK):
            last = min(first + _CHUNK, count) - 1
            prefix = f"{name}{uuid4()}-"
            await connection.execute(statement, first, last, prefix, *said, timeout=600)
        await connection.execute("ANALYZE schedules", timeout=600)


async def _check(place: Place) -> Sample:
    """Look once at what is due, as a relay does: what that reads."""
    async with place.connection() as connection:
        [told] = json.loads(await connection.fetchval(_CHECK))
    plan: dict[str, Any] = told["Plan"]
    scan = plan
    while "Plans" in scan:
        [scan] = scan["Plans"]
    if scan.get("Index Name") != "ix_schedules_due":
        raise AssertionError(f"the due check reads {scan['Node Type']}: {json.dumps(plan)}")
    return {
        "rows": scan["Actual Rows"],
        "rows left out": scan.get("Rows Removed by Filter", 0),
        "pages": scan["Shared Hit Blocks"] + scan["Shared Read Blocks"],
        "ms": told["Execution Time"],
    }


async def _send_one(deployment: Deployment) -> None:
    """Wait until the workers send: how long they take to start is not what is measured."""
    await post_urgent(deployment, 0.1)

    async def is_sent() -> bool:
        return await deployment.place.value(_SENT) > 0

    await require(is_sent, timeout_s=120, every_s=0.2, what="workers that send")


def _is_done(place: Place, due: int) -> Any:
    async def is_done() -> bool:
        return await place.value(_RUNS) >= due

    return is_done
