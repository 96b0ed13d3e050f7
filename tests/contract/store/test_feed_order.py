"""The feed on PostgreSQL, where rows become visible in another order than that of their ids."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.notification.feed import START, Cursor, FeedEvent
from notifier.notification.transitions import CANCEL, RETRY, SUCCEED
from notifier.store.kit.database import Database, Work
from notifier.store.notification.feed import SqlFeed
from notifier.store.notification.orders import move
from notifier.store.upgrading import upgrade
from tests.contract.store.stores import Stores, an_end, envelope_of, open_stores
from tests.contract.store.test_two_sessions import somebody_waits
from tests.patience import AT_ALL_S
from tests.servers.needed import needed
from tests.servers.postgres import private_postgres

_WRITE = (
    "INSERT INTO notification_events (notification_id, service, at, event, attempt)"
    " VALUES ($1, 'orders', now(), 'accept', 0) RETURNING id"
)
_HAS_XID = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL"
_NUMBERED = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend' AND backend_xid IS NOT NULL"
)
# An id is drawn before such a trigger, and a transaction gets its own number after it.
_HALT = """
CREATE FUNCTION halt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.event = 'halted' THEN
        PERFORM pg_advisory_xact_lock_shared(1);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER halt BEFORE INSERT ON notification_events FOR EACH ROW EXECUTE FUNCTION halt();
"""
_HALTED = _WRITE.replace("accept", "halted")


class Writer:
    """A session that writes events, in transactions that stay open until they are ended."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.transaction: Any = None
        self.written: list[Cursor] = []

    async def write(self) -> None:
        if self.transaction is None:
            self.transaction = self.connection.transaction()
            await self.transaction.start()
        self.written.append(await self.connection.fetchval(_WRITE, uuid4()))

    async def commit(self) -> list[Cursor]:
        """End it; returns what is there from now on."""
        transaction, written = self.transaction, self.written
        self.transaction, self.written = None, []
        if transaction is not None:
            await transaction.commit()
        return written

    async def roll_back(self) -> list[Cursor]:
        """End it, as if it had never been."""
        if self.transaction is not None:
            await self.transaction.rollback()
        self.transaction, self.written = None, []
        return []


@asynccontextmanager
async def writers(url: str, count: int = 1) -> AsyncIterator[list[Writer]]:
    async with AsyncExitStack() as stack:
        sessions = []
        for _ in range(count):
            connection = await asyncpg.connect(url.replace("+asyncpg", ""))
            stack.push_async_callback(connection.close)
            sessions.append(Writer(connection))
        yield sessions


class Reader:
    """Follows a feed from where it was made on."""

    def __init__(self, feed: SqlFeed, cursor: Cursor, limit: int = 5) -> None:
        self.feed = feed
        self.cursor = cursor
        self.limit = limit
        self.events: list[FeedEvent] = []

    async def read(self) -> int:
        page = await self.feed.after(self.cursor, self.limit)
        assert page.is_complete
        assert page.goes_on_after >= self.cursor
        self.cursor = page.goes_on_after
        self.events += page.events
        return len(page.events)

    @property
    def seen(self) -> list[Cursor]:
        return [each.position for each in self.events]

    @property
    def notifications(self) -> list[UUID]:
        return [each.notification_id for each in self.events]

    async def read_all(self) -> list[Cursor]:
        """Read until there is no more; returns all that it has seen ever."""
        while await self.read() == self.limit:
            pass
        return self.seen


async def a_reader(stores: Stores) -> Reader:
    """A reader at the end, that waits for nobody."""
    end = await stores.feed.after(START, 1_000)
    return Reader(SqlFeed(stores.database, pauses_s=()), end.goes_on_after)


async def test_an_event_that_becomes_visible_after_later_ones_is_not_skipped(
    postgres_store_url: str,
) -> None:
    async with open_stores(postgres_store_url) as stores, writers(stores.url) as (early,):
        reader = await a_reader(stores)
        await early.write()
        late = await stores.accept()

        assert await reader.read_all() == []
        (first,) = await early.commit()

        assert (await reader.read_all())[0] == first
        assert reader.notifications[1:] == [late.id]


async def test_an_id_that_was_drawn_before_its_transaction_has_a_number_is_not_skipped(
    schema_url: str,
) -> None:
    async with open_stores(schema_url) as stores, writers(schema_url, 2) as (early, gate):
        await gate.connection.execute(_HALT)
        await gate.connection.execute("SELECT pg_advisory_lock(1)")
        # Of 32 ids the first one alone is logged, for which a transaction gets its number at once.
        await stores.accept()
        reader = await a_reader(stores)
        writing = asyncio.create_task(early.connection.fetchval(_HALTED, uuid4()))
        await somebody_waits(stores)
        late = await stores.accept()

        # Nothing that knows transactions by their numbers knows of it.
        assert await gate.connection.fetchval(_NUMBERED) == 0
        assert await reader.read_all() == []
        await gate.connection.execute("SELECT pg_advisory_unlock(1)")

        assert (await writing) == (await reader.read_all())[0]
        assert reader.notifications[1:] == [late.id]


