"""PostgreSQL's disk is full: that of its tables, or that of its write-ahead log."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from notifier.store.upgrading import upgrade
from tests.api import MAIL, PREFIX, Api, over
from tests.servers.errors import ServiceUnavailableError
from tests.servers.small_disk import PostgresOnSmallDisks, postgres_on_small_disks
from tests.waiting import require

FULL = "the database is not available: its disk is full (SQLSTATE 53100)"
AT_ONCE = 100
LIMIT_S = 120


@pytest.fixture
def on_small_disks() -> Iterator[PostgresOnSmallDisks]:
    try:
        with postgres_on_small_disks() as server:
            yield server
    except ServiceUnavailableError as error:
        pytest.skip(str(error))


@asynccontextmanager
async def serving_on(server: PostgresOnSmallDisks) -> AsyncIterator[Api]:
    with server.postgres.database() as url:
        await upgrade(url)
        async with over(url) as api:
            api.client.headers.update(await api.headers("orders", "send", "read"))
            yield api


async def accepted_until_refused(api: Api) -> tuple[int, dict[str, Any]]:
    """Send until the answer is 503: how many were accepted before, and the problem."""
    accepted = 0
    deadline_s = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline_s:
        # What no compression makes room for.
        mails = [{**MAIL, "content": secrets.token_hex(1_500)} for _ in range(AT_ONCE)]
        answer = await api.client.post(f"{PREFIX}/batch", json={"notifications": mails})
        if answer.status_code == 503:
            return accepted, answer.json()
        assert answer.status_code == 202, answer.text
        accepted += AT_ONCE
    pytest.fail("it took everything")


async def database_once(api: Api, status: int) -> dict[str, Any]:
    """What `/readyz` says of the database, as soon as it answers so."""
    seen: list[dict[str, Any]] = []

    async def answers_so() -> bool:
        answer = await api.client.get("/readyz")
        seen.append(answer.json()["database"])
        return bool(answer.status_code == status)

    await require(answers_so, timeout_s=LIMIT_S, every_s=0.1, what=f"/readyz answers {status}")
    return seen[-1]


async def assert_all_are_there(api: Api, accepted: int) -> None:
    """What was accepted is, and nothing else, and it goes on."""
    await database_once(api, 200)
    account = (await api.client.get("/api/v1/account")).json()
    assert account["balanced"]
    assert account["accepted"] == accepted
    await api.send()


async def test_a_full_disk_refuses_by_name_and_goes_on_by_itself(
    on_small_disks: PostgresOnSmallDisks,
) -> None:
    async with serving_on(on_small_disks) as api:
        on_small_disks.data.fill()
        accepted, problem = await accepted_until_refused(api)
        database = await database_once(api, 503)
        on_small_disks.data.make_room()

        assert FULL.lower() in problem["detail"].lower()
        assert database == {"ok": False, "problem": FULL}
        await assert_all_are_there(api, accepted)


async def test_a_full_write_ahead_log_stops_postgresql_and_loses_nothing(
    on_small_disks: PostgresOnSmallDisks,
) -> None:
    async with serving_on(on_small_disks) as api:
        on_small_disks.wal.fill()
        accepted, _ = await accepted_until_refused(api)
        await database_once(api, 503)
        on_small_disks.wal.make_room()
        # As whoever looks after the server does once it has given up.
        await asyncio.to_thread(on_small_disks.postgres.kill)
        await asyncio.to_thread(on_small_disks.postgres.start)

        await assert_all_are_there(api, accepted)
