"""The pair that other tests rely on: what it holds, and what becomes of it."""

import asyncio

import asyncpg
import pytest

from tests.patience import AT_ALL_S
from tests.servers.postgres_pair import Member, PostgresPair
from tests.waiting import require

WRITE = "CREATE TABLE kept AS SELECT 7 AS n"


def kept(member: Member) -> list[int]:
    return [row["n"] for row in member.fetch("SELECT n FROM kept")]


def test_what_was_committed_is_on_the_standby_after_a_failover(
    synchronous_pair: PostgresPair,
) -> None:
    synchronous_pair.primary.fetch(WRITE)

    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        synchronous_pair.standby.fetch("DROP TABLE kept")
    synchronous_pair.fail_over()

    assert kept(synchronous_pair.standby) == [7]
    synchronous_pair.standby.fetch("DROP TABLE kept")


def test_the_old_primary_follows_the_new_one_and_takes_over_again(
    synchronous_pair: PostgresPair,
) -> None:
    first, second = synchronous_pair.primary, synchronous_pair.standby
    synchronous_pair.fail_over()
    second.commit_alone()
    second.fetch(WRITE)

    first.follow(second)
    second.commit_on_standby()
    second.fetch("UPDATE kept SET n = 8")
    second.kill()
    first.promote()

    assert kept(first) == [8]


def test_one_that_lags_lacks_what_was_committed_meanwhile(asynchronous_pair: PostgresPair) -> None:
    asynchronous_pair.standby.stop_receiving()
    asynchronous_pair.primary.fetch(WRITE)
    with pytest.raises(asyncpg.UndefinedTableError):
        kept(asynchronous_pair.standby)

    asynchronous_pair.standby.receive()
    asynchronous_pair.primary.wait_for_standby()
    asynchronous_pair.fail_over()

    assert kept(asynchronous_pair.standby) == [7]


async def test_a_commit_waits_for_a_frozen_standby_until_that_goes_on(
    synchronous_pair: PostgresPair,
) -> None:
    synchronous_pair.standby.freeze()
    write = asyncio.create_task(asyncio.to_thread(synchronous_pair.primary.fetch, WRITE))
    waiting = "SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'"

    async def waits() -> bool:
        return bool(await asyncio.to_thread(synchronous_pair.primary.fetch, waiting))

    await require(waits, timeout_s=AT_ALL_S, what="a commit that waits")
    assert not write.done()
    synchronous_pair.standby.thaw()
    await write

    synchronous_pair.fail_over()
    assert kept(synchronous_pair.standby) == [7]


def test_the_url_names_both(synchronous_pair: PostgresPair) -> None:
    database = synchronous_pair.create_database()

    assert synchronous_pair.url(database).count(f":{synchronous_pair.standby.port}/") == 1
    assert f":{synchronous_pair.primary.port}," in synchronous_pair.url(database)