async def test_what_was_rolled_back_leaves_holes_that_stop_nobody(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores, writers(stores.url) as (writer,):
        reader = await a_reader(stores)
        for _ in range(3 * reader.limit):
            await writer.write()
        after = await stores.accept()
        await writer.roll_back()

        await reader.read_all()
        again = await stores.accept()
        await reader.read_all()

    assert reader.notifications == [after.id, again.id]


async def test_a_long_transaction_holds_the_feed_back_and_loses_nothing(
    postgres_store_url: str,
) -> None:
    async with open_stores(postgres_store_url) as stores, writers(stores.url) as (long,):
        reader = await a_reader(stores)
        before = [await stores.accept() for _ in range(7)]
        await reader.read()
        await long.write()
        meanwhile = [await stores.accept() for _ in range(7)]

        await reader.read_all()
        assert reader.notifications == [each.id for each in before]
        await stores.pass_time(60)
        assert await stores.feed.behind_s(reader.cursor) >= 60
        await long.commit()
        await reader.read_all()

    assert reader.notifications[len(before) + 1 :] == [each.id for each in meanwhile]


class Delayed:
    """A database some of whose answers take their time."""

    def __init__(self, database: Database, *, answers: int) -> None:
        self._database = database
        self._answers = answers
        self.has_answered = asyncio.Event()
        self.is_through = asyncio.Event()

    async def follow(self, work: Work[Any]) -> Any:
        self._answers -= 1
        is_late = self._answers == 0
        answer = await self._database.follow(work)
        if is_late:
            self.has_answered.set()
            await self.is_through.wait()
        return answer


async def test_a_feed_waits_a_moment_for_who_is_writing(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores, writers(stores.url) as (writer,):
        reader = await a_reader(stores)
        database = Delayed(stores.database, answers=1)
        reader.feed = SqlFeed(cast("Database", database), pauses_s=(0,))
        await writer.write()
        accepted = await stores.accept()
        reading = asyncio.create_task(reader.read())
        await database.has_answered.wait()
        await writer.commit()
        database.is_through.set()

        assert await reading == 2
        assert reader.notifications[1:] == [accepted.id]


async def test_writers_that_relieve_one_another_hold_nobody_back(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores, writers(stores.url, 2) as (one, other):
        reader = await a_reader(stores)
        for _ in range(5):
            await one.write()
            accepted = await stores.accept()
            assert await reader.read() == 0
            await other.write()
            (first,) = await one.commit()

            assert await reader.read() == 2
            assert (reader.seen[-2], reader.notifications[-1]) == (first, accepted.id)
            await other.roll_back()


async def test_an_answer_that_comes_late_tells_nothing_of_those_who_came_after_it(
    postgres_store_url: str,
) -> None:
    async with open_stores(postgres_store_url) as stores, writers(stores.url) as (early,):
        reader = await a_reader(stores)
        database = Delayed(stores.database, answers=1)
        shared = SqlFeed(cast("Database", database), pauses_s=())
        reader.feed = shared
        late = asyncio.create_task(shared.after(reader.cursor, 5))
        await database.has_answered.wait()
        await early.write()
        await stores.accept()
        assert await reader.read() == 0
        database.is_through.set()
        await late

        assert await reader.read() == 0
        (first,) = await early.commit()

        assert (await reader.read_all())[0] == first


async def test_a_database_that_has_lost_its_last_commits_is_followed_from_there(
    schema_url: str,
) -> None:
    async with open_stores(schema_url) as stores, writers(schema_url, 2) as (early, late):
        reader = await a_reader(stores)
        await early.write()
        (kept,) = await early.commit()
        for _ in range(5):
            await late.write()
        await late.commit()
        assert len((await reader.feed.after(START, 9)).events) == 6
        await late.connection.execute("DELETE FROM notification_events WHERE id > $1", kept)
        await late.connection.execute("SELECT setval('notification_events_id_seq', $1)", kept)
        await early.write()
        await late.write()
        (second,) = await late.commit()

        # What was known of how far nothing more can come went with the commits.
        assert await reader.read_all() == []
        (first,) = await early.commit()

        assert await reader.read_all() == [kept, first, second]


async def test_who_writes_elsewhere_holds_nobody_back(postgres_store_url: str) -> None:
    async with open_stores(postgres_store_url) as stores, writers(stores.url, 2) as (other, idle):
        reader = await a_reader(stores)
        await idle.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        async with other.connection.transaction():
            await other.connection.execute(
                "INSERT INTO unknown_messages VALUES (gen_random_uuid(), now())"
            )
            assert await other.connection.fetchval(_HAS_XID)
            accepted = await stores.accept()
            await reader.read_all()

    assert reader.notifications == [accepted.id]


async def test_what_happened_to_one_notification_comes_as_it_happened(
    postgres_store_url: str,
) -> None:
    async with open_stores(postgres_store_url) as stores:
        other, submission = await stores.accept(), await stores.accept()
        reader = await a_reader(stores)
        cancel = partial(move, transition=CANCEL, service=None)
        async with stores.database._writer.begin() as older:  # noqa: SLF001
            await cancel(older, id=other.id)
            claimed = await stores.claim(envelope_of(submission))
            assert claimed is not None
            await stores.leases.finish(an_end(claimed, RETRY))
            await cancel(older, id=submission.id)
        await reader.read_all()

    of_one = [each for each in reader.events if each.notification_id == submission.id]
    # By the numbers of their transactions the last would be the first.
    assert [each.event for each in of_one] == ["claim", "retry", "cancel"]


async def test_a_prepared_transaction_holds_the_feed_back() -> None:
    with needed(), private_postgres(settings={"max_prepared_transactions": "2"}) as server:
        url = server.create_database()
        await upgrade(url)
        async with open_stores(url) as stores, writers(url) as (writer,):
            reader = await a_reader(stores)
            await writer.connection.execute("BEGIN")
            early = await writer.connection.fetchval(_WRITE, uuid4())
            await stores.accept()
            await reader.read()
            # From now on it has no name that a look would know it by.
            await writer.connection.execute("PREPARE TRANSACTION 'early'")

            assert [await reader.read() for _ in range(3)] == [0, 0, 0]
            await writer.connection.execute("COMMIT PREPARED 'early'")

            assert (await reader.read_all())[0] == early
            assert len(reader.seen) == 2


_SESSIONS = 3
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "commit", "roll_back", "read"]),
        st.integers(0, _SESSIONS - 1),
    ),
    min_size=5,
    max_size=40,
)


