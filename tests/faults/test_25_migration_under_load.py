"""Row 25: the schema is upgraded under load, while code of the old and the new version runs.

The old version is its statements: what it stores, claims and records has no column that was
added later.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from notifier.store import migrations
from notifier.store.kit.opening import open_database
from notifier.store.upgrading import upgrade
from tests.faults.brokers import Ledger, accepted, open_node, until_async
from tests.patience import AT_ALL_S
from tests.servers.postgres import Postgres

OLD_CLIENTS = 4
POSTS = 100
STEPS_BACK = 4
"""So often the upgrade has to let the old code go on, while a report of somebody else's reads the
busiest table and holds it up."""
LOCK_S = AT_ALL_S / 2
"""What a statement of the old code may wait for a lock: the database refuses it then, which ends
the test. An upgrade that does not step back waits for the report, as the old code does for it, and
the report for the old code."""
WANTED = """
    SELECT EXISTS (
        SELECT FROM pg_locks
        WHERE relation = 'notifications'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted
    )
"""

INSERT = """
    INSERT INTO notifications (id, service, channel, lane, recipient, content, metadata, sensitive,
        status, attempt, attempts_spent, due_at, relay_at, created_at, updated_at,
        outcome_unknown, dead_letter)
    VALUES ($1, 'orders', 'email', 'normal', 'ada@example.com', 'Hello.', '{}', false,
        'pending', 0, 0, now(), now() + $2 * interval '1 s', now(), now(),
        false, false)
"""
EVENT = """
    INSERT INTO notification_events (notification_id, service, at, event, attempt)
    VALUES ($1, 'orders', now(), $2, $3)
"""
CLAIM = """
    UPDATE notifications SET status = 'processing', attempt = 1, attempts_spent = 1,
        lease_token = $2, lease_until = now() + interval '60 s', leased_by = 'old',
        updated_at = now()
    WHERE id = $1 AND status = 'pending' AND attempt = 0
"""
FINISH = """
    UPDATE notifications SET status = 'sent', lease_token = NULL, lease_until = NULL,
        leased_by = NULL, sent_at = now(), finished_at = now(), updated_at = now()
    WHERE id = $1 AND status = 'processing' AND lease_token = $2
"""


@dataclass(slots=True)
class OldCode:
    """What the old version accepted and sent."""

    accepted: set[UUID] = field(default_factory=set)
    sent: set[UUID] = field(default_factory=set)
    is_stopped: bool = False

    def stop(self) -> None:
        """Begin nothing more; what is under way ends."""
        self.is_stopped = True

    async def work(self, url: str) -> None:
        """Accept one notification after another, and send every other one; any error ends it."""
        settings = {"lock_timeout": f"{LOCK_S:.0f}s"}
        connection = await asyncpg.connect(url, server_settings=settings)
        try:
            while not self.is_stopped:
                await self._accept(connection, uuid4(), is_sent=len(self.accepted) % 2 == 0)
        finally:
            await connection.close()

    async def _accept(self, connection: asyncpg.Connection, id: UUID, *, is_sent: bool) -> None:
        # What it publishes itself is the relay's a minute later; here it leaves every other one.
        await self._do(connection, (INSERT, id, 60.0 if is_sent else 0.0), (EVENT, id, "accept", 0))
        self.accepted.add(id)
        if is_sent:
            token = uuid4()
            await self._do(connection, (CLAIM, id, token), (EVENT, id, "claim", 1))
            await self._do(connection, (FINISH, id, token), (EVENT, id, "succeed", 1))
            self.sent.add(id)
        await asyncio.sleep(0.02)  # a rate that the new workers can follow

    async def _do(self, connection: asyncpg.Connection, *steps: tuple[object, ...]) -> None:
        async with connection.transaction():
            for statement, *arguments in steps:
                await connection.execute(str(statement), *arguments)


@asynccontextmanager
async def old_code(url: str) -> AsyncIterator[OldCode]:
    """Let the old version work; what fails there ends the test."""
    old = OldCode()
    async with asyncio.TaskGroup() as group:
        for _ in range(OLD_CLIENTS):
            group.create_task(old.work(url.replace("+asyncpg", "")))
        try:
            yield old
        finally:
            old.stop()


async def test_old_and_new_code_work_on_while_the_schema_is_upgraded(
    postgres: Postgres, amqp_url: str
) -> None:
    ledger = Ledger()
    with postgres.database() as url:
        await make_old_schema(url)
        async with open_node(url, amqp_url) as node:
            async with old_code(url) as old:
                too_early = await node.stores.queries.schema_problem()
                reader = asyncio.create_task(read_for_long(url, old))
                await upgrade(url)
                await reader
                assert await node.stores.queries.schema_problem() is None
                async with node.api() as client, node.workers(ledger), node.relaying():
                    ids = accepted(await client.post_many(POSTS))
                    enough = len(old.accepted) + POSTS
                    while len(old.accepted) < enough:
                        ids |= accepted([await client.post()])
            async with node.workers(ledger), node.relaying():
                await node.await_statuses(sent=len(ids | old.accepted))

    assert "run `notifier db upgrade`" in str(too_early)
    # What the old code had not sent the new code did, and nothing twice.
    assert ledger.handed_over == dict.fromkeys(ids | old.accepted - old.sent, 1)


async def make_old_schema(url: str) -> None:
    def run(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, migrations.REVISIONS[0])

    async with open_database(url) as database, database._writer.begin() as connection:  # noqa: SLF001
        await connection.run_sync(run)


async def read_for_long(url: str, old: OldCode) -> None:
    """Hold the upgrade up until it has stepped back so often, and the old code went on."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))

    async def is_wanted() -> bool:
        return bool(await connection.fetchval(WANTED))

    async def has_gone_on(accepted: int) -> bool:
        return len(old.accepted) > accepted

    try:
        async with connection.transaction():
            await connection.execute("SELECT count(*) FROM notifications")
            for _ in range(STEPS_BACK):
                await until_async(is_wanted)
                # What was under way may end yet; the rest waits behind the upgrade.
                await until_async(partial(has_gone_on, len(old.accepted) + OLD_CLIENTS))
    finally:
        await connection.close()
