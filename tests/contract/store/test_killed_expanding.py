"""A broadcast whose expanding process is killed: everybody is told once."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from random import Random

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.broadcasts.broadcast import Counts, State
from notifier.store.broadcasts.rows import to_counts
from notifier.store.broadcasts.tables import broadcasts
from notifier.store.notification.tables import notifications as n
from tests.contract.store.expander import FEW
from tests.contract.store.stores import Stores, open_stores
from tests.contract.store.test_expanding import announce, count, standing
from tests.patience import AT_ALL_S

KILLS = 5
_PROGRAM = ("-m", "tests.contract.store.expander")


async def run(url: str, *, chunks: int | None, late_s: float = 0.0) -> None:
    """Expand, and be killed (SIGKILL) this long after so many chunks began; None: until it ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *_PROGRAM, url, stdin=DEVNULL, stdout=PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(AT_ALL_S):
            if chunks is None:
                await process.communicate()
            else:
                for _ in range(chunks):
                    assert await process.stdout.readline() == b"chunk\n"
                await asyncio.sleep(late_s)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def looked_at_and_made(stores: Stores) -> tuple[int, int]:
    """How many members are recorded, and how many notifications are there, at one moment.

    What the killed process had committed may come to be seen only now.
    """
    query = select(broadcasts.c.counts, select(func.count()).select_from(n).scalar_subquery())

    async def work(connection: AsyncConnection) -> tuple[int, int]:
        counts, made = (await connection.execute(query)).one()
        return to_counts(counts).members, made

    return await stores.database.read(work)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_store_url")
    return found


async def test_whoever_is_killed_has_recorded_a_chunk_as_a_whole_or_not(url: str) -> None:
    random = Random(7)  # noqa: S311  kills are no secret
    async with open_stores(url) as stores:
        id = await announce(stores)
        for _ in range(KILLS):
            await run(stores.url, chunks=random.randint(1, 3), late_s=random.random() * 0.03)
            members, made = await looked_at_and_made(stores)
            assert members == made < FEW

        await run(stores.url, chunks=None)

        found = await standing(stores, id)
        assert (found.state, found.counts) == (State.DONE, Counts(members=FEW, accepted=FEW))
        assert await count(stores) == (FEW, FEW, FEW)
