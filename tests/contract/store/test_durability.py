"""What waits for the disk: a crash of the database must lose nothing that was answered or sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from sqlalchemy import text

from notifier.idempotency import Idempotency
from notifier.notification.transitions import SUCCEED
from tests.contract.store.stores import Stores, a_submission, an_end, envelope_of, open_stores

_KEPT = text("SELECT DISTINCT how FROM commits")
# At the end of each transaction that writes a notification: how it commits.
_NOTE = (
    "CREATE TABLE commits (how text)",
    (
        "CREATE FUNCTION note_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO commits VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$"
    ),
    (
        "CREATE CONSTRAINT TRIGGER note AFTER INSERT OR UPDATE ON notifications"
        " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_commit()"
    ),
)
# More than go with those of others.
MANY = 200
_FORGET = ("DROP FUNCTION note_commit CASCADE", "DROP TABLE commits")


class Commits:
    """How transactions that write notifications commit."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def since(self) -> set[str]:
        """How they did since this was asked last."""
        async with self._stores.database._writer.begin() as connection:  # noqa: SLF001
            found = set(await connection.scalars(_KEPT))
            await connection.execute(text("DELETE FROM commits"))
        return found


@asynccontextmanager
async def _noted(stores: Stores) -> AsyncIterator[Commits]:
    await _run(stores, *_NOTE)
    try:
        yield Commits(stores)
    finally:
        await _run(stores, *_FORGET)


async def _run(stores: Stores, *statements: str) -> None:
    async with stores.database._writer.begin() as connection:  # noqa: SLF001
        for statement in statements:
            await connection.execute(text(statement))


@pytest.fixture(params=["postgres", "pooled"])
def server_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_store_url"))


@pytest.fixture
async def commits(server_url: str) -> AsyncIterator[tuple[Stores, Commits]]:
    """A store on PostgreSQL, and how it commits."""
    async with open_stores(server_url) as stores, _noted(stores) as noted:
        yield stores, noted


async def test_what_is_answered_or_sent_waits_for_the_disk(
    commits: tuple[Stores, Commits],
) -> None:
    stores, noted = commits

    submission = await stores.accept()
    assert await noted.since() == {"on"}
    await stores.intake.insert([a_submission()], an_idempotency())
    assert await noted.since() == {"on"}
    await stores.accept_many(MANY)
    assert await noted.since() == {"on"}
    claimed = await stores.claim(envelope_of(submission))
    assert claimed is not None
    assert await noted.since() == {"on"}
    await stores.leases.finish(an_end(claimed, SUCCEED))
    assert await noted.since() == {"on"}


async def test_what_only_costs_a_second_message_does_not_wait(
    commits: tuple[Stores, Commits],
) -> None:
    stores, noted = commits
    submission = await stores.accept()
    await noted.since()

    await stores.publications.mark_published([envelope_of(submission)])

    assert await noted.since() == {"off"}
    # Nor does that outlast the transaction.
    await stores.accept()
    assert await noted.since() == {"on"}


async def test_a_database_file_is_written_to_the_disk_at_each_commit(sqlite_store_url: str) -> None:
    async with open_stores(sqlite_store_url) as stores:
        settings = [
            await stores.database.write(
                lambda connection, name=name: connection.scalar(text(f"PRAGMA {name}"))  # type: ignore[misc]
            )
            for name in ("synchronous", "journal_mode")
        ]

    # 2 is FULL. With 1 (NORMAL), what was committed last is gone after a power cut.
    assert settings == [2, "wal"]


def an_idempotency() -> Idempotency:
    return Idempotency(service="orders", key=str(uuid4()), fingerprint="f", answer="a")