async def test_whenever_transactions_begin_and_end_a_reader_gets_each_event_once_and_in_order(
    postgres_store_url: str,
) -> None:
    async with (
        open_stores(postgres_store_url) as stores,
        writers(stores.url, _SESSIONS) as sessions,
    ):
        loop = asyncio.get_running_loop()

        async def follow(steps: Sequence[tuple[str, int]]) -> None:
            reader = await a_reader(stores)
            there: list[Cursor] = []
            for what, who in steps:
                match what:
                    case "read":
                        await reader.read()
                    case "write":
                        await sessions[who].write()
                    case "commit":
                        there += await sessions[who].commit()
                    case _:
                        await sessions[who].roll_back()
            for each in sessions:
                there += await each.commit()
            assert await reader.read_all() == sorted(there)

        @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(steps=_STEPS)
        def follows(steps: Sequence[tuple[str, int]]) -> None:
            asyncio.run_coroutine_threadsafe(follow(steps), loop).result(timeout=AT_ALL_S)

        await asyncio.to_thread(follows)


async def test_a_reader_among_many_writers_gets_each_event_once_and_in_order(
    postgres_store_url: str,
) -> None:
    async with (
        AsyncExitStack() as stack,
        open_stores(postgres_store_url) as stores,
        writers(stores.url, 6) as sessions,
    ):
        processes = [await stack.enter_async_context(open_stores(stores.url)) for _ in range(3)]
        reader = Reader(stores.feed, START, limit=50)
        await reader.read_all()
        there: list[Cursor] = []

        async def write(writer: Writer, chance: random.Random) -> None:
            for _ in range(40):
                for _ in range(chance.randint(1, 4)):
                    await writer.write()
                is_kept = chance.random() < 0.8
                there.extend(await (writer.commit() if is_kept else writer.roll_back()))

        async def deliver(process: Stores) -> None:
            for _ in range(40):
                await process.ended(SUCCEED)

        chances = map(random.Random, range(len(sessions)))
        work = map(write, sessions, chances)
        writing = asyncio.gather(*work, *map(deliver, processes))
        read_meanwhile = 0
        while not writing.done():
            read_meanwhile += await reader.read()
        await writing
        seen = await reader.read_all()

    assert seen == sorted({*seen})
    assert {*there} <= {*seen}
    assert len(seen) == len(there) + 3 * 3 * 40
    assert read_meanwhile > 0
