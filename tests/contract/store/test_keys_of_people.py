"""What many are given for is looked up by their own keys, however many others there are."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from sqlalchemy import ClauseElement, event, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.audience.person import PeopleFilter
from notifier.audience.topic import Member
from notifier.store import topics
from notifier.store.kit.rows import encode, joined
from notifier.store.recipients import inboxes, reading, searching, writing
from notifier.store.recipients.tables import recipient_aliases
from tests.contract.store.plans import Case, nodes, rows_read, session_of
from tests.contract.store.stores import Stores, open_stores
from tests.people import a_profile, an_address

GIVEN, PEOPLE, LIMIT = 20, 5_000, 3
LOOKS: Mapping[str, ClauseElement] = {
    "known": topics._KNOWN,  # noqa: SLF001
    "drop": topics._DROP,  # noqa: SLF001
    "aliases": writing._ALIASES,  # noqa: SLF001
    "lock": writing._LOCK,  # noqa: SLF001
    "people": reading._PEOPLE,  # noqa: SLF001
    "meant": inboxes._MEANT,  # noqa: SLF001
}
TABLES = "recipients, recipient_addresses, recipient_aliases, topic_members"


@pytest.fixture
async def small(postgres_store_url: str) -> AsyncIterator[Stores]:
    """Tables that the server takes for small, whatever comes."""
    settings = [f"ALTER TABLE {{}} SET (autovacuum_enabled = {each})" for each in ("off", "on")]
    async with open_stores(postgres_store_url) as stores, session_of(stores) as session:
        await session.execute(f"TRUNCATE {TABLES}")
        for table in TABLES.split(", "):
            await session.execute(settings[0].format(table))
        yield stores
        for table in TABLES.split(", "):
            await session.execute(settings[1].format(table))


async def _fill(stores: Stores) -> None:
    ids = [f"u-{n:05}" for n in range(PEOPLE)]
    for at in range(0, PEOPLE, 1_000):
        profiles = [a_profile(each, an_address(each)) for each in ids[at : at + 1_000]]
        await stores.people.put_all("orders", profiles)
    await stores.topics.set(service="orders", key="news", title="News")
    await stores.topics.add("orders", "news", [Member(each) for each in ids])
    aliases = [{"service": "orders", "alias": f"{each}-before", "user_id": each} for each in ids]

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(insert(recipient_aliases), aliases)

    await stores.database.write(work)


def _parameters() -> dict[str, object]:
    """Every tenth one, by all the names that statements give them."""
    rows = []
    for n in range(0, 10 * GIVEN, 10):
        id, alias = f"u-{n:05}", f"u-{n:05}-before"
        is_known = {"service": "orders", "topic": "news", "user_id": id}
        rows.append(encode({**is_known, "asked": alias, "recipient": alias}))
    return {"of_service": "orders", "of_key": "news", "rows": joined(rows)}


async def _explained(session: Any, case: Case) -> Any:
    """Run a statement, and undo what it did; returns how PostgreSQL went about it."""
    statement, values = case.named()
    await session.execute(f"PREPARE looked AS {statement}")
    transaction = session.transaction()
    await transaction.start()
    explained = await session.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE looked {values}")
    await transaction.rollback()
    await session.execute("DEALLOCATE looked")
    return explained


async def test_postgresql_reads_no_others_of_a_table_that_it_does_not_know_yet(
    small: Stores,
) -> None:
    await _fill(small)

    async with session_of(small) as session:
        for name, look in LOOKS.items():
            explained = await _explained(session, Case(look, _parameters()))
            read = max(map(rows_read, nodes(explained[0]["Plan"])))
            assert GIVEN <= read <= LIMIT * GIVEN, f"{name}: {explained}"


async def test_of_new_people_no_earlier_address_is_looked_for(stores: Stores) -> None:
    removed: list[str] = []

    @event.listens_for(stores.database._writer.sync_engine, "before_cursor_execute")  # noqa: SLF001
    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        removed.extend(each for each in [statement] if "DELETE FROM recipient_addresses" in each)

    await stores.people.put_all("orders", [a_profile("u-1", an_address("ada@example.org"))])
    assert removed == []
    await stores.people.put_all("orders", [a_profile("u-1", an_address("bob@example.org"))])
    assert len(removed) == 1


async def test_sqlite_looks_up_each_by_their_whole_key(sqlite_store_url: str) -> None:
    async def plans(connection: AsyncConnection) -> str:
        removal = writing._REMOVE_ADDRESSES  # noqa: SLF001
        looks = [*LOOKS.values(), removal]
        statements = [str(each.compile(dialect=connection.dialect)) for each in looks]
        explained = [
            await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {it}", ("[]",) * it.count("?"))
            for it in statements
        ]
        return "\n".join(row.detail for rows in explained for row in rows)

    async with open_stores(sqlite_store_url) as stores:
        told = await stores.database.read(plans)

    assert "(service=?)" not in told
    assert "(service=? AND topic=?)" not in told


async def test_sqlite_reads_the_few_that_were_found_by_their_keys(sqlite_store_url: str) -> None:
    wanted = PeopleFilter(address="ada@example.org", attributes={"plan": "pro"})
    query = searching._of_few([("orders", "u-1")], wanted, ("orders", "u-0"))  # noqa: SLF001

    async def plan(connection: AsyncConnection) -> list[str]:
        kwargs = {"render_postcompile": True}
        statement = str(query.compile(dialect=connection.dialect, compile_kwargs=kwargs))
        values = ("[]",) * statement.count("?")
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        return [row.detail for row in rows]

    async with open_stores(sqlite_store_url) as stores:
        steps = await stores.database.read(plan)

    assert any("SEARCH recipients USING" in step and "user_id=?" in step for step in steps), steps
