"""Ten thousand dead letters, replayed by processes that are killed: each once."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from random import Random
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import compat

from notifier.notification.model import Status
from notifier.notification.transitions import REPLAY
from notifier.replays.replay import Counts, Replay, Selection, State, StoredReplay
from notifier.store.notification.tables import notification_events as events
from notifier.store.notification.tables import notifications as n
from tests.contract.store.stores import Stores, a_submission, open_stores
from tests.patience import AT_ALL_S

LETTERS = 10_000
KILLS = 5
TOGETHER = 2
_PROGRAM = ("-m", "tests.contract.store.replayer")
_FAIL = text(
    "UPDATE notifications SET status = 'failed', finished_at = created_at, attempt = 1,"
    " attempts_spent = 1, fault_kind = 'transient', fault_code = '421', fault_message = 'later'"
)


async def run(url: str, *, steps: int | None, late_s: float = 0.0) -> None:
    """Work off, and be killed (SIGKILL) so long after so many steps began; None: to the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *_PROGRAM, url, stdin=DEVNULL, stdout=PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(AT_ALL_S):
            if steps is None:
                await process.communicate()
            else:
                for _ in range(steps):
                    assert await process.stdout.readline() == b"step\n"
                await asyncio.sleep(late_s)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def fail_many(stores: Stores) -> None:
    for _ in range(LETTERS // 1_000):
        await stores.intake.insert([a_submission() for _ in range(1_000)])

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(_FAIL)

    await stores.database.write(work)
    await stores.pass_time(1)


async def counted(stores: Stores, id: UUID) -> tuple[Counts, int, int, int]:
    """What the replay says, how many are pending, replayed by their timelines, and of how many."""
    pending = select(func.count()).where(n.c.status == Status.PENDING.value)
    of = events.c.event == REPLAY.name
    told = select(func.count()).where(of)
    of_how_many = select(func.count(events.c.notification_id.distinct())).where(of)
    query = select(*(each.scalar_subquery() for each in (pending, told, of_how_many)))

    async def work(connection: AsyncConnection) -> tuple[int, int, int]:
        one, two, three = (await connection.execute(query)).one()
        return one, two, three

    found = await stores.replays.get(id, service=None)
    assert isinstance(found, StoredReplay)
    return found.counts, *await stores.database.read(work)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_store_url")
    return found


async def test_ten_thousand_letters_are_replayed_once_each_over_kills(url: str) -> None:
    random = Random(11)  # noqa: S311  kills are no secret
    async with open_stores(url) as stores:
        await fail_many(stores)
        replay = Replay(
            id=compat.uuid7(),
            selection=Selection(service="orders"),
            rate_per_s=1_000,
            begun_by="somebody",
            expected=LETTERS,
        )
        await stores.replays.begin(replay)
        for _ in range(KILLS):
            steps = random.randint(2, 8)
            await run(stores.url, steps=steps, late_s=random.random() * 0.03)
            counts, *others = await counted(stores, replay.id)
            assert others == [counts.replayed] * 3

        await asyncio.gather(*(run(stores.url, steps=None) for _ in range(TOGETHER)))

        found = await stores.replays.get(replay.id, service=None)
        assert isinstance(found, StoredReplay)
        assert found.state is State.DONE
        passed = await stores.now() - found.created_at
        assert passed.total_seconds() + 2 >= LETTERS / replay.rate_per_s
        everything = (Counts(replayed=LETTERS), LETTERS, LETTERS, LETTERS)
        assert await counted(stores, replay.id) == everything
