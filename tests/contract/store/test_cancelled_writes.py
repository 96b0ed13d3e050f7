"""Writes to SQLite that are cancelled at any point: they keep the file locked for nobody."""

import asyncio
import random
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.store.kit.opening import open_database
from tests.patience import PATIENT

SEED = 17
ROUNDS = 40
MOST_TURNS = 400


async def add_some(connection: AsyncConnection) -> int:
    for _ in range(3):
        adding = text("INSERT INTO words (word) VALUES ('a') RETURNING word")
        (await connection.execute(adding)).all()
    return int((await connection.execute(text("SELECT count(*) FROM words"))).scalar_one())


async def test_a_cancelled_write_keeps_the_file_locked_for_nobody(tmp_path: Path) -> None:
    turns = random.Random(SEED)  # noqa: S311
    cancelled: list[asyncio.Task[int]] = []
    """Who remembers what was cancelled remembers its statement too."""

    async def prepare(connection: AsyncConnection) -> None:
        await connection.execute(text("CREATE TABLE words (word TEXT)"))

    async with open_database(f"sqlite:///{tmp_path}/words.db", PATIENT) as database:
        await database.write(prepare)
        for _ in range(ROUNDS):
            writing = [asyncio.create_task(database.write(add_some)) for _ in range(3)]
            for _ in range(turns.randrange(MOST_TURNS)):
                await asyncio.sleep(0)
            for each in writing:
                each.cancel()
            await asyncio.wait(writing)
            cancelled += writing

            assert await database.write(add_some) % 3 == 0
